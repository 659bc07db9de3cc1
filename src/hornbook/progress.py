"""Progress of a stage: lines on the terminal, or Dagster Pipes messages where Dagster listens."""

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol


class Reporter(Protocol):
    """Somewhere a line can go."""

    def say(self, text: str) -> None:
        """Show one line now."""
        ...


class Terminal:
    """Lines on standard output, each under the name of its stage."""

    def __init__(self, name: str) -> None:
        self.name = name

    def say(self, text: str) -> None:
        """Show one line now."""
        sys.stdout.write(f"{self.name:<28} {text}\n")
        sys.stdout.flush()


@contextmanager
def open_reporter(name: str) -> Generator[Reporter]:
    """The reporter of this process; through Dagster Pipes when a session waits for it."""
    if "DAGSTER_PIPES_CONTEXT" not in os.environ:
        yield Terminal(name)
        return
    from dagster_pipes import PipesContext, open_dagster_pipes

    class Pipes:
        """Log events of the Dagster step."""

        def __init__(self, context: PipesContext) -> None:
            self.context = context

        def say(self, text: str) -> None:
            """Show one line now."""
            self.context.log.info(text)

    with open_dagster_pipes() as context:
        yield Pipes(context)


class Progress:
    """How far a loop is; shows a line at most every `seconds`, the first one after that time."""

    def __init__(
        self, reporter: Reporter, *, total: int | None, unit: str, what: str, seconds: float
    ) -> None:
        self.reporter = reporter
        self.total = total
        self.unit = unit
        self.what = what
        self.seconds = seconds
        self.done = 0
        self.started = self.shown = time.monotonic()
        self.remark = ""

    def advance(self, n: int = 1) -> None:
        """`n` more units are done."""
        self.done += n
        if time.monotonic() - self.shown >= self.seconds:
            self._show()

    def note(self, text: str) -> None:
        """A remark that the next lines carry, such as the loss."""
        self.remark = text

    def finish(self) -> None:
        """Show the final count."""
        self._show()

    def _show(self) -> None:
        self.shown = time.monotonic()
        elapsed = max(self.shown - self.started, 1e-9)
        rate = self.done / elapsed
        parts = [self.what] if self.what else []
        if self.total:
            parts.append(f"{self.done:,}/{self.total:,} {self.unit} {self.done / self.total:4.0%}")
        else:
            parts.append(f"{self.done:,} {self.unit}")
        parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")
        if self.total and 0 < self.done < self.total:
            parts.append(f"eta {_clock((self.total - self.done) / rate)}")
        if self.remark:
            parts.append(self.remark)
        self.reporter.say("  ".join(parts))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
