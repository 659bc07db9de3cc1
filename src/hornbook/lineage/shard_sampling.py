"""Reproducing some shards of a stage that is a map over shards of its input.

The stage runs in its clean copy as it always does, but its map takes a drawn sample of the shards
and ends there (`hornbook.compute`). Where a shard becomes files of the artifact those are compared.
The corpora are numbered anew after exact repeats are gone, so of these it is their rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hornbook.artifacts import read_json, read_table, shards, write_json, write_table
from hornbook.compute import TAKEN
from hornbook.lineage.clean_copy import CleanCopy
from hornbook.lineage.differences import Compared, Difference, compare_files
from hornbook.lineage.sampling import SHOWN, Files, Sampled, Say
from hornbook.report.statistics import size
from hornbook.stage import SAMPLE

if TYPE_CHECKING:
    import pyarrow as pa

# the step of each stage that is sampled: how its name starts
STEPS = {
    "web_corpus": "extracting",
    "code_corpus": "judging",
    "web_scores": "scoring",
    "code_scores": "scoring",
    "web_filter": "filtering",
    "code_filter": "filtering",
    "decontaminate": "looking for benchmark items",
    "tokens": "encoding",
}
OF_ROWS = {"web_corpus", "code_corpus"}
DOCUMENTS = "documents.parquet"  # of a shard: the part that is called as the shard
HITS = "hits.parquet"  # of a shard: some rows of the table of that name


def sample_shards(
    copy: CleanCopy, recorded: Files, wanted: int, tolerance: float, say: Say
) -> Sampled | None:
    """So many shards, drawn by the hash of the artifact; None where the stage has no more.

    Where it is None the artifact was made whole.

    Raises:
        StageError: The stage failed.
    """
    family = copy.stage.family
    asked = {"step": STEPS[family], "shards": wanted, "seed": copy.entry.out_hash}
    write_json(copy.root / SAMPLE, asked)
    copy.run(say)
    found = list((copy.root / ".hornbook" / "pending").glob(f"*/*/{TAKEN}"))
    if not found:
        return None
    drawn = read_json(found[0])
    folders = [found[0].parent / name for name in drawn["taken"]]
    of = {"shards": len(folders), "of": drawn["of"]}
    told = f"{len(folders)} of {drawn['of']:,} shards"
    if family in OF_ROWS:
        compared, rows = _rows(folders, recorded)
        return Sampled(of, f"{told}, {rows:,} rows", compared)
    remade = _named(folders)
    asked = {name: file for name, file in recorded.items() if name in remade}
    if HITS in recorded:
        asked |= _hits(copy, folders, recorded[HITS])
    compared = compare_files(asked, remade, tolerance)
    num_bytes = sum(file.stat().st_size for file in remade.values())
    return Sampled(of, f"{told}, {compared.files:,} files, {size(num_bytes)}", compared)


def _named(folders: Sequence[Path]) -> dict[str, Path]:
    """The tables and tokens of shards by their names in the artifact; hits by their shard's."""
    found: dict[str, Path] = {}
    for folder in folders:
        own = {DOCUMENTS: f"{folder.name}.parquet", HITS: _hits_of(folder)}
        for file in sorted(folder.iterdir()):
            if file.suffix in {".parquet", ".bin"}:
                found[own.get(file.name, file.name)] = file
    return found


def _hits_of(folder: Path) -> str:
    return f"{folder.name}/{HITS}"


