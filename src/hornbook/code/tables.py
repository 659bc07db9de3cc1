"""Source files in tables: the columns of The Stack, its second version, and sets made from it."""

import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hornbook.code import licences
from hornbook.code.files import plain, recorded
from hornbook.code.rules import Source
from hornbook.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

TEXT = ("content", "code")
LICENCE = (
    "max_stars_repo_licenses",
    "detected_licenses",
    "license_type",
    "licenses",
    "license",
    "licence",
)
REPOSITORY = ("max_stars_repo_name", "repo_name", "repository_name")
PATH = ("max_stars_repo_path", "path", "file_path")
LANGUAGE = ("lang", "language")
EXTENSION = ("ext", "extension")
FLAGS = {"is_vendor": "vendored", "is_generated": "generated"}
COLUMNS = (*TEXT, *LICENCE, *REPOSITORY, *PATH, *LANGUAGE, *EXTENSION, *FLAGS)
PYTHON_ENDINGS = {"py", "py3", "pyi", "pyw"}
BATCH_ROWS = 256
# what the conversion of a cell raises: bytes that are no UTF-8, a day beyond the calendar, a zone
# that nobody knows
UNREADABLE = (ValueError, ArithmeticError, LookupError, TypeError, NotImplementedError)
MAX_LINE_BYTES = 64 << 20  # of JSON; a line may hold more than a file because of its escapes


class Row(NamedTuple):
    """A row and how many bytes of the input it stands for."""

    source: Source
    num_bytes: int


def require_columns(file: str, columns: Collection[str]) -> None:
    """Refuse a table that cannot be read by this schema.

    Raises:
        InputError: It has no text or no licence.
    """
    has_text, has_licence = (any(n in columns for n in names) for names in (TEXT, LICENCE))
    if has_text and has_licence:
        return
    remedy = ""
    if not has_text and {"blob_id", "files"} & set(columns):
        remedy = "; The Stack v2 is published as ids: fetch the contents first"
    missing = " and ".join(
        f"{what} ({' or '.join(names)})"
        for what, names, is_there in (("text", TEXT, has_text), ("licence", LICENCE, has_licence))
        if not is_there
    )
    raise InputError(
        f"{file}: no column of {missing}; it has {sorted(columns)}{remedy}. "
        f"Leave it out by code.corpus.include"
    )


def source_of(
    row: Mapping[str, Any], number: int, *, file: str, languages: Collection[str], max_bytes: int
) -> Source:
    """A row as a source file; what it says of itself may be the fault it is dropped for."""
    path = _first(row, PATH)
    repository = _first(row, REPOSITORY)
    name = recorded(
        "/".join(str(part) for part in (repository, path) if part) or f"{file}:{number}"
    )
    text, licence = _first(row, TEXT), _licence(row)
    if not isinstance(text, str):
        return Source(name, None, licence, "damaged_row")
    if len(text) > max_bytes:
        return Source(name, None, licence, "too_large")
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates, which JSON can hold
        return Source(name, None, licence, "encoding")
    if not _is_wanted(row, languages):
        return Source(name, plain(text), licence, "language")
    for flag, fault in FLAGS.items():
        if row.get(flag) is True:
            return Source(
                name, plain(text), licence, "vendored" if fault == "vendored" else "generated"
            )
    return Source(name, plain(text).removeprefix("\ufeff"), licence)


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:  # noqa: ANN401 - whatever the row holds
    return next((row[name] for name in names if row.get(name) is not None), None)


def _licence(row: Mapping[str, Any]) -> str:
    """All detected licences together; the class that The Stack v2 gives where there is none."""
    for name in LICENCE:
        value = row.get(name)
        if isinstance(value, str) and value:
            return licences.spdx(value)
        if isinstance(value, list) and value:
            return licences.of_list([str(one) for one in value])
    return licences.UNKNOWN


def _is_wanted(row: Mapping[str, Any], languages: Collection[str]) -> bool:
    language = _first(row, LANGUAGE)
    if language is not None:
        return str(language).lower() in languages
    ending = _first(row, EXTENSION)
    return ending is None or str(ending).lower().lstrip(".") in PYTHON_ENDINGS


def parquet_rows(
    file: "pq.ParquetFile", groups: Sequence[int], columns: Sequence[str]
) -> Iterator[tuple[dict[str, Any] | None, int]]:
    """Rows of row groups, of some columns, with their share of the group's bytes.

    None is a row of which a cell cannot be read.

    Nothing of the file's own metadata is run: no pandas index, no pickled type.
    """
    for group in groups:
        about = file.metadata.row_group(group)
        share = about.total_byte_size // max(about.num_rows, 1)
        for batch in file.iter_batches(
            BATCH_ROWS, row_groups=[group], columns=list(columns), use_threads=False
        ):
            for row in _rows(batch):
                yield row, share


def _rows(batch: "pa.RecordBatch") -> list[dict[str, Any] | None]:
    """All rows at once, which is fast; one by one where that fails, so that the others are kept."""
    try:
        return batch.to_pylist()
    except UNREADABLE:
        return [_row(batch.slice(at, 1)) for at in range(batch.num_rows)]


def _row(batch: "pa.RecordBatch") -> dict[str, Any] | None:
    try:
        return batch.to_pylist()[0]
    except UNREADABLE:
        return None


def json_lines(file: io.BufferedIOBase) -> Iterator[tuple[dict[str, Any] | None, int]]:
    """Rows of a JSONL file with their bytes; None is a line that is no row."""
    while line := file.readline(MAX_LINE_BYTES):
        num_bytes = len(line)
        is_whole = line.endswith(b"\n") or num_bytes < MAX_LINE_BYTES
        while not is_whole:  # skip the rest of it
            more = file.readline(MAX_LINE_BYTES)
            num_bytes += len(more)
            is_whole = more.endswith(b"\n") or not more
            line = b"\0"
        if line.strip():
            yield _json_row(line), num_bytes


def _json_row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
