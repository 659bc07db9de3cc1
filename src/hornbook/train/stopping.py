"""SIGTERM as a question that the loop asks between steps."""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def termination() -> Generator[Callable[[], bool]]:
    """A function that tells whether SIGTERM has come since; it no longer kills while inside.

    Schedulers and a cancelled Dagster run send it before SIGKILL; the time between is enough for
    a checkpoint. Python allows handlers in the main thread only: elsewhere the answer is no.
    """
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return
    before = signal.signal(signal.SIGTERM, lambda *_: came.set())
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
