"""Requests and tokens a minute: a provider's limits, kept by not running into them."""

import time
from collections.abc import Callable

BURST_SECONDS = 3.0  # of the rate that may go out at once, so that a start is not slow


class Pace:
    """When the next call of one endpoint may go out; None is no limit."""

    def __init__(
        self,
        requests_per_minute: float | None,
        tokens_per_minute: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        rates = (requests_per_minute, tokens_per_minute)
        self._seconds = [60.0 / rate if rate else 0.0 for rate in rates]  # for one request, token
        self._paid_until = [clock()] * 2

    def wait_seconds(self) -> float:
        """How long the next call has to wait."""
        now = self._clock()
        return max(0.0, *(until - now - BURST_SECONDS for until in self._paid_until))

    def take(self, tokens: int) -> None:
        """A call goes out that takes at most `tokens`."""
        now = self._clock()
        for n, amount in enumerate((1, tokens)):
            until = max(self._paid_until[n], now)
            self._paid_until[n] = until + amount * self._seconds[n]

    def give_back(self, tokens: int) -> None:
        """A call took `tokens` less than it might have."""
        self._paid_until[1] -= tokens * self._seconds[1]
