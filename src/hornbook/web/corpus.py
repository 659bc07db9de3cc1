"""Stage `web_corpus`: main text of pages that pass language, quality and safety rules."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_json, read_table, shards, write_json, write_table
from hornbook.compute import Done, Place, Shard, map_shards
from hornbook.errors import InputError
from hornbook.stage import Run
from hornbook.web.config import Corpus
from hornbook.web.inputs import web_files, web_shards
from hornbook.web.pages import DIGEST_BYTES, EXCERPT, read_pages
from hornbook.web.rules import REASONS

BROKEN = (
    "truncated_archive", "zip_bomb", "broken_record", "truncated_record", "redirect", "not_ok",
    "not_html", "not_a_file", "unsafe_name", "too_large", "pickle_in_metadata", "empty_body",
    "no_text", "broken_text",
)  # fmt: skip
REPEAT = "exact_duplicate"
ORDER = (*BROKEN, "unreadable_page", "no_main_text", "language", *REASONS, REPEAT)


def web_corpus(run: Run) -> None:
    """Read every file, judge every page, drop exact repeats, keep the rest."""
    settings = run.section("web.corpus", Corpus)
    place = run.input(run.section("data.web", str))
    files = web_files(place, settings.include, "web.corpus.include")
    read = map_shards(
        run,
        f"extracting {len(files)} files",
        partial(read_pages, settings=settings),
        web_shards(files, settings.shard_bytes),
    )
    if not any(done.facts["kept"] for done in read):
        raise InputError(
            f"web_corpus: no page in {len(files)} files passed the rules: "
            f"{dict(sorted(dropped(read)[0].items()))}; is data.web the right place?"
        )
    written = without_repeats(run, read, settings)
    number_parts(written, run.out)
    write_examples(run.out / "dropped.parquet", [*read, *written], settings.examples)
    write_json(
        run.out / "inputs.json",
        [one for done in read for one in done.facts["inputs"] if one["version"]],
    )
    _conclude(run, [*read, *written], files=len(files))
    frame = read_table(run.out, ["id", "source", "words", "language"]).to_pandas()
    run.expect("documents", frame, settings.expectations, key="id")


def without_repeats(run: Run, read: list[Done], settings: Corpus) -> list[Done]:
    """The kept pages of each shard but those whose text came before, in the order of the shards."""
    again = repeats([(done.folder / "digests.bin").read_bytes() for done in read])
    sizes = [sum(file.stat().st_size for file in shards(done.folder)) for done in read]
    what = [
        Shard(done.folder.name, (done.folder, places), size)
        for done, places, size in zip(read, again, sizes, strict=True)
    ]
    return map_shards(run, "dropping repeats", partial(write_rest, settings=settings), what)


def repeats(digests: list[bytes]) -> list[list[int]]:
    """For each shard the places of texts that came before, in it or in an earlier one."""
    import numpy as np

    kind = np.dtype([("high", "<u8"), ("low", "<u8")])
    assert kind.itemsize == DIGEST_BYTES
    sizes = [len(one) // DIGEST_BYTES for one in digests]
    flat = np.frombuffer(b"".join(digests), dtype=kind)
    _, first = np.unique(flat, return_index=True)
    is_again = np.ones(len(flat), dtype=bool)
    is_again[first] = False
    ends = np.cumsum(sizes)
    return [
        np.flatnonzero(is_again[end - size : end]).tolist()
        for end, size in zip(ends, sizes, strict=True)
    ]


def write_rest(what: tuple[Path, list[int]], place: Place, *, settings: Corpus) -> dict[str, Any]:
    """The parts of a shard without the rows at some places; a part without any is as it was."""
    import numpy as np

    folder, again = what
    gone = np.array(again, dtype=np.int64)
    start = words = masked = kept = 0
    examples: list[dict[str, str]] = []
    for file in shards(folder):
        table = read_table(file)
        is_gone = np.zeros(table.num_rows, dtype=bool)
        is_gone[gone[(gone >= start) & (gone < start + table.num_rows)] - start] = True
        start += table.num_rows
        out = place.folder / file.name
        if is_gone.any():
            lost = table.filter(is_gone)
            words += sum(lost.column("words").to_pylist())
            masked += sum(lost.column("masked").to_pylist())
            shown = lost.slice(0, settings.examples - len(examples)).to_pylist()
            examples += [
                {name: row[name] for name in ("id", "source")}
                | {"reason": REPEAT, "excerpt": row["text"][:EXCERPT]}
                for row in shown
            ]
            table = table.filter(~is_gone)
            write_table(out, table)
        else:
            out.hardlink_to(file)
        kept += table.num_rows
        place.advance(file.stat().st_size)
    write_json(place.folder / "examples.json", examples)
    return {
        "rest": kept,
        "words": -words,
        "masked": -masked,
        "dropped": {REPEAT: [len(again), words]} if again else {},
    }


def number_parts(written: list[Done], out: Path) -> None:
    """All parts that have a row as parts of one corpus, in the order of the shards."""
    number = 0
    for done in written:
        if not done.facts["rest"]:
            continue
        for file in shards(done.folder):
            if read_table(file, ["id"]).num_rows:
                part = out / f"part-{number:05d}.parquet"
                part.unlink(missing_ok=True)
                part.hardlink_to(file)
                number += 1


def dropped(done: list[Done]) -> tuple[Counter[str], Counter[str]]:
    """Pages, and words of those that have a text, by the reason for which they went."""
    pages: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for one in done:
        for reason, (count, of_words) in one.facts["dropped"].items():
            pages[reason] += count
            words[reason] += of_words
    return pages, words


def write_examples(file: Path, done: list[Done], most: int) -> None:
    """The first drops of each reason, to be looked at."""
    import pyarrow as pa

    names = ("id", "source", "reason", "excerpt")
    taken: Counter[str] = Counter()
    rows: list[dict[str, str]] = []
    for row in _examples(done):
        taken[row["reason"]] += 1
        if taken[row["reason"]] <= most:
            rows.append(row)
    rows.sort(key=lambda row: ORDER.index(row["reason"]))
    schema = pa.schema([(name, pa.string()) for name in names])
    write_table(file, pa.Table.from_pylist(rows, schema))


def _examples(done: list[Done]) -> Iterator[dict[str, str]]:
    for one in done:
        yield from read_json(one.folder / "examples.json")


def _conclude(run: Run, done: list[Done], *, files: int) -> None:
    pages, words = dropped(done)
    kept_words = sum(one.facts.get("words", 0) for one in done)
    rows = sum(one.facts.get("rest", 0) for one in done)
    order = [reason for reason in ORDER if pages[reason]]
    assert sum(pages.values()) == sum(pages[reason] for reason in order), sorted(pages)
    run.summary(
        rows=rows,
        documents=rows,
        files=files,
        words=kept_words,
        masked=sum(one.facts.get("masked", 0) for one in done),
        dropped=dict(sorted(pages.items())),
        dropped_words=dict(sorted(words.items())),
        reasons=order,
    )
