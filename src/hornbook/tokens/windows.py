"""Windows of a context over the tokens of a corpus, read as they are asked for."""

import os
from collections import OrderedDict
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hornbook.artifacts import read_json
from hornbook.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Split = Literal["train", "heldout"]
_MOST_OPEN = 64  # files; a process may often have no more than 1,024


class Windows:
    """The windows of one split of a token folder, numbered over its stream of tokens.

    The stream is the shards of the split one after another, so that the number of a window means
    the same tokens however the corpus is cut into shards. A window is `context_tokens` inputs and
    one token more, so that inputs are `[:-1]` and targets `[1:]`; neighbours share that token. What
    is left at the end of the stream and fills no window belongs to none.

    Nothing but the asked-for windows is held in memory. Mapped files would be shorter to write,
    but every page that was ever read would count as this process's memory. For one thread: a file
    may be closed for another one, so each thread opens its own.

    Attributes:
        count: How many windows there are.
        tokens: Length of the stream.
    """

    def __init__(self, folder: Path, split: Split, context_tokens: int) -> None:
        import numpy as np

        meta = read_json(folder / "meta.json")
        shards = [shard for shard in meta["shards"] if shard["split"] == split]
        self.context_tokens = context_tokens
        self._dtype = np.dtype(meta["dtype"])
        self._files = [folder / shard["file"] for shard in shards]
        self._ends = np.cumsum([shard["tokens"] for shard in shards], dtype=np.int64)
        self._begins = np.concatenate([[0], self._ends])
        self._sizes = [shard["tokens"] * self._dtype.itemsize for shard in shards]
        for file, size in zip(self._files, self._sizes, strict=True):
            require_whole(file, size)
        self.tokens = int(self._ends[-1]) if shards else 0
        self.count = max(0, self.tokens - 1) // context_tokens
        self._open: OrderedDict[int, FileIO] = OrderedDict()

    def take(self, windows: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Token ids, [windows, context_tokens + 1].

        Raises:
            IndexError: A number is not in [0, count).
            ArtifactError: A shard ends too early.
        """
        if len(windows) and not 0 <= windows.min() <= windows.max() < self.count:
            raise IndexError(f"windows {windows.min()} to {windows.max()} of {self.count}")
        starts = windows * self.context_tokens
        return self.read(starts, self.context_tokens + 1).astype("<i8")

    def read(self, starts: "NDArray[np.int64]", length: int) -> "NDArray[np.unsignedinteger]":
        """`length` tokens of the stream from each of `starts` on, [starts, length], as stored.

        Raises:
            ArtifactError: A shard ends too early.
        """
        import numpy as np

        shards = np.searchsorted(self._ends, starts, side="right")
        offsets = (starts - self._begins[shards]) * self._dtype.itemsize
        num_bytes = length * self._dtype.itemsize
        rows = [
            self._bytes(shard, offset, num_bytes)
            for shard, offset in zip(shards.tolist(), offsets.tolist(), strict=True)
        ]
        return np.frombuffer(b"".join(rows), dtype=self._dtype).reshape(len(starts), length)

    def _bytes(self, shard: int, offset: int, num_bytes: int) -> bytes:
        """Bytes from a byte of a shard on, over its end into the next."""
        found = os.pread(self._file(shard), num_bytes, offset)
        while len(found) < num_bytes:
            if offset + len(found) < self._sizes[shard]:
                require_whole(self._files[shard], self._sizes[shard])
            shard, offset = shard + 1, 0
            found += os.pread(self._file(shard), num_bytes - len(found), 0)
        return found

    def _file(self, shard: int) -> int:
        if shard in self._open:
            self._open.move_to_end(shard)
        else:
            if len(self._open) >= _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
            self._open[shard] = FileIO(self._files[shard])
        return self._open[shard].fileno()


def require_whole(file: Path, num_bytes: int) -> None:
    """A shard is there and as long as it should be.

    Raises:
        ArtifactError: It is not.
    """
    size = file.stat().st_size if file.exists() else 0
    if size != num_bytes:
        raise ArtifactError(
            f"{file} has {size:,} bytes, {file.parent}/meta.json says {num_bytes:,}; restore it "
            f"with dvc checkout {file.parent}"
        )
