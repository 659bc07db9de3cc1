"""Experiments side by side, each in its workspace; a failed one leaves the others going."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from hornbook.errors import HornbookError
from hornbook.experiment.shared import Work
from hornbook.experiment.snapshot import Snapshot
from hornbook.experiment.workspace import Workspace, workspace
from hornbook.lineage.processes import sigterm_as_interrupt
from hornbook.runtime import Runtime

Say = Callable[[str], None]


@dataclass(frozen=True)
class Ended:
    """What became of one experiment: its revision, or why it failed; and how long it took."""

    name: str
    revision: str | None
    failure: str | None
    seconds: float


@dataclass
class Schedule:
    """Runs the points of a sweep; `side` of them at once, on the processes of one machine."""

    root: Path
    tree: Snapshot
    works: Sequence[Work]
    targets: Sequence[str]
    side: int
    runtime: Runtime
    say: Callable[[str, str], None]  # name and line
    ended: dict[int, Ended] = field(default_factory=dict[int, Ended], init=False)
    _shared: dict[int, threading.Event] = field(default_factory=dict, init=False)
    _running: dict[int, Workspace | None] = field(default_factory=dict, init=False)

    def run(self) -> list[Ended]:
        """Run all; what became of them, in their order.

        Interrupted, everything that runs is ended before it returns.
        """
        self._shared = {place: threading.Event() for place in range(len(self.works))}
        waiting = list(range(len(self.works)))
        futures: dict[Future[None], int] = {}
        with sigterm_as_interrupt(), ThreadPoolExecutor(max_workers=self.side) as pool:
            try:
                while waiting or futures:
                    for place in self._ready(waiting):
                        waiting.remove(place)
                        self._running[place] = None
                        futures[pool.submit(self._one, place)] = place
                    # what others wait for is known by an event, which wakes nobody here
                    done = wait(futures, timeout=0.2, return_when=FIRST_COMPLETED).done
                    for future in done:
                        del futures[future]
                        future.result()
            except BaseException:
                self._end(futures)
                raise
        return [self.ended[place] for place in range(len(self.works))]

    def _ready(self, waiting: Sequence[int]) -> list[int]:
        """Those that may start now: what they share is there, and a GPU trains one at a time."""
        found: list[int] = []
        for place in waiting:
            busy = [*self._running, *found]
            if len(busy) >= self.side:
                break
            is_taken = any(self.works[other].is_on_gpu for other in busy)
            if self.works[place].is_on_gpu and is_taken:
                continue
            if all(self._shared[other].is_set() for other in self.works[place].after):
                found.append(place)
        return found

    def _one(self, place: int) -> None:
        one, started = self.works[place], time.monotonic()
        name = one.point.name
        try:
            revision = self._in_workspace(place, one)
            self.ended[place] = Ended(name, revision, None, time.monotonic() - started)
        except (HornbookError, OSError) as error:
            self.ended[place] = Ended(name, None, str(error), time.monotonic() - started)
            self.say(name, "failed")
        finally:
            self._shared[place].set()
            del self._running[place]

    def _in_workspace(self, place: int, one: Work) -> str:
        def say(line: str) -> None:
            self.say(one.point.name, line)

        with workspace(self.root, one.point, self.tree) as found:
            self._running[place] = found
            if one.first:
                # the others wait for it, so it may use the whole machine
                found.run(one.first, jobs=self.runtime.jobs, workers=None, say=say)
                self._shared[place].set()
            shares = self.side if len(self.works) > 1 else 1
            jobs, workers = (
                max(1, count // shares) for count in (self.runtime.jobs, self.runtime.workers)
            )
            found.run(self.targets, jobs=jobs, workers=workers if shares > 1 else None, say=say)
            return found.publish()

    def _end(self, futures: dict[Future[None], int]) -> None:
        for future in futures:
            future.cancel()
        ending = [threading.Thread(target=one.end) for one in list(self._running.values()) if one]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join()


def printer(names: Sequence[str]) -> Callable[[str, str], None]:
    """Lines on the terminal, with the experiment's name before them where there are several."""
    lock, width = threading.Lock(), max(map(len, names), default=0)

    def say(name: str, line: str) -> None:
        with lock:
            sys.stdout.write(f"{name:<{width}} | {line}\n" if len(names) > 1 else f"{line}\n")
            sys.stdout.flush()

    return say
