"""What deduplication needs of documents, as files: digests, keys of bands, sets of shingles.

Documents are numbered through all shards, in their order. Digests and band keys lie in slices by
their first bits, so that equal ones of all shards can be brought together a slice at a time.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_table
from hornbook.clean.config import Dedup
from hornbook.clean.near import band_keys, signatures
from hornbook.clean.words import hash_words, shingle_sets
from hornbook.compute import Done, Place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 256  # documents that are hashed at once
OPEN_SHARDS = 128  # whose sets are read without opening their files again
_SPACES = b"\t\n\v\f\r\x1c\x1d\x1e\x1f "  # of ASCII; texts with other ones are near-duplicates


def sign(file: str, place: Place, *, settings: Dedup, bits: int) -> dict[str, Any]:
    """Write what is needed of one part; `bits` of a key say which slice it is in."""
    import numpy as np

    texts = read_table(Path(file), ["text"]).column("text")
    size = Path(file).stat().st_size
    digests: list[bytes] = []
    keys = [np.empty((0, settings.bands), dtype=np.uint64)]
    ends = [np.zeros(1, dtype=np.int64)]
    with (place.folder / "sets.u64").open("wb") as out:
        for start in range(0, len(texts), BATCH):
            batch: list[str] = texts.slice(start, BATCH).to_pylist()
            hashed = hash_words(batch)
            digests += [digest(text, hashed[n]) for n, text in enumerate(batch)]
            sets = shingle_sets(hashed, settings.shingle_words)
            sets.hashes.tofile(out)
            ends.append(ends[-1][-1] + sets.offsets[1:])
            keys.append(band_keys(signatures(sets, settings), settings))
            place.advance(size * len(batch) // len(texts))
    offsets = np.concatenate(ends)
    offsets.tofile(place.folder / "set_offsets.i64")
    rows = np.flatnonzero(np.diff(offsets))  # a document without a word is like no other
    write_slices(place.folder, "digests", _pairs(digests), np.arange(len(texts)), bits)
    flat = np.concatenate(keys)[rows].reshape(-1, 1)
    write_slices(place.folder, "keys", flat, np.repeat(rows, settings.bands), bits)
    return {"rows": len(texts)}


def digest(text: str, words: "NDArray[np.uint64]") -> bytes:
    """16 bytes that are equal for texts of the same words and characters, white space apart."""
    content = text.encode("utf-8", "surrogatepass").translate(None, _SPACES)
    return hashlib.blake2b(content + words.tobytes(), digest_size=16).digest()


def _pairs(digests: list[bytes]) -> "NDArray[np.uint64]":
    import numpy as np

    return np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 2)


def write_slices(
    folder: Path, name: str, keys: "NDArray[np.uint64]", rows: "NDArray[np.int64]", bits: int
) -> None:
    """Write `keys` [n, columns] and their `rows`, ordered by the first `bits` of column 0."""
    import numpy as np

    which = slice_of(keys[:, 0], bits)
    # 16 bits sort by radix, and stably: the rows of a slice stay in order
    order = np.argsort(which.astype(np.uint16), kind="stable")
    keys[order].tofile(folder / f"{name}.u64")
    rows[order].astype(np.uint32).tofile(folder / f"{name}.rows.u32")
    bounds = np.zeros(2**bits + 1, dtype=np.int64)
    np.cumsum(np.bincount(which.astype(np.int64), minlength=2**bits), out=bounds[1:])
    bounds.tofile(folder / f"{name}.bounds.i64")


def slice_of(keys: "NDArray[np.uint64]", bits: int) -> "NDArray[np.uint64]":
    """The first `bits` of 64-bit keys, 0 to 16 of them."""
    import numpy as np

    return (keys >> np.uint64(48)) >> np.uint64(16 - bits)


@dataclass(frozen=True)
class Signed:
    """The signed shards of all corpora, `num_higher` of higher ones, then those of the own."""

    folders: tuple[str, ...]
    starts: tuple[int, ...]  # number of each shard's first document, and of all documents
    num_higher: int
    bits: int  # of a key that say which slice it is in

    @classmethod
    def of(cls, done: Sequence[Done], num_higher: int, bits: int) -> "Signed":
        """Signed shards in their order."""
        starts = [0]
        for one in done:
            starts.append(starts[-1] + one.facts["rows"])
        return cls(tuple(str(one.folder) for one in done), tuple(starts), num_higher, bits)

    @property
    def first_own(self) -> int:
        """The first document of the own corpus."""
        return self.starts[self.num_higher]

    @cached_property
    def bounds(self) -> "NDArray[np.int64]":
        """`starts` as an array."""
        import numpy as np

        return np.array(self.starts, dtype=np.int64)

    def slice(self, name: str, number: int) -> "tuple[NDArray[np.uint64], NDArray[np.int64]]":
        """Keys [n, columns] of a slice of all shards, and their documents, in that order."""
        import numpy as np

        columns = 2 if name == "digests" else 1
        keys = [np.empty((0, columns), dtype=np.uint64)]
        documents = [np.empty(0, dtype=np.int64)]
        for folder, base in zip(self.folders, self.starts, strict=False):
            path = f"{folder}/{name}"
            first, past = np.fromfile(f"{path}.bounds.i64", np.int64, 2, offset=8 * number).tolist()
            if past > first:
                found = np.fromfile(
                    f"{path}.u64", np.uint64, (past - first) * columns, offset=8 * columns * first
                )
                rows = np.fromfile(f"{path}.rows.u32", np.uint32, past - first, offset=4 * first)
                keys.append(found.reshape(-1, columns))
                documents.append(rows + np.int64(base))
        return np.concatenate(keys), np.concatenate(documents)


class Sets:
    """Shingle sets of single documents; a context manager, because it keeps files open.

    They are read, not mapped into memory: a map of all sets would count as this process's memory.
    """

    def __init__(self, signed: Signed) -> None:
        self._signed = signed
        self._open: OrderedDict[int, tuple[FileIO, NDArray[np.int64]]] = OrderedDict()

    def __enter__(self) -> "Sets":
        """Nothing is open yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        while self._open:
            self._open.popitem()[1][0].close()

    def __call__(self, document: int) -> "NDArray[np.uint64]":
        """The sorted set of a document."""
        import numpy as np

        shard = int(np.searchsorted(self._signed.bounds, document, side="right")) - 1
        file, offsets = self._shard(shard)
        row = document - self._signed.starts[shard]
        first, past = int(offsets[row]), int(offsets[row + 1])
        file.seek(8 * first)
        return np.frombuffer(file.read(8 * (past - first)), dtype=np.uint64)

    def _shard(self, shard: int) -> "tuple[FileIO, NDArray[np.int64]]":
        import numpy as np

        found = self._open.get(shard)
        if found is None:
            folder = Path(self._signed.folders[shard])
            offsets = np.fromfile(folder / "set_offsets.i64", np.int64)
            found = self._open[shard] = ((folder / "sets.u64").open("rb", buffering=0), offsets)
            if len(self._open) > OPEN_SHARDS:
                self._open.popitem(last=False)[1][0].close()
        self._open.move_to_end(shard)
        return found
