"""From the pages of a shard to judged rows: the part of `web_corpus` that every worker does."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from hornbook.artifacts import write_documents
from hornbook.compute import Place
from hornbook.errors import InputError
from hornbook.sources import InputFile
from hornbook.tally import DIGEST_BYTES, EXCERPT, Tally
from hornbook.web.archives import Page, Reading
from hornbook.web.config import Corpus
from hornbook.web.extract import language, main_text
from hornbook.web.inputs import pages_of, readable
from hornbook.web.mask import mask
from hornbook.web.readers import TEXTS
from hornbook.web.rules import judge

COLUMNS = ("id", "text", "source", "language", "words", "masked")


def read_pages(files: list[InputFile], place: Place, *, settings: Corpus) -> dict[str, Any]:
    """Parts of kept rows, the digests of their texts, examples of drops; the counts as facts.

    Raises:
        InputError: A file yields nothing or breaks off, and the settings do not allow it.
    """
    tally = Tally(settings.examples)
    rows = (row for file in files for row in _of_file(file, place, tally, settings))
    write_documents(place.folder, _kept(rows, tally), schema=_schema())
    named = [
        {"name": readable(file.name), "bytes": file.num_bytes, "version": file.version}
        for file in files
    ]
    return tally.finish(place.folder) | {"inputs": named}


def _schema() -> Any:  # noqa: ANN401 - pyarrow's
    import pyarrow as pa

    return pa.schema(
        [(name, pa.int64() if name in {"words", "masked"} else pa.string()) for name in COLUMNS]
    )


def _kept(rows: Iterator[dict[str, Any]], tally: Tally) -> Iterator[dict[str, Any]]:
    for row in rows:
        if row["reason"] is None:
            tally.keep(row["digest"], words=row["words"], masked=row["masked"])
            yield {name: row[name] for name in COLUMNS}
        else:
            excerpt = row["text"][:EXCERPT]
            tally.drop(row["reason"], row["id"], row["source"], excerpt, row["words"])


def _of_file(
    file: InputFile, place: Place, tally: Tally, settings: Corpus
) -> Iterator[dict[str, Any]]:
    reading = Reading(settings.limits)
    pages = told = 0
    for page in pages_of(file, place.folder, reading):
        pages += 1
        yield extract(page, settings)
        place.advance(max(0, reading.at - told))
        told = max(told, reading.at)
    if settings.unreadable_file == "refuse":
        _require_whole(file, pages, reading.broken)
    for reason, count in reading.broken.items():
        tally.count(reason, count)
    place.advance(max(0, file.num_bytes - told))


def _require_whole(file: InputFile, pages: int, broken: Counter[str]) -> None:
    """Raise for a file that gives nothing or breaks off: half a crawl must not pass for one."""
    if pages and not broken["truncated_archive"]:
        return
    if not file.num_bytes:
        what, remedy = "is empty", ""
    elif not pages:
        what, remedy = f"yields no page: {dict(broken) or 'nothing'}{_explained(broken)}", ""
    else:
        what, remedy = f"breaks off after {pages} pages", ", which keeps the pages before the break"
    raise InputError(
        f"{file.place} {what}; replace it, remove it, or set "
        f"web.corpus.unreadable_file=skip{remedy}"
    )


def _explained(broken: Counter[str]) -> str:
    """What is missing where rows have no text: most often the column has another name."""
    columns = " nor ".join(repr(name) for name in TEXTS)
    return f", as no row has text in a column {columns}" if set(broken) == {"no_text"} else ""


def extract(page: Page, settings: Corpus) -> dict[str, Any]:
    """A page as a row: text, language, counts, and the reason for a drop or None."""
    reason: str | None = None
    try:
        text, masked = mask(main_text(page))
    except (ValueError, RecursionError, MemoryError):
        text, masked, reason = "", 0, "unreadable_page"
    code, rank = language(text) if text else ("unknown", 0)
    if reason is None and not text:
        reason = "no_main_text"
    elif reason is None and (code not in settings.languages or rank > settings.max_language_rank):
        reason = "language"
    elif reason is None:
        text, reason = judge(page.source, text, settings.rules)
    same = " ".join(text.lower().split()).encode()
    return {
        "id": hashlib.sha256(f"{page.source}\n{text}".encode()).hexdigest()[:32],
        "text": text,
        "source": page.source,
        "language": code,
        "words": len(text.split()),
        "masked": masked,
        "digest": hashlib.blake2b(same, digest_size=DIGEST_BYTES).digest(),
        "reason": reason,
    }
