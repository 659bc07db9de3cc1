"""Stage `book_excerpts`: pieces of crawled pages that give prompts their variety.

It reads the crawl itself, so that no rule or threshold of the web corpus makes a book stale.
"""

import hashlib
import heapq
from collections.abc import Iterator
from functools import partial
from typing import Any

from hornbook.artifacts import read_json, write_json, write_table
from hornbook.books.config import Excerpts
from hornbook.compute import Place, map_shards
from hornbook.errors import InputError
from hornbook.sources import InputFile
from hornbook.stage import Run
from hornbook.web.archives import Page, Reading
from hornbook.web.config import Limits
from hornbook.web.extract import language, main_text
from hornbook.web.inputs import pages_of, web_files, web_shards
from hornbook.web.mask import mask
from hornbook.web.toxic import toxic_pattern

SHARD_BYTES = 16_000_000  # of files that one worker reads; no excerpt depends on it
SURE = 1200  # rank of the language detector up to which it is usually right


def book_excerpts(run: Run) -> None:
    """A seeded sample of paragraphs: in a known language, without personal data and slurs.

    Raises:
        InputError: No page gives an excerpt.
    """
    import pandas as pd
    import pyarrow as pa

    settings = run.section("books.excerpts", Excerpts)
    limits = run.section("web.corpus.limits", Limits)
    place = run.input(run.section("data.web", str))
    files = web_files(place, settings.include, "books.excerpts.include")
    work = partial(draw_excerpts, settings=settings, limits=limits)
    drawn = map_shards(run, "drawing excerpts", work, web_shards(files, SHARD_BYTES))
    rows = {row["id"]: row for done in drawn for row in read_json(done.folder / "drawn.json")}
    first = sorted(rows.values(), key=lambda row: row["draw"])[: settings.count]
    chosen = [
        {name: row[name] for name in ("id", "text", "source")}
        for row in sorted(first, key=lambda row: row["id"])
    ]
    if not chosen:
        raise InputError(
            f"data.web={place}: no page that matches books.excerpts.include={settings.include} "
            f"has a paragraph of {settings.min_letters} letters; set books.prompts.excerpt.share=0 "
            f"and a data.web of your own, or for the sample run: dvc pull data.dvc"
        )
    run.expect("excerpts", pd.DataFrame(chosen), settings.expectations, key="id")
    write_table(run.out / "excerpts.parquet", pa.Table.from_pylist(chosen))
    run.summary(rows=len(chosen), found=sum(done.facts["found"] for done in drawn))


def draw_excerpts(
    files: list[InputFile], place: Place, *, settings: Excerpts, limits: Limits
) -> dict[str, int]:
    """The excerpts of a shard that draw the lowest numbers: the same sample however it is cut."""
    kept: list[tuple[int, str]] = []
    rows: dict[str, dict[str, Any]] = {}
    found = 0
    for file in files:
        for page in pages_of(file, place.folder, Reading(limits)):
            for excerpt in _of_page(page, settings):
                found += 1
                if excerpt["id"] in rows:
                    continue
                text = f"{settings.seed}{excerpt['id']}"
                excerpt["draw"] = hashlib.sha256(text.encode()).hexdigest()
                rows[excerpt["id"]] = excerpt
                # negated, so that what leaves is the largest draw
                heapq.heappush(kept, (-int(excerpt["draw"], 16), excerpt["id"]))
                if len(kept) > settings.count:
                    del rows[heapq.heappop(kept)[1]]
        place.advance(file.num_bytes)
    write_json(place.folder / "drawn.json", [row for _, row in sorted(rows.items())])
    return {"found": found}


def _of_page(page: Page, settings: Excerpts) -> Iterator[dict[str, Any]]:
    """The first paragraphs of a page that could stand in a prompt."""
    try:
        text, _ = mask(main_text(page))
    except (ValueError, RecursionError, MemoryError):  # a hostile page has no excerpt
        return
    taken = 0
    for paragraph in text.split("\n"):
        line = " ".join(paragraph.split())
        if len(line) < settings.min_letters or taken == settings.per_page:
            continue
        code, rank = language(line)
        if code not in settings.languages or rank > SURE or toxic_pattern().search(line):
            continue
        taken += 1
        cut = _cut(line, settings.max_letters)
        digest = hashlib.sha256(cut.encode()).hexdigest()[:16]
        yield {"id": digest, "text": cut, "source": page.source}


def _cut(line: str, letters: int) -> str:
    """At most `letters`, ended between words; no braces, which a template would read as fields."""
    short = line if len(line) <= letters else line[:letters].rpartition(" ")[0]
    return short.replace("{", "(").replace("}", ")")
