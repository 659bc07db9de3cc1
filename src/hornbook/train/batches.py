"""The batches of a run in the order of its steps, drawn ahead of the step that needs them."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from hornbook.mixture.sampler import Sampler


@dataclass(frozen=True)
class Batch:
    """One optimizer step's sequences.

    `ids_BT` is on the device asked for; `sources` and `windows` say for each row what it is, as
    `Sampler.draws` does.
    """

    ids_BT: Tensor  # noqa: N815 - its axes
    sources: list[int]
    windows: list[int]


class Batches:
    """Batches from `first` on, drawn by `workers` threads; by the caller where that is 0.

    Each thread opens a sampler of its own. A batch depends on its step alone, so the number of
    threads changes no byte.
    """

    def __init__(
        self,
        open_sampler: "Callable[[], Sampler]",
        *,
        sequences: int,
        first: int,
        steps: int,
        workers: int,
        device: torch.device,
    ) -> None:
        self.sequences, self.steps, self.device = sequences, steps, device
        self._open = open_sampler
        self._own = threading.local()
        self._next, self._ahead = first, 2 * workers
        self._pool = ThreadPoolExecutor(workers, "batches") if workers else None
        self._waiting: deque[Future[Batch]] = deque()

    def __enter__(self) -> "Batches":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def take(self) -> Batch:
        """The batch of the next step."""
        if self._pool is None:
            self._next += 1
            return self._draw(self._next - 1)
        while len(self._waiting) <= self._ahead and self._next < self.steps:
            self._waiting.append(self._pool.submit(self._draw, self._next))
            self._next += 1
        batch = self._waiting.popleft().result()
        if batch.ids_BT.is_cuda:
            # it was allocated on the copying stream: not to be reused before our stream is done
            batch.ids_BT.record_stream(torch.cuda.current_stream(self.device))
        return batch

    def _draw(self, step: int) -> Batch:
        if not hasattr(self._own, "sampler"):
            self._own.sampler = self._open()
        sampler: Sampler = self._own.sampler
        sources, windows = sampler.draws(step, self.sequences)
        ids = torch.from_numpy(sampler.batch(step, self.sequences))
        return Batch(self._to_device(ids), sources.tolist(), windows.tolist())

    def _to_device(self, ids: Tensor) -> Tensor:
        if self.device.type != "cuda":
            return ids
        if self._pool is None:
            return ids.to(self.device)
        if not hasattr(self._own, "stream"):
            self._own.stream = torch.cuda.Stream(self.device)
        with torch.cuda.stream(self._own.stream):
            copied = ids.pin_memory().to(self.device, non_blocking=True)
        self._own.stream.synchronize()
        return copied
