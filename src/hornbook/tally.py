"""What becomes of documents of shards: kept or dropped for a reason, and each text only once."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_json, read_table, write_bytes, write_json, write_table
from hornbook.compute import Done, Place, Shard, map_shards
from hornbook.stage import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIGESTS, EXAMPLES = "digests.bin", "examples.json"
DIGEST_BYTES = 16
EXCERPT = 200  # characters
REPEAT = "exact_duplicate"


class Tally:
    """Counts of one shard, the digests of its kept texts, and the first drops of each reason."""

    def __init__(self, most_examples: int) -> None:
        self.totals: Counter[str] = Counter()
        self._most = most_examples
        self._kept = 0
        self._digests: list[bytes] = []
        self._dropped: Counter[str] = Counter()
        self._dropped_words: Counter[str] = Counter()
        self._examples: list[dict[str, str]] = []

    def keep(self, digest: bytes, **counts: int) -> None:
        """One document goes on; `counts` are its words and the like."""
        self._kept += 1
        self._digests.append(digest)
        self.totals.update(counts)

    def drop(self, reason: str, key: str, source: str, excerpt: str, words: int = 0) -> None:
        """One document ends; the first ones of a reason stay to be looked at."""
        self.count(reason, 1, words)
        if self._dropped[reason] <= self._most:
            row = {"id": key, "source": source, "reason": reason, "excerpt": excerpt}
            self._examples.append(row)

    def count(self, reason: str, documents: int, words: int = 0) -> None:
        """So many documents, or records that are none, end for a reason."""
        self._dropped[reason] += documents
        self._dropped_words[reason] += words

    def finish(self, folder: Path) -> dict[str, Any]:
        """The facts of the shard; its digests and examples are files beside its parts."""
        write_bytes(folder / DIGESTS, b"".join(self._digests))
        write_json(folder / EXAMPLES, self._examples)
        return {
            "kept": self._kept,
            "totals": dict(self.totals),
            "dropped": dict(self._dropped),
            "dropped_words": dict(self._dropped_words),
        }


def summed(done: Sequence[Done], key: str) -> dict[str, int]:
    """Counts of all shards by name, sorted."""
    total: Counter[str] = Counter()
    for one in done:
        total.update(one.facts[key])
    return dict(sorted(total.items()))


def without_repeats(run: Run, done: Sequence[Done], most_examples: int) -> list[Done]:
    """The documents of each shard but those whose text came before, in the order of the shards.

    The facts are what changes: what is kept and the totals are negative, the drops are repeats.
    """
    listed = [sorted(one.folder.glob("part-*.parquet")) for one in done]
    what = [
        Shard(f"{number:06d}", (files, again), sum(file.stat().st_size for file in files))
        for number, (files, again) in enumerate(zip(listed, repeats(done), strict=True))
    ]
    totals = sorted({name for one in done for name in one.facts["totals"]})
    work = partial(write_rest, totals=totals, most_examples=most_examples)
    return map_shards(run, "dropping repeats", work, what)


def repeats(done: Sequence[Done]) -> "list[NDArray[np.bool_]]":
    """For each shard which of its documents have a text that came before, there or earlier."""
    import numpy as np

    kind = np.dtype([("high", "<u8"), ("low", "<u8")])
    assert kind.itemsize == DIGEST_BYTES
    digests = [np.frombuffer((one.folder / DIGESTS).read_bytes(), dtype=kind) for one in done]
    _, first = np.unique(np.concatenate(digests), return_index=True)
    is_again = np.ones(sum(map(len, digests)), dtype=bool)
    is_again[first] = False
    return np.split(is_again, np.cumsum([len(one) for one in digests])[:-1])


def write_rest(
    what: "tuple[list[Path], NDArray[np.bool_]]",
    place: Place,
    *,
    totals: Sequence[str],
    most_examples: int,
) -> dict[str, Any]:
    """The parts of a shard without the rows that came before; a part without any is as it was."""
    files, again = what
    tally, lost = Tally(most_examples), Counter[str]()
    names: list[str] = []
    at = kept = 0
    for file in files:
        rows = read_table(file, ["id"]).num_rows
        is_again = again[at : at + rows]
        at += rows
        out = place.folder / file.name
        if is_again.any():
            table = read_table(file)
            for row in table.filter(is_again).to_pylist():
                excerpt = row["text"][:EXCERPT]
                tally.drop(REPEAT, row["id"], row["source"], excerpt, row["words"])
                lost.update({name: row[name] for name in totals})
            write_table(out, table.filter(~is_again))
        else:
            out.hardlink_to(file)
        left = rows - int(is_again.sum())
        kept += left
        names += [file.name] if left else []
        place.advance(file.stat().st_size)
    facts = tally.finish(place.folder)
    return facts | {
        "kept": kept - len(again),
        "totals": {name: -count for name, count in lost.items()},
        "files": names,
    }


def number_parts(written: Sequence[Done], out: Path) -> None:
    """All parts that have a row as parts of one corpus, in the order of the shards."""
    files = [one.folder / name for one in written for name in one.facts["files"]]
    for number, file in enumerate(files):
        part = out / f"part-{number:05d}.parquet"
        part.unlink(missing_ok=True)
        part.hardlink_to(file)


def write_examples(
    file: Path, done: Sequence[Done], most: int, order: Callable[[str], Any] = str
) -> None:
    """The first drops of each reason over all shards, reasons in `order`, to be looked at."""
    import pyarrow as pa

    taken: dict[str, list[dict[str, str]]] = {}
    for one in done:
        for row in read_json(one.folder / EXAMPLES):
            rows = taken.setdefault(row["reason"], [])
            if len(rows) < most:
                rows.append(row)
    found = [row for reason in sorted(taken, key=order) for row in taken[reason]]
    names = ("id", "source", "reason", "excerpt")
    schema = pa.schema([(name, pa.string()) for name in names])
    write_table(file, pa.Table.from_pylist(found, schema))
