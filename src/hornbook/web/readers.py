"""Pages of any input file by its name: archives, HTML, parquet and JSONL.

A record that cannot be read is counted under a reason and passed over; a file of which nothing can
be read is the caller's decision.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hornbook.web.archives import Page, Reading, arc, html_archive, warc
from hornbook.web.streams import ARCHIVE_ERRORS, ZipBombError, may_expand_to, opened

Reader = Callable[[Path, Reading], Iterator[Page]]
TEXTS = ("text", "content")  # FineWeb, RefinedWeb
URLS = ("url", "source")
ROWS = 64
ROW_BYTES = 32  # that a row counts for beside its text: a file of nothing can have endless rows
BROKEN = "\ud800"  # no text has it
PICKLE = b"\x80"  # what protocol 2 and later begin with


def html_file(file: Path, reading: Reading) -> Iterator[Page]:
    """One page a file."""
    most = reading.limits.page_bytes
    try:
        with opened(file, reading.limits) as stream:
            raw = stream.read(most + 1)
    except ARCHIVE_ERRORS:
        reading.broken["truncated_archive"] += 1
        return
    if len(raw) > most:
        reading.broken["too_large"] += 1
    elif raw.strip():
        yield Page(file.name, raw, None, None)
    else:
        reading.broken["empty_body"] += 1


def jsonl(file: Path, reading: Reading) -> Iterator[Page]:
    """Rows with `text` or `content` (FineWeb, RefinedWeb), `url` where there is one."""
    most = 2 * reading.limits.page_bytes  # escapes make a line longer than its text
    try:
        with opened(file, reading.limits) as stream:
            number = -1
            while line := stream.readline(most):
                number += 1
                if len(line) == most and not line.endswith(b"\n"):
                    reading.broken["too_large"] += 1
                    while line and not line.endswith(b"\n"):
                        line = stream.readline(most)
                    continue
                if not file.name.lower().endswith((".gz", ".zst")):
                    reading.at += len(line)
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    reading.broken["broken_record"] += 1
                    continue
                yield from _row(row, f"{file.name}:{number}", reading)
    except ZipBombError:
        reading.broken["zip_bomb"] += 1
    except ARCHIVE_ERRORS:
        reading.broken["truncated_archive"] += 1


def parquet(file: Path, reading: Reading) -> Iterator[Page]:
    """Rows as in `jsonl`; no other column is read, and nothing in the metadata is run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened_file:
            # of another type they are no text and no address; what is nested cannot be read so
            flat = {one.name for one in opened_file.schema_arrow if is_text_type(one.type)}
            columns = [name for name in (*TEXTS, *URLS) if name in flat]
            texts = [name for name in TEXTS if name in flat]
            if _has_pickle(opened_file):
                reading.broken["pickle_in_metadata"] += 1
        if not texts:
            reading.broken["no_text"] += opened_file.metadata.num_rows
            return
        # one copy of each text, so that a page of a million equal rows is small
        with pq.ParquetFile(file, read_dictionary=texts) as opened_file:
            room, number = may_expand_to(file, reading.limits), 0
            for group in range(opened_file.num_row_groups):
                meta = opened_file.metadata.row_group(group)
                if _is_bomb(meta, file, reading):
                    reading.broken["zip_bomb"] += 1
                    continue
                for at, row in _rows(opened_file, group, columns, reading):
                    for page in _row(row, f"{file.name}:{number + at}", reading):
                        room -= len(page.text or "")
                        yield page
                    room -= ROW_BYTES
                    if room < 0:
                        reading.broken["zip_bomb"] += 1
                        return
                number += meta.num_rows
                reading.at = file.stat().st_size * (group + 1) // opened_file.num_row_groups
    except (pa.ArrowException, *ARCHIVE_ERRORS):
        reading.broken["truncated_archive"] += 1


def is_text_type(kind: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Whether a column holds strings, plain or in a dictionary."""
    import pyarrow as pa

    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(inner) or pa.types.is_large_string(inner)


def _has_pickle(file: Any) -> bool:  # noqa: ANN401 - pyarrow is untyped
    """Whether the metadata carries a pickle, which some readers would run."""
    metadata = dict(file.metadata.metadata or {})
    for field in file.schema_arrow:
        metadata |= field.metadata or {}
    return any(value.startswith(PICKLE) or b"py_extension_type" in value
               for value in metadata.values())  # fmt: skip


def _is_bomb(meta: Any, file: Path, reading: Reading) -> bool:  # noqa: ANN401 - pyarrow's
    sizes = (meta.column(n).total_uncompressed_size for n in range(meta.num_columns))
    return max(sizes, default=0) > may_expand_to(file, reading.limits)


def _rows(
    file: Any,  # noqa: ANN401 - pyarrow's
    group: int,
    columns: list[str],
    reading: Reading,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a group and their numbers, so that only one text is a Python string at a time.

    Where the group is damaged, the rest of it is counted.
    """
    import pyarrow as pa

    meta, number = file.metadata.row_group(group), 0
    try:
        for batch in file.iter_batches(ROWS, row_groups=[group], columns=columns):
            for at in range(batch.num_rows):
                yield number + at, _cells(batch, at)
            number += batch.num_rows
    except (pa.ArrowException, *ARCHIVE_ERRORS):
        # a column of another length shows that the counts themselves are damaged
        lengths = {meta.column(one).num_values for one in range(meta.num_columns)}
        is_sure = lengths == {meta.num_rows} and meta.num_rows > number
        reading.broken["broken_record"] += meta.num_rows - number if is_sure else 1


def _cells(batch: Any, at: int) -> dict[str, Any]:  # noqa: ANN401 - pyarrow's
    """The columns of a row; of a text that cannot be read, half of a surrogate pair."""
    row: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row[name] = column[at].as_py()
        except UnicodeDecodeError:
            row[name] = BROKEN if name in TEXTS else None
    return row


def _row(row: Any, name: str, reading: Reading) -> Iterator[Page]:  # noqa: ANN401 - any JSON
    found = row if isinstance(row, dict) else {}
    text = next((found[key] for key in TEXTS if isinstance(found.get(key), str)), "")
    url = next((found[key] for key in URLS if isinstance(found.get(key), str)), None) or name
    if not text.strip():
        reading.broken["no_text"] += 1
    elif len(text) > reading.limits.page_bytes:
        reading.broken["too_large"] += 1
    elif not is_whole(text):
        reading.broken["broken_text"] += 1
    else:
        yield Page(url.encode("utf-8", "replace").decode(), None, text, None)


def is_whole(text: str) -> bool:
    """Whether a text has neither NUL nor half of a surrogate pair."""
    if "\0" in text:
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


READERS: tuple[tuple[tuple[str, ...], Reader], ...] = (
    ((".warc", ".warc.gz", ".wet", ".wet.gz"), warc),
    ((".arc", ".arc.gz"), arc),
    ((".html", ".htm", ".html.gz"), html_file),
    ((".tar", ".tar.gz", ".tgz", ".tar.zst"), html_archive),
    ((".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".json.gz"), jsonl),
    ((".parquet",), parquet),
)


def reader_of(name: str) -> Reader | None:
    """The reader of a file by its name; None for what is no input."""
    low = name.lower().partition("?")[0]
    return next((read for ends, read in READERS if low.endswith(ends)), None)
