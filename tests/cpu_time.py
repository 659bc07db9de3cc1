"""How the time of some work grows with its input, whatever else the machine does."""

import time
from collections.abc import Callable


def growth(work: Callable[[str], object], piece: str, *, characters: int = 1_000_000) -> float:
    """How many times longer the work takes on that much of a repeated piece than on a quarter."""
    whole = piece * (characters // len(piece))
    quarter = piece * (characters // 4 // len(piece))
    return seconds(work, whole) / seconds(work, quarter)


def seconds(work: Callable[[str], object], text: str) -> float:
    """The least CPU time of three goes, and at least a millisecond."""
    least = float("inf")
    for _ in range(3):
        started = time.process_time()
        work(text)
        least = min(least, time.process_time() - started)
    return max(least, 1e-3)