def _hits(copy: CleanCopy, folders: Sequence[Path], recorded: Path) -> dict[str, Path]:
    """The recorded hits of the documents of each shard, as the shard would write them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table, found = read_table(recorded), dict[str, Path]()
    for folder in folders:
        own = [*_column(folder / DOCUMENTS, "id"), *_column(folder / HITS, "id")]
        options = pc.SetLookupOptions(pa.array(own, pa.string()))
        rows = table.filter(pc.call_function("is_in", [table.column("id")], options))
        file = copy.root / ".hornbook" / "sample" / folder.name / HITS
        write_table(file, rows)
        found[_hits_of(folder)] = file
    return found


class Row(NamedTuple):
    """Where a row of the recorded corpus lies: the number of its part, and of the row there."""

    part: int
    row: int


def _rows(folders: Sequence[Path], recorded: Files) -> tuple[Compared, int]:
    """Rows of the shards beside those of the corpus, in which they stand one after the other."""
    parts = [recorded[name] for name in sorted(recorded) if Path(name).name.startswith("part-")]
    corpus = _Corpus(parts)
    found: list[Difference] = []
    rows = 0
    for folder in folders:
        for file in shards(folder):
            table = read_table(file)
            rows += table.num_rows
            found += corpus.differences(table)
    names = tuple(sorted({one.file for one in found}))
    return Compared(len(parts), names, next(iter(found), None), None, not found), rows


class _Corpus:
    """A recorded corpus, of which no more than one part is in memory."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self.parts = parts
        self.ids: list[list[str]] = [_column(part, "id") for part in parts]
        self.places = {
            key: Row(part, row) for part, ids in enumerate(self.ids) for row, key in enumerate(ids)
        }

    def differences(self, table: "pa.Table") -> Iterator[Difference]:
        """What is not recorded as it was made, and what lies between and was not made."""
        keys: list[str] = table.column("id").to_pylist()
        places = [self.places.get(key) for key in keys]
        yield from self._unlike(table, places)
        yield from self._unrecorded(table, [n for n, place in enumerate(places) if place is None])
        yield from self._between([place for place in places if place is not None], {*keys})

    def _unlike(self, table: "pa.Table", places: Sequence[Row | None]) -> Iterator[Difference]:
        by_part: dict[int, list[tuple[int, int]]] = {}
        for number, place in enumerate(places):
            if place is not None:
                by_part.setdefault(place.part, []).append((place.row, number))
        for part, pairs in sorted(by_part.items()):
            known = read_table(self.parts[part]).take([row for row, _ in pairs])
            made = table.take([number for _, number in pairs])
            if known.equals(made):
                continue
            for was, now in zip(known.to_pylist(), made.to_pylist(), strict=True):
                for column in sorted({*was, *now}):
                    if was.get(column) != now.get(column):
                        yield self._other(part, f"{now['id']}, {column}", was.get(column), now)

    def _other(self, part: int, place: str, was: object, now: Mapping[str, Any]) -> Difference:
        column = place.rpartition(", ")[2]
        return Difference(
            self.parts[part].name, place, str(was)[:SHOWN], str(now.get(column))[:SHOWN]
        )

    def _unrecorded(self, table: "pa.Table", numbers: Sequence[int]) -> Iterator[Difference]:
        """Rows without a record whose texts the corpus has not: repeats were dropped from it."""
        if not numbers:
            return
        left = {row["text"]: row["id"] for row in table.take(numbers).to_pylist()}
        for part in self.parts:
            for text in _column(part, "text"):
                left.pop(text, None)
        for text, key in left.items():
            yield Difference("part-*.parquet", key, "nothing", text[:SHOWN])

    def _between(self, places: Sequence[Row], keys: set[str]) -> Iterator[Difference]:
        """Recorded rows between those of a shard that it did not give.

        A row may lie with an earlier shard that had the same page, far from its own; so what is
        longer than all that comes before it is no gap. Edges of a shard are not known.
        """
        rising: list[Row] = []
        for place in places:
            if not rising or place > rising[-1]:
                rising.append(place)
        for number, (left, right) in enumerate(pairwise(rising), 1):
            missing = self._from(left, right)
            if len(missing) <= number:
                for part, key in missing:
                    if key not in keys:
                        yield Difference(self.parts[part].name, key, "a row", "nothing")

    def _from(self, left: Row, right: Row) -> list[tuple[int, str]]:
        """Parts and ids of the rows between two."""
        found: list[tuple[int, str]] = []
        for part in range(left.part, right.part + 1):
            start = left.row + 1 if part == left.part else 0
            end = right.row if part == right.part else None
            found += [(part, key) for key in self.ids[part][start:end]]
        return found


def _column(file: Path, name: str) -> list[str]:
    return read_table(file, [name]).column(name).to_pylist()
