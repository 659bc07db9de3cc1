"""Records of a WARC or ARC archive, each by the length that it states and by what stands behind it.

A record ends where it says, unless another one begins before that and none begins there: one that
claims what is its neighbour's is counted, and the neighbour is read. Bytes that belong to no record
are counted as one that is broken. Every byte is looked at a bounded number of times, whatever the
lengths say.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hornbook.web.config import Limits
from hornbook.web.streams import GZIP, Members, ZipBombError, may_expand_to, next_member
from hornbook.web.window import BEGIN_BYTES, Plain, Window

HEAD_BYTES = 1 << 16  # in which the head of a record has to end


@dataclass
class Reading:
    """What is learned while a file is read."""

    limits: Limits
    broken: Counter[str] = field(default_factory=Counter[str])  # what was passed over, by reason
    at: int = 0  # bytes of the file that are done


class Form(NamedTuple):
    """How the records of an archive are told apart."""

    head: re.Pattern[bytes]  # how it begins, as far as it takes to be sure
    begin: re.Pattern[bytes]  # the same, wherever a record may lie in what is none
    head_end: re.Pattern[bytes]
    length: re.Pattern[bytes]  # in the head
    behind: re.Pattern[bytes]  # what stands behind a record: the next one, or nothing
    another: re.Pattern[bytes]  # behind a record: another one began, whatever became of it


class Record(NamedTuple):
    """Head and body as they lie there; of a body over the limit only the beginning."""

    head: bytes
    body: bytes
    num_bytes: int  # of the body


WARC_LINE = rb"WARC/[01]\.\d{1,2}[ \t]{0,9}\r?\n[A-Za-z][A-Za-z-]{0,99}:"
WARC = Form(
    re.compile(WARC_LINE),
    re.compile(WARC_LINE),
    re.compile(rb"\n\r?\n"),
    re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"[\r\n]{0,16}(?:WARC/|\Z)"),
    re.compile(rb"[\r\n]{1,16}WARC/"),
)
# IP, date, type, length; later ones have more between type and length
ARC_REST = rb" [^\s]{1,99} \d{8,14} [^\s][^\r\n]{0,3000}? \d{1,18}[ \t]{0,9}\r?\n"
ARC_LINE = rb"[a-z][a-z0-9+.-]{1,20}:[^\s]{0,9000}" + ARC_REST
# where the one before was cut, no line ends in front of it
ARC_GLUED = rb"https?://[^\s]{1,500}" + ARC_REST
ARC = Form(
    re.compile(ARC_LINE, re.IGNORECASE),
    re.compile(rb"(?:^" + ARC_LINE + rb"|" + ARC_GLUED + rb")", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"\n"),
    re.compile(rb" (\d{1,18})[ \t]{0,9}\r?\n\Z"),
    re.compile(rb"[\r\n]{1,16}" + ARC_LINE + rb"|" + ARC_GLUED + rb"|[\r\n]{0,16}\Z",
               re.IGNORECASE),
    re.compile(rb"[\r\n]{1,16}[a-z][a-z0-9+.-]{1,20}:", re.IGNORECASE),
)  # fmt: skip
SOMETHING = re.compile(rb"[^\r\n]")
NO_HEAD = b"", 0


def records(file: Path, form: Form, reading: Reading) -> Iterator[Record]:
    """Every whole record; what is none is counted, and reading goes on at the next one."""
    start: int | None = 0
    is_packed = _is_packed(file)
    room = may_expand_to(file, reading.limits)
    while start is not None:
        with file.open("rb") as raw:
            raw.seek(start)
            source = Members(raw, room, reading.limits.expansion) if is_packed else Plain(raw)
            window = Window(source)
            found = Records(window, form, reading)
            for record in found:
                reading.at = raw.tell()
                yield record
        start = None
        if isinstance(source, Members):
            room = source.room
            if window.error is not None:
                start = next_member(file, source.start + 1, form.begin)
        if isinstance(window.error, ZipBombError):
            reading.broken["zip_bomb"] += 1
            if start is not None and room < 0:  # it has had what a file may have
                reading.broken["truncated_archive"] += 1
                return
        elif start is not None:
            reading.broken["broken_record"] += 1
        elif is_packed and window.error is None and found.ends_in:
            reading.broken[found.ends_in] += 1  # all members are whole: nothing else is missing
        elif window.error is not None or found.ends_in:
            # without another record behind it nobody knows how much is missing
            reading.broken["truncated_archive"] += 1


def _is_packed(file: Path) -> bool:
    """Whether it is gzip; where the very first bytes are damaged, its name says so."""
    with file.open("rb") as raw:
        first = raw.read(3)
    is_named = file.name.lower().endswith(".gz")
    return first.startswith(GZIP[:2]) or (is_named and bool(first) and not first.isalpha())


class Records:
    """The records of one stream, up to its end or to a damage."""

    def __init__(self, window: Window, form: Form, reading: Reading) -> None:
        self._window, self._form, self._broken = window, form, reading.broken
        self._most = reading.limits.page_bytes
        self._head_end: int | None = -1  # the last one found
        self._before = -1  # where the record before this one begins
        self.ends_in = ""  # the reason, where the stream ends in what is no whole record

    def __iter__(self) -> Iterator[Record]:
        """Every whole record; what is none is counted, but for what the stream ends in."""
        at: int | None = 0
        while at is not None and (at := self._window.search(SOMETHING, at)) is not None:
            self._window.forget(at)
            record, further = self._record(at)
            if record is not None:
                yield record
            self._before, at = at, further

    def _record(self, at: int) -> tuple[Record | None, int | None]:
        """The record at a place, if it is one, and where to go on; None at the end."""
        head, length = self._head(at)
        if not head:
            return None, self._after("broken_record", at + 1)
        body = at + len(head)
        end, kept = body + length, length if length <= self._most else HEAD_BYTES
        self._window.reaches(body + kept + BEGIN_BYTES)
        taken = self._window.taken(body, body + kept)
        if length > self._most or self._window.match(self._form.behind, end) is None:
            other = self._window.search(self._form.begin, body, end)
            if other is not None:
                self._broken["truncated_record"] += 1
                return None, other
        if not self._window.reaches(end) or self._is_damaged(at, end):
            self.ends_in = "truncated_record"
            return None, None
        return Record(head, taken, length), end

    def _head(self, at: int) -> tuple[bytes, int]:
        """The head of a record that begins at a place and the length in it; or nothing."""
        window = self._window
        window.reaches(at + HEAD_BYTES + BEGIN_BYTES)
        if window.match(self._form.head, at) is None:
            return NO_HEAD
        # one end is the end of all heads before it: it is looked for once
        if self._head_end is not None and self._head_end <= at:
            self._head_end = window.find(self._form.head_end, at)
        end = self._head_end
        if end is None or end > at + HEAD_BYTES:
            return NO_HEAD
        if window.search(self._form.begin, at + 1, end) is not None:
            return NO_HEAD
        head = window.taken(at, end)
        length = self._form.length.search(head)
        return (head, int(length[1])) if length else NO_HEAD

    def _after(self, reason: str, start: int) -> int | None:
        """Where the next record begins, from a place on; what lies between is counted."""
        begin = self._window.search(self._form.begin, start)
        if begin is None:
            self.ends_in = reason
        else:
            self._broken[reason] += 1
        return begin

    def _is_damaged(self, at: int, end: int) -> bool:
        """Whether a record is all of a gzip member that turned out damaged behind it."""
        damaged = self._window.damaged_from
        return (
            damaged is not None
            and self._before < damaged <= at
            and self._window.match(self._form.another, end) is None
            and self._window.search(self._form.begin, end) is None
        )
