"""What a stream gives, by the place in it: as much as is asked for, and no more than is needed."""

import re
from collections.abc import Iterator
from typing import Any, Protocol

from hornbook.web.streams import ARCHIVE_ERRORS, BLOCK

BEGIN_BYTES = 1 << 14  # in which it shows whether a record begins


class Source(Protocol):
    """Where bytes come from; `begun` is the place since which a damage would concern all."""

    begun: int

    def some(self, most: int) -> bytes:
        """At most so many bytes; none at the end."""
        ...


class Plain:
    """A file as it lies there."""

    begun = 0

    def __init__(self, raw: Any) -> None:  # noqa: ANN401 - a binary file
        self.some = raw.read


class Window:
    """The bytes of a stream by their place in it, from where they are needed; the rest is gone."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._data, self._base, self._needed = b"", 0, 0
        self._is_over = False
        self.error: Exception | None = None  # that ended the stream
        self.damaged_from: int | None = None  # the place since which it concerns all

    @property
    def end(self) -> int:
        """Where the bytes end that are there."""
        return self._base + len(self._data)

    def forget(self, place: int) -> None:
        """What lies before a place is needed no more, but for the sign in front of it."""
        self._needed = max(self._needed, place - 1)

    def reaches(self, place: int) -> bool:
        """Whether the stream has bytes up to a place; they are there then."""
        if place > self.end and not self._is_over:
            missing = place - self.end
            kept = self._data[max(0, self._needed - self._base) :]
            self._base = self.end - len(kept)
            # in steps that grow with what is kept, so that little is copied again and again
            self._data = b"".join([kept, *self._blocks(max(missing, len(kept) // 2))])
        return place <= self.end

    def _blocks(self, num_bytes: int) -> Iterator[bytes]:
        while num_bytes > 0:
            try:
                block = self._source.some(BLOCK)
            except ARCHIVE_ERRORS as error:
                self.error, self.damaged_from = error, self._source.begun
                block = b""
            if not block:
                self._is_over = True
                return
            num_bytes -= len(block)
            yield block

    def taken(self, start: int, end: int) -> bytes:
        """The bytes between two places."""
        return self._data[start - self._base : end - self._base]

    def match(self, pattern: re.Pattern[bytes], place: int) -> int | None:
        """Where what fits a pattern at a place ends; None also where the place is not there."""
        found = pattern.match(self._data, place - self._base) if place <= self.end else None
        return found and self._base + found.end()

    def find(self, pattern: re.Pattern[bytes], start: int) -> int | None:
        """Where the next that fits ends, in the bytes that are there."""
        found = pattern.search(self._data, start - self._base)
        return found and self._base + found.end()

    def search(self, pattern: re.Pattern[bytes], start: int, stop: int | None = None) -> int | None:
        """Where the next that fits begins, before `stop`; what was searched may be gone then."""
        while True:
            last = len(self._data) if stop is None else stop + BEGIN_BYTES - self._base
            found = pattern.search(self._data, start - self._base, last)
            if found:
                place = self._base + found.start()
                return place if stop is None or place < stop else None
            if self._is_over or (stop is not None and self.end >= stop + BEGIN_BYTES):
                return None
            start = max(start, self.end - BEGIN_BYTES)  # it may lie over the end
            self.forget(start)
            self.reaches(self.end + BLOCK)
