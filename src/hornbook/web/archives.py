"""Pages of WARC, ARC, WET and tar archives, also damaged and hostile ones."""

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tarfile import HeaderError, ReadError
from typing import Any, NamedTuple, Self

from hornbook.web.config import Limits
from hornbook.web.records import ARC, WARC, Reading, Record, records
from hornbook.web.streams import ARCHIVE_ERRORS, BLOCK, ZipBombError, inflated, opened


class Page(NamedTuple):
    """A page as it was found: HTML bytes, or text that somebody extracted before."""

    source: str
    html: bytes | None
    text: str | None
    charset: str | None


HTML_TYPES = ("text/html", "application/xhtml+xml")
WANTED = {b"response", b"conversion", b"resource"}
OTHERS = {b"warcinfo", b"request", b"metadata", b"revisit", b"continuation"}
WARC_TYPE = re.compile(rb"^warc-type:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)


def warc(file: Path, reading: Reading) -> Iterator[Page]:
    """HTML responses and WET conversions; a damaged record costs no other one."""
    for one in records(file, WARC, reading):
        found = WARC_TYPE.search(one.head)
        kind = found[1].lower() if found else b""
        if kind in WANTED:
            page = _warc_page(one, reading)
            if page is not None:
                yield page
        elif kind not in OTHERS:
            reading.broken["broken_record"] += 1


def _warc_page(one: Record, reading: Reading) -> Page | None:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    try:
        for record in ArchiveIterator(
            io.BytesIO(one.head + one.body),
            record_types=WarcRecordType.any_type,
            quirks_mode=True,
            auto_decode="all",
        ):
            return _page(record, one, reading)
    except ARCHIVE_ERRORS:
        pass
    reading.broken["broken_record"] += 1
    return None


def _page(record: Any, one: Record, reading: Reading) -> Page | None:  # noqa: ANN401 - fastwarc's
    reason = _refused(record, one, reading.limits)
    if reason is None:
        source = record.headers.get("WARC-Target-URI") or record.headers.get("WARC-Record-ID") or ""
        most = reading.limits.page_bytes
        body = record.reader.read(most + 1)
        if len(body) > most:
            reason = "too_large"
        elif not body.strip():
            reason = "empty_body"
        elif _is_text(record):
            return Page(source, None, body.decode("utf-8", "replace"), None)
        else:
            return Page(source, body, None, record.http_charset)
    reading.broken[reason] += 1
    return None


def _refused(record: Any, one: Record, limits: Limits) -> str | None:  # noqa: ANN401 - fastwarc's
    """Why the body of a record is not even read."""
    http = record.http_headers
    if http is not None and http.status_code is not None and 300 <= http.status_code < 400:
        return "redirect"
    if http is not None and http.status_code != 200:
        return "not_ok"
    kind = (record.http_content_type or record.headers.get("Content-Type") or "").lower()
    if not _is_text(record) and not kind.startswith(HTML_TYPES):
        return "not_html"
    return "too_large" if one.num_bytes > limits.page_bytes else None


def _is_text(record: Any) -> bool:  # noqa: ANN401 - fastwarc's record
    """Whether somebody extracted the text before (WET)."""
    return record.headers.get("WARC-Type") == "conversion"


def arc(file: Path, reading: Reading) -> Iterator[Page]:
    """Pages of an ARC file: a line of URL, IP, date, type and length, then so many bytes."""
    for one in records(file, ARC, reading):
        if one.num_bytes > reading.limits.page_bytes:
            reading.broken["too_large"] += 1
        elif not one.head.startswith(b"filedesc:"):
            page = _arc_page(one, reading)
            if page is not None:
                yield page


def _arc_page(one: Record, reading: Reading) -> Page | None:
    source, body = one.head.split()[0].decode("latin-1"), one.body
    head, _, html = body.partition(b"\r\n\r\n") if b"\r\n\r\n" in body else body.partition(b"\n\n")
    status = head.split(b"\n")[0].split()[1:2]
    kind = re.search(rb"^content-type:\s*([^\s;]+)", head, re.IGNORECASE | re.MULTILINE)
    if status[:1] != [b"200"]:
        reason = "redirect" if status and status[0].startswith(b"3") else "not_ok"
    elif kind and not kind[1].decode("latin-1").lower().startswith(HTML_TYPES):
        reason = "not_html"
    elif not html.strip():
        reason = "empty_body"
    else:
        return Page(source, html, None, None)
    reading.broken[reason] += 1
    return None


DESCRIBING = frozenset(b"LKxgX"[at : at + 1] for at in range(5))  # long names, pax
MOST_DESCRIPTION = 1 << 20


class StrictMember(tarfile.TarInfo):
    """A member whose header, when damaged or cut, is an error and not the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """As tarfile has it.

        Raises:
            ReadError: It describes the next member in more bytes than anybody would.
        """
        found = super().frombuf(buf, encoding, errors)
        if found.type in DESCRIBING and found.size > MOST_DESCRIPTION:
            raise ReadError(f"a description of {found.size} bytes")
        return found

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        """As tarfile has it.

        Raises:
            ReadError: The header is damaged or cut.
        """
        try:
            return super().fromtarfile(tarfile)
        except HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":  # the mark of the end
                raise
            raise ReadError(str(error)) from error


def html_archive(file: Path, reading: Reading) -> Iterator[Page]:
    """The HTML files of a tar, also one compressed with gzip or zstd, in the archive's order."""
    try:
        with opened(file, reading.limits) as stream:
            raw: Any = stream.raw  # a buffer would lose what it has when the next bytes are damaged
            with tarfile.open(fileobj=raw, mode="r|", tarinfo=StrictMember) as tar:
                while (member := tar.next()) is not None:
                    page = _member(tar, member, reading)
                    vars(tar)["members"].clear()  # it would keep them all
                    if page is not None:
                        yield page
                if not _ends_well(tar):
                    reading.broken["truncated_archive"] += 1
    except ZipBombError:
        reading.broken["zip_bomb"] += 1
    except (*ARCHIVE_ERRORS, tarfile.TarError):
        reading.broken["truncated_archive"] += 1


def _ends_well(tar: tarfile.TarFile) -> bool:
    """Whether only padding stands behind the mark of the end, and all is whole blocks.

    A member that was cut swallows what follows it, and then what is taken for the mark may be any
    zeros; the length of the archive gives that away.
    """
    stream: Any = tar.fileobj
    while block := stream.read(BLOCK):
        if block.strip(b"\0"):
            return False
    return stream.tell() % tarfile.BLOCKSIZE == 0


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo, reading: Reading) -> Page | None:
    name = PurePosixPath(member.name)
    if not name.name.lower().endswith((".html", ".htm", ".html.gz")) or (
        name.name == "expected.html"  # the reference beside a test page, not a page
    ):
        return None
    most, reason = reading.limits.page_bytes, None
    if not member.isfile():
        reason = "not_a_file"  # a link would be a way to read other files
    elif name.is_absolute() or ".." in name.parts:
        reason = "unsafe_name"
    elif member.size > most:
        reason = "too_large"
    if reason is None:
        content = tar.extractfile(member)
        raw = content.read() if content else b""
        try:
            html = inflated(raw, most) if name.suffix.lower() == ".gz" else raw
        except ARCHIVE_ERRORS:  # the archive around it is whole
            html, reason = b"", "broken_record"
        if html is not None and html.strip():
            return Page(member.name.encode("utf-8", "replace").decode(), html, None, None)
        reason = reason or ("too_large" if html is None else "empty_body")
    reading.broken[reason] += 1
    return None
