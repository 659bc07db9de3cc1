"""Token shards as windows of a context, read through the page cache."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hornbook.artifacts import read_json
from hornbook.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Split = Literal["train", "heldout"]


class Windows:
    """The windows of one split of a token folder, numbered over all its shards.

    A window is `context_tokens` inputs and one token more, so that inputs are `[:-1]` and targets
    `[1:]`; neighbours share that one token. The end of a shard that fills no window is left out.
    Memory does not grow with the corpus.

    Attributes:
        count: How many windows there are.
    """

    def __init__(self, folder: Path, split: Split, context_tokens: int) -> None:
        import numpy as np
        from numpy.lib.stride_tricks import sliding_window_view

        meta = read_json(folder / "meta.json")
        dtype = np.dtype(meta["dtype"])
        self.context_tokens = context_tokens
        self._views: list[NDArray[Any]] = []
        for shard in meta["shards"]:
            if shard["split"] != split or shard["tokens"] <= context_tokens:
                continue
            file = folder / shard["file"]
            expected = shard["tokens"] * dtype.itemsize
            size = file.stat().st_size if file.exists() else 0
            if size != expected:
                raise ArtifactError(
                    f"{file} has {size:,} bytes, {folder}/meta.json says {expected:,}; restore it "
                    f"with dvc checkout {folder}"
                )
            # a plain array over the mapping: slicing np.memmap itself costs several times more
            tokens: NDArray[Any] = np.asarray(np.memmap(file, dtype=dtype, mode="r"))
            self._views.append(sliding_window_view(tokens, context_tokens + 1)[::context_tokens])
        self._ends = np.cumsum([len(view) for view in self._views], dtype=np.int64)
        self.count = int(self._ends[-1]) if self._views else 0

    def take(self, windows: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Token ids, [windows, context_tokens + 1].

        Raises:
            IndexError: A number is not in [0, count).
        """
        import numpy as np

        if len(windows) and not 0 <= windows.min() <= windows.max() < self.count:
            raise IndexError(f"windows {windows.min()} to {windows.max()} of {self.count}")
        if len(self._views) == 1:
            return self._views[0][windows].astype(np.int64)
        found = np.empty((len(windows), self.context_tokens + 1), dtype=np.int64)
        shard = np.searchsorted(self._ends, windows, side="right")
        for number in np.unique(shard):
            rows = np.flatnonzero(shard == number)
            view = self._views[number]
            found[rows] = view[windows[rows] - (self._ends[number] - len(view))]
        return found
