"""Progress as lines: of a stage on standard output, which DVC, Dagster and a terminal all show."""

import sys
import time


class Reporter:
    """Lines under the name of their stage; none where another process of the stage reports.

    On standard error where standard output is the result that somebody asked for.
    """

    def __init__(self, name: str, *, is_silent: bool = False, is_on_stderr: bool = False) -> None:
        self.name = name
        self.is_silent = is_silent
        self.is_on_stderr = is_on_stderr

    def say(self, text: str) -> None:
        """Show one line now."""
        if self.is_silent:
            return
        stream = sys.stderr if self.is_on_stderr else sys.stdout
        stream.write(f"{self.name:<28} {text}\n")
        stream.flush()


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
        self._told = -1

    def advance(self, n: int = 1) -> None:
        """`n` more units are done."""
        self.done += n
        if time.monotonic() - self.shown >= self.seconds:
            self._show()

    def note(self, text: str) -> None:
        """A remark that the next lines carry, such as the loss."""
        self.remark = text

    def finish(self) -> None:
        """Show the final count, if the last line did not."""
        if self._told != self.done:
            self._show()

    def _show(self) -> None:
        self.shown = time.monotonic()
        self._told = self.done
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
