"""Stage `web_corpus`: main text of pages that pass language, quality and safety rules."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from hornbook.artifacts import read_json, write_documents, write_json, write_table
from hornbook.errors import InputError
from hornbook.stage import Run
from hornbook.web.config import Corpus
from hornbook.web.extract import language, main_text, mask
from hornbook.web.readers import Page, reader_of
from hornbook.web.rules import judge

DROPPED = pa.schema([(name, pa.string()) for name in ("id", "source", "reason", "excerpt")])
BATCH = 64


def web_corpus(run: Run) -> None:
    """Read every file, judge every page, drop exact repeats, keep the rest."""
    import pandas as pd

    settings = run.section("web.corpus", Corpus)
    files = input_files(run.input(run.section("data.web", str)), settings)
    broken: Counter[str] = Counter()
    kept: list[dict[str, Any]] = []
    dropped: list[dict[str, Any]] = []
    seen: set[str] = set()
    with run.progress(None, "pages", f"extracting {len(files)} files") as progress:
        for file in files:
            for row in _judged(run, file, settings, broken):
                progress.advance()
                if row["reason"] is None and row["digest"] in seen:
                    row["reason"] = "exact_duplicate"
                seen.add(row["digest"])
                (dropped if row["reason"] else kept).append(row)
    if not kept:
        raise InputError(
            f"web_corpus: no page of {len(dropped)} in {len(files)} files passed the rules: "
            f"{dict(Counter(row['reason'] for row in dropped))}; is data.web the right place?"
        )
    _write(run, kept, dropped, broken, files=len(files))
    columns = ["id", "source", "words", "language"]
    frame = pd.DataFrame([{name: row[name] for name in columns} for row in kept])
    run.expect("documents", frame, settings.expectations, key="id")


def input_files(place: Path, settings: Corpus) -> list[Path]:
    """The input files at `data.web`, sorted.

    Raises:
        InputError: There is none that can be read.
    """
    if place.is_file():
        return [place]
    found = {file for glob in settings.include for file in place.glob(glob) if file.is_file()}
    files = sorted(file for file in found if reader_of(file) is not None)
    if not files:
        raise InputError(
            f"data.web={place}: no WARC, HTML, tar, parquet or JSONL matches "
            f"web.corpus.include={settings.include}; for the sample run: dvc pull data.dvc"
        )
    return files


def _judged(
    run: Run, file: Path, settings: Corpus, broken: Counter[str]
) -> Iterator[dict[str, Any]]:
    """The judged pages of a file; finished files are found again after a crash."""
    name = hashlib.sha256(str(file).encode()).hexdigest()[:16]
    journal = run.pending / f"{name}.json"
    if journal.exists():
        stored = read_json(journal)
        broken.update(stored["broken"])
        yield from stored["rows"]
        return
    mine: Counter[str] = Counter()
    rows = list(_extracted(run, file, settings, mine))
    if settings.unreadable_file == "refuse":
        _require_whole(file, len(rows), mine)
    broken.update(mine)
    write_json(journal, {"rows": rows, "broken": dict(mine)})
    yield from rows


def _require_whole(file: Path, pages: int, broken: Counter[str]) -> None:
    """Raise for a file that gives nothing or breaks off: half a crawl must not pass for one."""
    if pages and not broken["truncated_archive"]:
        return
    if not file.stat().st_size:
        what, remedy = "is empty", ""
    elif not pages:
        what, remedy = f"yields no page: {dict(broken) or 'nothing'}", ""
    else:
        what, remedy = f"breaks off after {pages} pages", ", which keeps the pages before the break"
    raise InputError(
        f"{file} {what}; replace it, remove it, or set web.corpus.unreadable_file=skip{remedy}"
    )


def _extracted(
    run: Run, file: Path, settings: Corpus, broken: Counter[str]
) -> Iterator[dict[str, Any]]:
    """Pages through a pool, in the order of the file whatever the number of workers."""
    read = reader_of(file)
    assert read is not None, file
    work = partial(_batch, settings=settings)
    batches = _batched(read(file, broken))
    if run.runtime.workers == 1:
        for rows in map(work, batches):
            yield from rows
        return
    with ProcessPoolExecutor(run.runtime.workers) as pool:
        for rows in pool.map(work, batches):
            yield from rows


def _batched(pages: Iterator[Page]) -> Iterator[list[Page]]:
    while batch := list(itertools.islice(pages, BATCH)):
        yield batch


def _batch(pages: list[Page], settings: Corpus) -> list[dict[str, Any]]:
    return [extract(page, settings) for page in pages]


def extract(page: Page, settings: Corpus) -> dict[str, Any]:
    """A page as a row: text, language, counts, and the reason for a drop or None."""
    text, masked = mask(main_text(page))
    code, rank = language(text) if text else ("unknown", 0)
    reason: str | None
    if not text:
        reason = "no_main_text"
    elif code not in settings.languages or rank > settings.max_language_rank:
        reason = "language"
    else:
        reason = judge(page.source.lower(), text, settings.rules)
    digest = hashlib.sha256(" ".join(text.lower().split()).encode()).hexdigest()[:32]
    return {
        "id": hashlib.sha256(f"{page.source}\n{text}".encode()).hexdigest()[:32],
        "text": text,
        "source": page.source,
        "language": code,
        "words": len(text.split()),
        "masked": masked,
        "digest": digest,
        "reason": reason,
    }


def _write(
    run: Run,
    kept: list[dict[str, Any]],
    dropped: list[dict[str, Any]],
    broken: Counter[str],
    *,
    files: int,
) -> None:
    columns = ("id", "text", "source", "language", "words", "masked")
    write_documents(run.out, ({name: row[name] for name in columns} for row in kept))
    excerpts = [
        {name: row[name] for name in ("id", "source", "reason")} | {"excerpt": row["text"][:200]}
        for row in dropped
    ]
    write_table(run.out / "dropped.parquet", pa.Table.from_pylist(excerpts, DROPPED))
    reasons = Counter(row["reason"] for row in dropped) + broken
    run.summary(
        rows=len(kept),
        documents=len(kept),
        files=files,
        words=sum(row["words"] for row in kept),
        masked=sum(row["masked"] for row in kept),
        dropped=dict(sorted(reasons.items())),
    )
