"""Where requests go: one or several endpoints, each with its pace and a circuit breaker."""

import asyncio
import time
from collections.abc import Sequence

from hornbook.errors import ConfigError, TeacherError
from hornbook.runtime import Endpoint, Runtime
from hornbook.teacher.calls import Sender
from hornbook.teacher.faults import Fault
from hornbook.teacher.limits import Pace

# none of these can change an answer, only how long one waits for it
TRIPS_AFTER = 5  # faults of an endpoint in a row
FIRST_REST_SECONDS = 0.5
LONGEST_REST_SECONDS = 30.0
PATIENCE_SECONDS = {False: 5.0, True: 60.0}  # with endpoints that are away: never seen, seen before
EMBEDDED = "embedded"


def endpoints(runtime: Runtime) -> list[Endpoint]:
    """The endpoints of this machine.

    Raises:
        ConfigError: `teacher_url` and `endpoints` are both set.
    """
    if runtime.endpoints and runtime.teacher_url is not None:
        raise ConfigError(
            f"runtime.teacher_url={runtime.teacher_url} and runtime.endpoints are both set: list "
            f"all endpoints under runtime.endpoints and set runtime.teacher_url to null"
        )
    return runtime.endpoints or [Endpoint(url=runtime.teacher_url or EMBEDDED)]


def places(endpoint: Endpoint, runtime: Runtime) -> int:
    """Requests that an endpoint may have in flight: its own number, or its weight's share."""
    heaviest = max(one.weight for one in endpoints(runtime))
    return endpoint.concurrency or max(1, round(runtime.concurrency * endpoint.weight / heaviest))


class Line:
    """One endpoint and how it fares."""

    def __init__(self, endpoint: Endpoint, runtime: Runtime, send: Sender) -> None:
        self.url, self.weight, self.send = endpoint.url, endpoint.weight, send
        self.key_env = endpoint.key_env or runtime.teacher_key_env
        self.concurrency = places(endpoint, runtime)
        self.pace = Pace(
            endpoint.requests_per_minute or runtime.requests_per_minute,
            endpoint.tokens_per_minute or runtime.tokens_per_minute,
        )
        self.assigned = self.in_flight = self.faults_in_row = self.num_trips = 0
        self.rests_until = 0.0
        self.away_since: float | None = None
        self.is_seen = False
        self.refused: str | None = None  # why it is never asked again

    @property
    def is_tripped(self) -> bool:
        """Whether one request at a time tries if it works again."""
        return self.away_since is not None or self.faults_in_row >= TRIPS_AFTER

    def wait_seconds(self, now: float) -> float:
        """How long until it can take a request, as far as time decides."""
        return max(self.rests_until - now, self.pace.wait_seconds())

    def has_place(self) -> bool:
        """Whether another request may be in flight."""
        return self.in_flight < (1 if self.is_tripped else self.concurrency)

    def works(self) -> None:
        """It replied as an endpoint does."""
        self.faults_in_row = self.num_trips = 0
        self.is_seen, self.away_since = True, None

    def fails(self, fault: Fault) -> None:
        """It did not: rest when it asks for it, is away, or failed often in a row."""
        now = time.monotonic()
        self.rests_until = max(self.rests_until, now + fault.wait_seconds)
        if fault.kind == "unreachable":
            self.away_since = now if self.away_since is None else self.away_since
        else:
            self.is_seen, self.away_since = True, None
        self.faults_in_row += 1
        if self.is_tripped:
            rest = min(FIRST_REST_SECONDS * 2 ** min(self.num_trips, 10), LONGEST_REST_SECONDS)
            self.rests_until = max(self.rests_until, now + rest)
            self.num_trips += 1


class Switchboard:
    """All endpoints of a teacher."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = list(lines)
        self._changed = asyncio.Event()

    @property
    def concurrency(self) -> int:
        """Requests that can be in flight together."""
        return sum(line.concurrency for line in self.lines)

    async def close(self) -> None:
        """End all connections."""
        for line in self.lines:
            await line.send.close()

    async def take(self, tokens: int, stop: asyncio.Event) -> Line | None:
        """An endpoint for a call of at most `tokens`, the one least busy for its weight.

        None once `stop` is set.
        """
        while not stop.is_set():
            now = time.monotonic()
            living = [line for line in self.lines if line.refused is None]
            free = [line for line in living if line.has_place() and line.wait_seconds(now) <= 0]
            if free:
                line = min(free, key=lambda line: (line.in_flight + 1) / line.weight)
                line.assigned += 1
                line.in_flight += 1
                line.pace.take(tokens)
                return line
            waits = [line.wait_seconds(now) for line in living if line.has_place()]
            await self._wait(min(waits, default=None))
        return None

    async def _wait(self, seconds: float | None) -> None:
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    def wake(self) -> None:
        """Those who wait look again."""
        self._changed.set()

    def release(self, line: Line, unused_tokens: int) -> None:
        """The call on `line` has ended."""
        line.in_flight -= 1
        line.pace.give_back(unused_tokens)
        self._changed.set()

    def require_any(self, said: str) -> None:
        """Nothing, while there is an endpoint that may still answer.

        Raises:
            TeacherError: All refuse every request, or have been away for too long.
        """
        living = [line for line in self.lines if line.refused is None]
        if not living:
            why = "; ".join(f"{line.url}: {line.refused}" for line in self.lines)
            raise TeacherError(why)
        now = time.monotonic()
        away = [now - line.away_since for line in living if line.away_since is not None]
        is_seen = any(line.is_seen for line in living)
        if len(away) == len(living) and min(away) > PATIENCE_SECONDS[is_seen]:
            names = ", ".join(line.url for line in living)
            raise TeacherError(
                f"the teacher at {names} cannot be reached: {said}; tried for {min(away):.0f} s "
                f"without success. Is it running? HORNBOOK_TEACHER_URL (runtime.teacher_url) or "
                f"runtime.endpoints names it, null is the embedded teacher; answers so far are "
                f"kept, the same command goes on"
            )
