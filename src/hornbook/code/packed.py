"""Files that may be packed with gzip, read to their end or up to what no honest file unpacks to."""

import gzip
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST_RATIO = 200  # of unpacked to packed bytes; source text and XML stay below 20
SLACK_BYTES = 64 << 20
BROKEN = (OSError, EOFError, zlib.error)  # what a damaged file raises while it is read


class _Unpacked(io.RawIOBase):
    """The content of a gzip file; an error where it goes on and on."""

    def __init__(self, path: Path) -> None:
        self.file = gzip.GzipFile(path)
        self.left = path.stat().st_size * MOST_RATIO + SLACK_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """As `io.RawIOBase` has it.

        Raises:
            BadGzipFile: More came out than so small a file can honestly hold.
        """
        count = self.file.readinto(buffer)
        self.left -= count
        if self.left < 0:
            raise gzip.BadGzipFile(f"more than {MOST_RATIO} times its size")
        return count

    def close(self) -> None:
        self.file.close()
        super().close()


def opened(path: Path) -> io.BufferedIOBase:
    """The bytes of a file, unpacked if its name ends in `.gz`."""
    return io.BufferedReader(_Unpacked(path), 1 << 17) if path.suffix == ".gz" else path.open("rb")
