"""SIGTERM and Ctrl-C as a question that the loop asks between steps."""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stopping() -> Generator[Callable[[], signal.Signals | None]]:
    """A function that tells which signal asked to stop since; it no longer kills while inside.

    Schedulers and a cancelled Dagster run send SIGTERM before SIGKILL; the time between is enough
    for a checkpoint. A second Ctrl-C interrupts at once. Python allows handlers in the main thread
    only: elsewhere the answer is None.
    """
    came: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(signal.Signals(number))
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, before[signal.SIGINT])

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: came[0] if came else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
