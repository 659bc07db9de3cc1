"""Whether an archive ends where its last record does: the reader of WARC stops without a word."""

import re
import zlib
from pathlib import Path

GZIP = b"\x1f\x8b"
BLOCK = 1 << 16
HEAD = 1 << 16  # bytes in which the head of a record has to end
RECORD = b"\r\n\r\nWARC/1."  # inside a body, nobody writes it
LENGTH = re.compile(rb"^content-length:\s*(\d+)\s*$", re.IGNORECASE | re.MULTILINE)


def breaks_off(file: Path, last: int) -> bool:
    """True where the bytes from `last`, the place of the last record read, are no whole records.

    Only this end is looked at: in a file that is whole it is one member or one record.
    """
    with file.open("rb") as stream:
        packed = stream.read(2) == GZIP
        stream.seek(last)
        start = stream.read(2)
    return _member_is_cut(file, last if start == GZIP else 0) if packed else _is_short(file, last)


def _member_is_cut(file: Path, start: int) -> bool:
    """Inflate every member from `start` on; the last one has to come to its own end."""
    member = zlib.decompressobj(31)
    with file.open("rb") as stream:
        stream.seek(start)
        block = stream.read(BLOCK)
        while block:
            try:
                member.decompress(block)
            except zlib.error:
                return True
            block = member.unused_data
            if member.eof:
                block = block.lstrip(b"\0") or stream.read(BLOCK)  # tapes are padded with zeros
                member = zlib.decompressobj(31) if block else member
            else:
                block = stream.read(BLOCK)
    return not member.eof


def _is_short(file: Path, start: int) -> bool:
    """Whether the record at `start` says that it has more bytes than there are."""
    with file.open("rb") as stream:
        stream.seek(start)
        first = stream.read(HEAD)
    head, blank, _ = first.partition(b"\r\n\r\n")
    if not blank:
        return bool(head.strip())
    declared = LENGTH.search(head)
    left = file.stat().st_size - start - len(head) - len(blank)
    return declared is not None and int(declared[1]) > left


def next_record(file: Path, start: int) -> int | None:
    """Where the next whole-looking record of a WARC or ARC begins, from a byte on."""
    with file.open("rb") as stream:
        packed = stream.read(2) == GZIP
        mark = GZIP + b"\x08" if packed else RECORD
        place = start if packed else max(0, start - 4)
        stream.seek(place)
        block = stream.read(BLOCK)
        while block:
            found = block.find(mark)
            while found >= 0:
                here = place + found + (0 if packed else 4)
                if here >= start and (not packed or _begins_record(file, here)):
                    return here
                found = block.find(mark, found + 1)
            # a mark may lie over the end of a block
            keep = block[-(len(mark) - 1) :]
            place += len(block) - len(keep)
            more = stream.read(BLOCK)
            block = keep + more if more else b""
    return None


def _begins_record(file: Path, start: int) -> bool:
    """Whether the bytes there are a gzip member that begins as a record does."""
    with file.open("rb") as stream:
        stream.seek(start)
        try:
            head = zlib.decompressobj(31).decompress(stream.read(4096), 512)
        except zlib.error:
            return False
    return (
        head.startswith(b"WARC/")
        or re.match(rb"[a-z][a-z0-9+.-]*:\S+ \S+ \d{8,14} ", head) is not None
    )
