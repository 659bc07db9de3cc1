"""Token shards: where each document's ids are, and what the files must be."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hornbook.seeds import integer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def token_dtype(vocab_size: int) -> str:
    """The narrowest little-endian type that holds every id."""
    return "<u2" if vocab_size <= 1 << 16 else "<u4"


def heldout_ids(ids: Sequence[str], *, fraction: float, seed: int) -> set[str]:
    """The documents kept away from training: those with the lowest seeded hash, at least one.

    One document alone is trained on. A new document moves at most the one at the border.
    """
    if len(ids) < 2 or fraction == 0:
        return set()
    count = min(len(ids) - 1, max(1, round(fraction * len(ids))))
    return set(sorted(ids, key=lambda one: (integer(seed, "heldout", one), one))[:count])


@dataclass
class ShardWriter:
    """Documents of one split, appended to shards that are closed when they are full enough."""

    folder: Path
    split: str
    prefix: str
    dtype: str
    shard_tokens: int
    eos: int
    documents: int = 0
    shards: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _file: BinaryIO | None = None
    _hash: Any = None
    _tokens: int = 0

    def add(self, ids: "NDArray[np.uint32]") -> dict[str, Any]:
        """Append one document and its end of text; where it is."""
        import numpy as np

        if self._file is None:
            name = f"{self.prefix}-{len(self.shards):05d}.bin"
            self.shards.append({"file": name, "split": self.split})
            self._file = (self.folder / name).open("wb")
            self._hash, self._tokens = hashlib.sha256(), 0
        content = np.append(ids, self.eos).astype(self.dtype)
        place = {
            "shard": self.shards[-1]["file"],
            "offset": self._tokens,
            "length": len(content),
            "split": self.split,
        }
        self._file.write(content.tobytes())
        self._hash.update(content)
        self._tokens += len(content)
        self.documents += 1
        if self._tokens >= self.shard_tokens:
            self.close()
        return place

    def close(self) -> None:
        """Finish the open shard, if there is one."""
        if self._file is None:
            return
        self._file.close()
        self.shards[-1] |= {"tokens": self._tokens, "sha256": self._hash.hexdigest()}
        self._file = None
