"""A provider's limits are kept, and what a call did not use is given back."""

import pytest

from hornbook.teacher.limits import BURST_SECONDS, Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def sent(pace: Pace, clock: Clock, seconds: float, tokens: int) -> int:
    """How many calls go out in so many seconds when each goes as soon as it may."""
    end, count = clock.now + seconds, 0
    while clock.now < end:
        wait = pace.wait_seconds()
        if wait > 0:
            clock.now += wait
            continue
        pace.take(tokens)
        count += 1
    return count


@pytest.mark.parametrize(
    ("requests", "tokens", "per_call", "in_ten_minutes"),
    [(60, None, 1, 600), (600, 1000, 100, 100), (None, 6000, 50, 1200)],
)
def test_over_time_the_tighter_limit_holds(
    requests: float | None, tokens: float | None, per_call: int, in_ten_minutes: int
) -> None:
    clock = Clock()
    count = sent(Pace(requests, tokens, clock), clock, 600, per_call)
    burst = BURST_SECONDS / 600
    assert in_ten_minutes <= count <= in_ten_minutes * (1 + burst) + 2


def test_without_limits_nobody_waits() -> None:
    clock = Clock()
    pace = Pace(None, None, clock)
    for _ in range(1000):
        pace.take(10**6)
    assert pace.wait_seconds() == 0


def test_unused_tokens_are_given_back() -> None:
    clock = Clock()
    pace = Pace(None, 60, clock)  # one a second
    pace.take(100)
    assert pace.wait_seconds() == pytest.approx(100 - BURST_SECONDS)
    pace.give_back(90)
    assert pace.wait_seconds() == pytest.approx(10 - BURST_SECONDS)
