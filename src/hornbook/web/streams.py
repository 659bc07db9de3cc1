"""Compressed streams that end when they give more than anybody would have packed into them."""

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

from hornbook.web.config import Limits

FREE_BYTES = 100_000_000  # that a file may expand to before its ratio counts
BLOCK = 1 << 16


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
    import pyarrow as pa

    stream: Any
    name = file.name.lower()
    if name.endswith((".gz", ".tgz")):
        stream = gzip.open(file)  # noqa: SIM115 - closed with the reader around it
    elif name.endswith(".zst"):
        stream = pa.input_stream(str(file), compression="zstd")
    else:
        return file.open("rb")
    return io.BufferedReader(Bounded(stream, may_expand_to(file, limits)), 1 << 16)


class Members(io.RawIOBase):
    """The content of gzip members one after the other; knows where the one it reads begins."""

    def __init__(self, raw: io.BufferedReader) -> None:
        self._raw, self._block = raw, b""
        self._member = zlib.decompressobj(31)
        self.start = raw.tell()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        """As io.RawIOBase has it.

        Raises:
            zlib.error: A member is damaged.
            EOFError: The last one is cut.
        """
        while True:
            if self._member.eof:
                self._next_member()
            if not self._block and not self._member.unconsumed_tail:
                self._block = self._raw.read(BLOCK)
                if not self._block:
                    if self._raw.tell() > self.start and not self._member.eof:
                        raise EOFError
                    return 0
            read = self._member.decompress(self._member.unconsumed_tail or self._block, len(buffer))
            self._block = b""
            if read:
                buffer[: len(read)] = read
                return len(read)

    def _next_member(self) -> None:
        rest = self._member.unused_data.lstrip(b"\0")  # tapes are padded with zeros
        self._block = rest or self._raw.read(BLOCK)
        self.start = self._raw.tell() - len(self._block)
        self._member = zlib.decompressobj(31)


def inflated(raw: bytes, most: int) -> bytes | None:
    """The content of gzip; None where it is more than `most` bytes.

    Raises:
        OSError: It is no gzip, or damaged.
        EOFError: It ends too early.
    """
    content = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(most + 1)
    return content if len(content) <= most else None
