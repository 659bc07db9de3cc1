"""Pages of WARC, ARC, WET and tar archives, also damaged and hostile ones."""

import io
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tarfile import HeaderError, ReadError
from typing import Any, NamedTuple, Self

from hornbook.web.config import Limits
from hornbook.web.streams import Bounded, Members, ZipBombError, inflated, may_expand_to, opened
from hornbook.web.tail import breaks_off, next_record


class Page(NamedTuple):
    """A page as it was found: HTML bytes, or text that somebody extracted before."""

    source: str
    html: bytes | None
    text: str | None
    charset: str | None


@dataclass
class Reading:
    """What is learned while a file is read."""

    limits: Limits
    broken: Counter[str] = field(default_factory=Counter[str])  # what was passed over, by reason
    at: int = 0  # bytes of the file that are done


HTML_TYPES = ("text/html", "application/xhtml+xml")
ARCHIVE_ERRORS = (OSError, ValueError, EOFError, RuntimeError, MemoryError, zlib.error)
ARC_LINE = 10_000
WANTED = {"response", "conversion", "resource"}


def warc(file: Path, reading: Reading) -> Iterator[Page]:
    """HTML responses and WET conversions; a damaged record costs no other one."""
    start: int | None = 0
    while start is not None:
        start = yield from _records(file, start, reading)


def _records(file: Path, start: int, reading: Reading) -> Generator[Page, None, int | None]:
    """Pages from a byte on; returns where to go on after a fault, None at the end."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    room = may_expand_to(file, reading.limits)
    last, expected, harm, is_told = start, start, "", False
    with file.open("rb") as stream:
        stream.seek(start)
        try:
            for record in ArchiveIterator(
                stream, record_types=WarcRecordType.any_type, quirks_mode=True, auto_decode="all"
            ):
                if expected is not None and record.stream_pos > expected:
                    if expected != start:  # a wrong length led over a record: back to it
                        reading.broken["broken_record"] += 1
                        return expected
                    if start == 0:  # where reading began again, it was told
                        reading.broken["broken_record"] += 1
                last = reading.at = record.stream_pos
                expected = next_record(file, last + 1)
                room -= record.content_length
                if room < 0:
                    harm = "zip_bomb"
                    break
                if record.headers.get("WARC-Type") in WANTED:
                    cut = reading.broken["truncated_record"]
                    page = _page(record, reading)
                    is_told = reading.broken["truncated_record"] > cut
                    if page is not None:
                        yield page
        except ARCHIVE_ERRORS:
            harm = "broken_record"
    further = next_record(file, last + 1)
    if not harm and (further is not None or breaks_off(file, last)):
        harm = "broken_record"
    if harm and not (is_told and further is not None):
        # without another record behind it nobody knows how much is missing
        is_known = further is not None or harm == "zip_bomb"
        reading.broken[harm if is_known else "truncated_archive"] += 1
    return further


def _page(record: Any, reading: Reading) -> Page | None:  # noqa: ANN401 - fastwarc's record
    reason = _refused(record, reading.limits)
    if reason is None:
        source = record.headers.get("WARC-Target-URI") or record.headers.get("WARC-Record-ID") or ""
        most, expected = reading.limits.page_bytes, record.content_length
        try:
            body = record.reader.read(most + 1)
        except ARCHIVE_ERRORS:
            body, reason = b"", "broken_record"
        if len(body) > most:
            reason = "too_large"
        elif len(body) < expected and not _is_encoded(record):
            reason = "truncated_record"
        elif not body.strip():
            reason = reason or "empty_body"
        elif _is_text(record):
            return Page(source, None, body.decode("utf-8", "replace"), None)
        else:
            return Page(source, body, None, record.http_charset)
    reading.broken[reason] += 1
    return None


def _refused(record: Any, limits: Limits) -> str | None:  # noqa: ANN401 - fastwarc's record
    """Why the body of a record is not even read."""
    http = record.http_headers
    if http is not None and http.status_code is not None and 300 <= http.status_code < 400:
        return "redirect"
    if http is not None and http.status_code != 200:
        return "not_ok"
    kind = (record.http_content_type or record.headers.get("Content-Type") or "").lower()
    if not _is_text(record) and not kind.startswith(HTML_TYPES):
        return "not_html"
    return "too_large" if record.content_length > limits.page_bytes else None


def _is_text(record: Any) -> bool:  # noqa: ANN401 - fastwarc's record
    """Whether somebody extracted the text before (WET)."""
    return record.headers.get("WARC-Type") == "conversion"


def _is_encoded(record: Any) -> bool:  # noqa: ANN401 - fastwarc's record
    """Whether the server packed the body, so that its length is none of ours."""
    http = record.http_headers
    return http is not None and any(
        http.get(name, "identity").lower() not in {"", "identity"}
        for name in ("Content-Encoding", "Transfer-Encoding")
    )


ARC_HEAD = re.compile(rb"^[a-z][a-z0-9+.-]*:\S* \S+ \d{8,14} \S.* \d{1,18}\s*$", re.IGNORECASE)


def arc(file: Path, reading: Reading) -> Iterator[Page]:
    """Pages of an ARC file: a line of URL, IP, date, type and length, then so many bytes.

    Lines that are no such line are passed over up to the next one.
    """
    start: int | None = 0
    while start is not None:
        with file.open("rb") as raw:
            raw.seek(start)
            members = Members(raw) if file.name.lower().endswith(".gz") else None
            room = may_expand_to(file, reading.limits)
            stream: Any = io.BufferedReader(Bounded(members, room)) if members else raw
            try:
                yield from _arc_records(stream, raw, reading)
            except ZipBombError:
                harm = "zip_bomb"
            except ARCHIVE_ERRORS:
                harm = "broken_record"
            else:
                return
            start = next_record(file, members.start + 1) if members else None
        is_known = start is not None or harm == "zip_bomb"
        reading.broken[harm if is_known else "truncated_archive"] += 1


def _arc_records(stream: Any, raw: io.BufferedReader, reading: Reading) -> Iterator[Page]:  # noqa: ANN401
    most, is_lost = reading.limits.page_bytes, False
    while line := stream.readline(ARC_LINE):
        if not ARC_HEAD.match(line):
            if line.strip() and not is_lost:
                is_lost = True
                reading.broken["broken_record"] += 1
            continue
        is_lost = False
        reading.at = raw.tell()
        source, length = line.split()[0].decode("latin-1"), int(line.split()[-1])
        if length > most:
            reading.broken["too_large"] += 1
            while length > 0 and (passed := stream.read(min(length, most))):
                length -= len(passed)
            continue
        body = stream.read(length)
        if len(body) < length:
            reading.broken["truncated_archive"] += 1
            return
        page = _arc_page(source, body, reading)
        if page is not None:
            yield page


def _arc_page(source: str, body: bytes, reading: Reading) -> Page | None:
    if source.startswith("filedesc:"):
        return None
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


class StrictMember(tarfile.TarInfo):
    """A member whose header, when damaged or cut, is an error and not the end of the archive."""

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
        with (
            opened(file, reading.limits) as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=StrictMember) as tar,
        ):
            for member in tar:
                page = _member(tar, member, reading)
                if page is not None:
                    yield page
    except ZipBombError:
        reading.broken["zip_bomb"] += 1
    except (*ARCHIVE_ERRORS, tarfile.TarError):
        reading.broken["truncated_archive"] += 1


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
