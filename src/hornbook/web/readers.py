"""Pages of any input file: WARC and ARC, WET, HTML, archives of HTML, parquet and JSONL.

A record that cannot be read is counted and passed over; a file of which nothing can be read is the
caller's decision.
"""

import gzip
import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.web.tail import breaks_off


class Page(NamedTuple):
    """A page as it was found: HTML bytes, or text that somebody extracted before."""

    source: str
    html: bytes | None
    text: str | None
    charset: str | None


Broken = Counter[str]
Reader = Callable[[Path, Broken], Iterator[Page]]
HTML_TYPES = ("text/html", "application/xhtml+xml")
ARCHIVE_ERRORS = (OSError, ValueError, EOFError, RuntimeError)


def warc(file: Path, broken: Broken) -> Iterator[Page]:
    """HTML responses and WET conversions of a WARC or ARC, plain or compressed."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    if file.name.endswith((".arc", ".arc.gz")):
        yield from arc(file, broken)
        return
    wanted = WarcRecordType.response | WarcRecordType.conversion | WarcRecordType.resource
    try:
        records = ArchiveIterator(str(file), record_types=wanted, quirks_mode=True)
        last = 0
        for record in records:
            last = record.stream_pos
            try:
                page = _page(record, broken)
            except ARCHIVE_ERRORS:
                broken["broken_record"] += 1
                continue
            if page is not None:
                yield page
        if breaks_off(file, last):
            broken["truncated_archive"] += 1
    except ARCHIVE_ERRORS:
        broken["truncated_archive"] += 1


def _page(record: Any, broken: Broken) -> Page | None:  # noqa: ANN401 - fastwarc's record
    source = record.headers.get("WARC-Target-URI") or record.headers.get("WARC-Record-ID") or ""
    expected, body = record.content_length, record.reader.read()
    from fastwarc.warc import WarcRecordType

    if len(body) < expected:
        broken["truncated_record"] += 1
        return None
    if record.record_type == WarcRecordType.conversion:
        return Page(source, None, body.decode("utf-8", "replace"), None)
    http = record.http_headers
    if http is not None and http.status_code != 200:
        broken["not_ok"] += 1
        return None
    kind = (record.http_content_type or record.headers.get("Content-Type") or "").lower()
    if not kind.startswith(HTML_TYPES):
        broken["not_html"] += 1
        return None
    if not body.strip():
        broken["empty_body"] += 1
        return None
    return Page(source, body, None, record.http_charset)


def arc(file: Path, broken: Broken) -> Iterator[Page]:
    """Pages of an ARC file: a line of URL, IP, date, type and length, then so many bytes."""
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rb") as stream:
            while line := stream.readline():
                fields = line.decode("latin-1").split()
                if len(fields) < 5 or not fields[-1].isdigit():
                    continue
                body = stream.read(int(fields[-1]))
                if len(body) < int(fields[-1]):
                    broken["truncated_archive"] += 1
                head, _, html = body.partition(b"\r\n\r\n")
                if fields[0].startswith("filedesc:") or b" 200 " not in head.split(b"\n")[0]:
                    continue
                yield Page(fields[0], html, None, None)
    except ARCHIVE_ERRORS:
        broken["truncated_archive"] += 1


def html_file(file: Path, broken: Broken) -> Iterator[Page]:
    """One page a file."""
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except ARCHIVE_ERRORS:
        broken["truncated_archive"] += 1
        return
    if raw.strip():
        yield Page(file.name, raw, None, None)
    else:
        broken["empty_body"] += 1


def html_archive(file: Path, broken: Broken) -> Iterator[Page]:
    """The HTML files of a tar, also one compressed with gzip or zstd, in order of their names."""
    try:
        with tarfile.open(fileobj=io.BytesIO(_uncompressed(file))) as archive:
            members = sorted(archive.getmembers(), key=lambda member: member.name)
            for member in members:
                if not member.isfile() or not member.name.endswith((".html", ".htm", ".html.gz")):
                    continue
                if member.name.endswith("expected.html"):
                    continue  # the reference beside a test page, not a page
                content = archive.extractfile(member)
                raw = content.read() if content else b""
                is_packed = member.name.endswith(".gz")
                yield Page(member.name, gzip.decompress(raw) if is_packed else raw, None, None)
    except (*ARCHIVE_ERRORS, tarfile.TarError):
        broken["truncated_archive"] += 1


def _uncompressed(file: Path) -> bytes:
    if file.suffix == ".zst":
        import pyarrow as pa

        with pa.input_stream(str(file), compression="zstd") as stream:
            return stream.read()
    return (
        gzip.decompress(file.read_bytes()) if file.suffix in {".gz", ".tgz"} else file.read_bytes()
    )


def jsonl(file: Path, broken: Broken) -> Iterator[Page]:
    """Rows with `text` or `content` (FineWeb, RefinedWeb), `url` where there is one."""
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rt", encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines):
                try:
                    row = json.loads(line)
                except ValueError:
                    broken["broken_record"] += 1
                    continue
                yield from _row(row, f"{file.name}:{number}", broken)
    except ARCHIVE_ERRORS:
        broken["truncated_archive"] += 1


def parquet(file: Path, broken: Broken) -> Iterator[Page]:
    """Rows as in `jsonl`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        number = 0
        for batch in pq.ParquetFile(file).iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                yield from _row(row, f"{file.name}:{number}", broken)
                number += 1
    except (pa.ArrowInvalid, OSError):
        broken["truncated_archive"] += 1


def _row(row: Any, name: str, broken: Broken) -> Iterator[Page]:  # noqa: ANN401 - any JSON
    text = (row.get("text") or row.get("content")) if isinstance(row, dict) else None
    if isinstance(text, str) and text.strip():
        yield Page(str(row.get("url") or row.get("source") or name), None, text, None)
    else:
        broken["no_text"] += 1


READERS: tuple[tuple[tuple[str, ...], Reader], ...] = (
    ((".warc", ".warc.gz", ".arc", ".arc.gz", ".wet", ".wet.gz"), warc),
    ((".html", ".htm", ".html.gz"), html_file),
    ((".tar", ".tar.gz", ".tgz", ".tar.zst"), html_archive),
    ((".jsonl", ".jsonl.gz"), jsonl),
    ((".parquet",), parquet),
)


def reader_of(file: Path) -> Reader | None:
    """The reader of a file by its name; None for what is no input."""
    return next((read for ends, read in READERS if file.name.lower().endswith(ends)), None)
