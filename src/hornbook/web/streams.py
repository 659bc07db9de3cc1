"""Compressed streams: what comes before a damage is given, and nothing is given without end."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hornbook.web.config import Limits

FREE_BYTES = 100_000_000  # that a file may expand to before its ratio counts
MEMBER_FREE_BYTES = 25_000_000  # likewise a member, so that one bomb does not cost its neighbours
BLOCK = 1 << 16
TRAILER_BYTES = 64  # more than the end of a member has behind its last byte of content
GZIP = b"\x1f\x8b\x08"
ARCHIVE_ERRORS = (OSError, ValueError, EOFError, RuntimeError, MemoryError, zlib.error)


class ZipBombError(ValueError):
    """A stream gives more than anybody would have packed into it."""


def may_expand_to(file: Path, limits: Limits) -> int:
    """How many bytes a file may become; more is a zip bomb."""
    return FREE_BYTES + limits.expansion * file.stat().st_size


class Bounded(io.RawIOBase):
    """A decompressed stream that ends with `ZipBombError` when it has given too much."""

    def __init__(self, stream: Any, most: int) -> None:  # noqa: ANN401 - anything with read
        # read1 gives what there is before it finds the end missing
        self._read, self._left = getattr(stream, "read1", stream.read), most

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        """As io.RawIOBase has it."""
        read = self._read(len(buffer))
        self._left -= len(read)
        if self._left < 0:
            raise ZipBombError
        buffer[: len(read)] = read
        return len(read)


def opened(file: Path, limits: Limits) -> io.BufferedReader:
    """The content of a file, uncompressed where its name says gzip or zstd."""
    name = file.name.lower()
    room = may_expand_to(file, limits)
    if name.endswith((".gz", ".tgz")):
        return io.BufferedReader(Members(file.open("rb"), room, limits.expansion), BLOCK)
    if name.endswith(".zst"):
        import pyarrow as pa

        stream = pa.input_stream(str(file), compression="zstd")
        return io.BufferedReader(Bounded(stream, room), BLOCK)
    return file.open("rb")


class Members(io.RawIOBase):
    """The content of gzip members one after the other, all that can be had before a damage.

    `start` is the place in the file of the member that is read, `begun` that of its content in the
    content, `room` how many bytes may still come.
    """

    def __init__(self, raw: Any, room: int, expansion: int) -> None:  # noqa: ANN401 - a binary file
        self._raw, self._block, self._expansion = raw, b"", expansion
        self._member = zlib.decompressobj(31)
        self._error: Exception | None = None
        self.start = raw.tell()
        self.begun = self._given = 0
        self.room = room

    def readable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Close the file too."""
        self._raw.close()
        super().close()

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        """As io.RawIOBase has it; raises as `some` does."""
        read = self.some(len(buffer))
        buffer[: len(read)] = read
        return len(read)

    def some(self, most: int) -> bytes:
        """At most so many bytes; none at the end.

        Raises:
            zlib.error: A member is damaged.
            EOFError: The last one is cut.
            ZipBombError: A member, or the file, gives too much.
        """
        read = b""
        while not read:
            if self._error is not None:
                raise self._error
            if self._member.eof:
                self._next_member()
            packed = self._member.unconsumed_tail or self._block or self._raw.read(BLOCK)
            self._block = b""
            if not packed:
                if self._raw.tell() > self.start:
                    self._error = EOFError("the last gzip member is cut")
                    continue
                return b""
            read = self._inflated(packed, most)
        self._given += len(read)
        self.room -= len(read)
        free = MEMBER_FREE_BYTES + self._expansion * (self._raw.tell() - self.start)
        if self.room < 0 or self._given - self.begun > free:
            self._error = ZipBombError("it unpacks to too much")
            raise self._error
        return read

    def _inflated(self, packed: bytes, most: int) -> bytes:
        """What comes of some bytes; before a damage, all of it."""
        before = self._member.copy()
        try:
            return self._member.decompress(packed, most)
        except zlib.error as error:
            self._error = error
        return b"".join(_before_fault(before, packed, most))

    def _next_member(self) -> None:
        rest = self._member.unused_data.lstrip(b"\0")  # tapes are padded with zeros
        while not rest and (block := self._raw.read(BLOCK)):
            rest = block.lstrip(b"\0")
        self._block = rest
        self.start = self._raw.tell() - len(rest)
        self.begun = self._given
        self._member = zlib.decompressobj(31)


def _before_fault(member: Any, packed: bytes, most: int) -> Iterator[bytes]:  # noqa: ANN401 - zlib's
    """What a member gives before it fails; the call that meets the fault gives nothing."""
    while most and packed:  # half as much, and half again
        trial = member.copy()
        try:
            yield trial.decompress(packed, most)
        except zlib.error:
            most //= 2
            continue
        member, packed = trial, trial.unconsumed_tail
    with suppress(zlib.error):  # the last byte comes with the check that fails
        for at in range(min(len(packed), TRAILER_BYTES)):
            yield member.decompress(packed[at : at + 1])


def next_member(file: Path, start: int, begins: Any) -> int | None:  # noqa: ANN401 - a pattern
    """Where the next gzip member lies, from a byte on, whose content begins as a pattern says."""
    with file.open("rb") as raw:
        raw.seek(start)
        place, block = start, raw.read(2 * BLOCK)
        while block:
            found = block.find(GZIP)
            # one that lies over the end of the block is looked at with the next
            while 0 <= found < BLOCK:
                if _begins(block[found : found + 4096], begins):
                    return place + found
                found = block.find(GZIP, found + 1)
            place += BLOCK
            block = block[BLOCK:] + raw.read(BLOCK)
    return None


def _begins(packed: bytes, begins: Any) -> bool:  # noqa: ANN401 - a pattern
    try:
        content = zlib.decompressobj(31).decompress(packed, 512)
    except zlib.error:
        return False
    return begins.match(content) is not None


def inflated(raw: bytes, most: int) -> bytes | None:
    """The content of gzip; None where it is more than `most` bytes.

    Raises:
        OSError: It is no gzip, or damaged.
        EOFError: It ends too early.
    """
    content = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(most + 1)
    return content if len(content) <= most else None
