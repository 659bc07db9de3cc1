"""Stage `book_excerpts`: pieces of crawled pages that give prompts their variety.

It reads the crawl itself, so that no rule or threshold of the web corpus makes a book stale.
"""

import hashlib
import heapq
from collections.abc import Iterator
from typing import Any

from hornbook.artifacts import write_table
from hornbook.books.config import Excerpts
from hornbook.errors import InputError
from hornbook.stage import Run
from hornbook.web.extract import language, main_text, mask
from hornbook.web.readers import Broken, Page, reader_of
from hornbook.web.rules import toxic_words

SURE = 1200  # rank of the language detector up to which it is usually right


def book_excerpts(run: Run) -> None:
    """A seeded sample of paragraphs: in a known language, without personal data and slurs.

    Raises:
        InputError: No page gives an excerpt.
    """
    import pandas as pd
    import pyarrow as pa

    settings = run.section("books.excerpts", Excerpts)
    place = run.input(run.section("data.web", str))
    kept: list[tuple[int, str]] = []
    rows: dict[str, dict[str, Any]] = {}
    found = 0
    with run.progress(None, "pages", "reading") as bar:
        for page in _pages(place, settings):
            bar.advance()
            for excerpt in _of_page(page, settings):
                found += 1
                if excerpt["id"] in rows:
                    continue
                rows[excerpt["id"]] = excerpt
                # negated, so that what leaves is the largest draw: the same sample in any order
                draw = -int(
                    hashlib.sha256(f"{settings.seed}{excerpt['id']}".encode()).hexdigest(), 16
                )
                heapq.heappush(kept, (draw, excerpt["id"]))
                if len(kept) > settings.count:
                    del rows[heapq.heappop(kept)[1]]
    chosen = [row for _, row in sorted(rows.items())]
    if not chosen:
        raise InputError(
            f"data.web={place}: no page that matches books.excerpts.include={settings.include} "
            f"has a paragraph of {settings.min_letters} letters; set books.prompts.excerpt.share=0 "
            f"and a data.web of your own, or for the sample run: dvc pull data.dvc"
        )
    run.expect("excerpts", pd.DataFrame(chosen), settings.expectations, key="id")
    write_table(run.out / "excerpts.parquet", pa.Table.from_pylist(chosen))
    run.summary(rows=len(chosen), found=found)


def _pages(place: Any, settings: Excerpts) -> Iterator[Page]:  # noqa: ANN401 - a path
    globbed = {file for glob in settings.include for file in place.glob(glob) if file.is_file()}
    broken: Broken = Broken()
    for file in [place] if place.is_file() else sorted(globbed):
        read = reader_of(file)
        if read is not None:
            yield from read(file, broken)


def _of_page(page: Page, settings: Excerpts) -> Iterator[dict[str, Any]]:
    """The first paragraphs of a page that could stand in a prompt."""
    text, _ = mask(main_text(page))
    taken = 0
    for paragraph in text.split("\n"):
        line = " ".join(paragraph.split())
        if len(line) < settings.min_letters or taken == settings.per_page:
            continue
        code, rank = language(line)
        if code not in settings.languages or rank > SURE or toxic_words().search(line):
            continue
        taken += 1
        cut = _cut(line, settings.max_letters)
        digest = hashlib.sha256(cut.encode()).hexdigest()[:16]
        yield {"id": digest, "text": cut, "source": page.source}


def _cut(line: str, letters: int) -> str:
    """At most `letters`, ended between words; no braces, which a template would read as fields."""
    short = line if len(line) <= letters else line[:letters].rpartition(" ")[0]
    return short.replace("{", "(").replace("}", ")")
