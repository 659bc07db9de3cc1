"""Writing while training goes on."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType


class Background:
    """One thread that does what it is given, in that order, one thing waiting at most.

    An error of a job is raised by the call after it, so that nobody trains for days without a
    checkpoint; leaving the block waits for what was given.

    Attributes:
        is_given_up: The block was left by an error: a job that waits for somebody may stop.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "writing")
        self._last: Future[None] | None = None
        self.is_given_up = False

    def __enter__(self) -> "Background":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.is_given_up = error is not None
        try:
            if error is None:
                self.wait()
        finally:
            self._pool.shutdown(wait=True)

    def give(self, job: Callable[[], None]) -> None:
        """Have `job` done; waits for the one before it, because each holds a copy of the model.

        Raises:
            OSError: The job before this one could not write.
        """
        self.wait()
        self._last = self._pool.submit(job)

    def wait(self) -> None:
        """All that was given is done.

        Raises:
            OSError: It could not be written.
        """
        last, self._last = self._last, None
        if last is not None:
            last.result()
