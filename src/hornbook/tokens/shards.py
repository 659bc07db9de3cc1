"""Token shards: which documents are held out, and what is written of a split."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.seeds import integer

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

SPLITS = {"train": "tokens", "heldout": "heldout"}  # and how their files are called
DIGEST_BYTES = 16
_HASHES = 1 << 63  # of `integer`
# held-out documents to be expected from which on a corpus without one, or with nothing else, is
# as likely as a collision of hashes
_SURELY = 64


def token_dtype(vocab_size: int) -> str:
    """The narrowest little-endian type that holds every id."""
    return "<u2" if vocab_size <= 1 << 16 else "<u4"


def heldout_hash(document: str, seed: int) -> int:
    """What decides alone whether a document is held out, so that no other document can."""
    return integer(seed, "heldout", document)


def heldout_below(ids: Iterable[str], *, count: int, fraction: float, seed: int) -> int:
    """The hash below which documents are held out: `fraction` of them, at least one, never all.

    Of a corpus of one document nothing is held out. `ids` is read for small corpora only.
    """
    if count < 2 or fraction == 0:
        return 0
    limit = int(fraction * _HASHES)
    if count * min(fraction, 1 - fraction) >= _SURELY:
        return limit
    lowest, highest = _HASHES, 0
    for one in ids:
        found = heldout_hash(one, seed)
        lowest, highest = min(lowest, found), max(highest, found)
    return min(max(limit, lowest + 1), highest)


def document_digest(document: str, ids: "NDArray[np.uint32]") -> bytes:
    """What stands for a document, its name and its tokens, wherever it lies."""
    content = hashlib.sha256(document.encode() + b"\0")
    content.update(ids.astype("<u4", copy=False).data)
    return content.digest()[:DIGEST_BYTES]


class SplitWriter:
    """The file of one split of a shard; it is there only if a document is."""

    def __init__(self, file: Path, dtype: str) -> None:
        self.file, self._dtype = file, dtype
        self.tokens = self.documents = self.longest = 0
        self.shortest: int | None = None
        self._hash = hashlib.sha256()

    def add(self, encoded: "Iterable[NDArray[np.uint32]]", eos: int) -> "Iterator[tuple[int, int]]":
        """Append documents, an end of text behind each; where they begin and how long they are."""
        import numpy as np

        end = np.array([eos], dtype=self._dtype)
        with self.file.open("ab") as file:
            for ids in encoded:
                content = np.concatenate([ids.astype(self._dtype), end])
                file.write(content.data)
                self._hash.update(content.data)
                length = len(content)
                yield self.tokens, length
                self.tokens += length
                self.documents += 1
                self.longest = max(self.longest, length)
                self.shortest = min(self.shortest or length, length)

    def facts(self) -> dict[str, Any]:
        """What `meta.json` says of the file."""
        return {
            "tokens": self.tokens,
            "documents": self.documents,
            "shortest": self.shortest,
            "longest": self.longest,
            "sha256": self._hash.hexdigest(),
        }


def index_schema() -> "pa.Schema":
    """A row of the index: a document, its row in the clean corpus, its place in the split's file.

    `offset` counts tokens in the shard's file; `length` counts the end of text too.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("id", pa.string()),
            ("part", pa.string()),
            ("row", pa.int64()),
            ("split", pa.string()),
            ("offset", pa.int64()),
            ("length", pa.int64()),
            ("digest", pa.binary(DIGEST_BYTES)),
        ]
    )
