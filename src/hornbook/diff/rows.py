"""Rows of two sets of parquet files, matched by their key and compared column by column.

One column is in memory at a time, as eight bytes a row: rows that a corpus cannot hold in memory
are compared as well. Texts are compared by BLAKE2 of eight bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_BATCH = 4096  # rows read at once


@dataclass(frozen=True)
class Matched:
    """Positions of rows, counted through the files of a side.

    `changed[column]` marks those of `common` that differ in the column.
    """

    added: "NDArray[np.int64]"
    removed: "NDArray[np.int64]"
    common: "tuple[NDArray[np.int64], NDArray[np.int64]]"
    changed: "dict[str, NDArray[np.bool_]]"
    keys: "tuple[NDArray[np.uint64], NDArray[np.uint64]]"

    @property
    def any_changed(self) -> "NDArray[np.bool_]":
        """Which of `common` differ at all."""
        import numpy as np

        marks = list(self.changed.values())
        return np.logical_or.reduce(marks) if marks else np.zeros(len(self.common[0]), bool)


def match(
    before: Sequence[Path], after: Sequence[Path], key: str, columns: Sequence[str]
) -> Matched | None:
    """The rows that were added, removed or changed; None where a side repeats a key."""
    import numpy as np

    keys = (digests(before, key), digests(after, key))
    if any(len(np.unique(one)) != len(one) for one in keys):
        return None
    _, old, new = np.intersect1d(*keys, assume_unique=True, return_indices=True)
    order = np.argsort(old)  # in the order of the rows, whatever their digests
    old, new = old[order], new[order]
    changed = {
        column: digests(before, column)[old] != digests(after, column)[new] for column in columns
    }
    alone = [
        np.setdiff1d(np.arange(len(own)), shared, assume_unique=True)
        for own, shared in zip(keys, (old, new), strict=True)
    ]
    return Matched(alone[1], alone[0], (old, new), changed, keys)


def same_text(
    before: Sequence[Path], after: Sequence[Path], column: str, found: Matched
) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Positions of removed and of added rows whose text is that of one of the others.

    A text that stands several times is the same as often as both sides have it.
    """
    import numpy as np

    old = digests(before, column)[found.removed]
    new = digests(after, column)[found.added]
    _, a, b = np.intersect1d(
        _numbered(old), _numbered(new), assume_unique=True, return_indices=True
    )
    return found.removed[np.sort(a)], found.added[np.sort(b)]


def _numbered(values: "NDArray[np.uint64]") -> "NDArray[Any]":
    """Each value with how often it came before, so that no two are equal."""
    import numpy as np

    order = np.argsort(values, kind="stable")
    _, starts, counts = np.unique(values[order], return_index=True, return_counts=True)
    numbers = np.empty(len(values), np.uint64)
    numbers[order] = np.arange(len(values)) - np.repeat(starts, counts)
    pairs = np.empty(len(values), [("value", np.uint64), ("number", np.uint64)])
    pairs["value"], pairs["number"] = values, numbers
    return pairs


def digests(files: Sequence[Path], column: str) -> "NDArray[np.uint64]":
    """Eight bytes for the value of each row."""
    import numpy as np

    parts = [
        np.frombuffer(b"".join(map(_digest, batch.column(0).to_pylist())), np.uint64)
        for batch in batches(files, [column])
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def _digest(value: Any) -> bytes:  # noqa: ANN401 - any value of a column
    # nothing is another value than the text "None"
    is_text = isinstance(value, str)
    raw = value.encode("utf-8", "surrogatepass") if is_text else b"\0" + repr(value).encode()
    return blake2b(raw, digest_size=8).digest()


def batches(files: Sequence[Path], columns: Sequence[str]) -> "Iterator[pa.RecordBatch]":
    """The rows of files in their order, a few thousand at a time."""
    import pyarrow.parquet as pq

    for file in files:
        with pq.ParquetFile(file) as opened:
            yield from opened.iter_batches(_BATCH, columns=list(columns))


def num_rows(files: Sequence[Path]) -> int:
    """The rows of files by their footers."""
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(file).num_rows for file in files)


def rows_at(
    files: Sequence[Path], positions: Sequence[int], columns: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """A few rows by their position; reads on only until it has them."""
    wanted, found, start = sorted(positions), dict[int, dict[str, Any]](), 0
    for batch in batches(files, columns):
        here = [one for one in wanted if start <= one < start + batch.num_rows]
        for one in here:
            found[one] = batch.slice(one - start, 1).to_pylist()[0]
        start += batch.num_rows
        if len(found) == len(wanted):
            break
    return found


def sampled(positions: Sequence[int], keys: "NDArray[np.uint64]", number: int) -> list[int]:
    """So many of the positions, the same ones every time: those whose keys have least digests."""
    return sorted(sorted(positions, key=lambda one: (int(keys[one]), one))[:number])
