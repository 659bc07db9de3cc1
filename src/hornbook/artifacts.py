"""How artifacts are written: atomic, sorted, the same bytes for the same content.

A corpus is a folder of parquet shards `part-00000.parquet`, ...; each row is a document with at
least `id` (unique), `text` and `source` (where it came from).
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.errors import ArtifactError

if TYPE_CHECKING:
    import pyarrow as pa

_PART = ".part"


def write_bytes(path: Path, content: bytes) -> None:
    """`content` at `path`, complete or not there at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}{_PART}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """UTF-8 `text` at `path`, complete or not there at all."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """`value` as JSON with sorted keys; NaN is refused because no reader agrees on it."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """The value of a JSON artifact.

    Raises:
        ArtifactError: The file is absent or is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is not there; materialise the stage that writes it") from error
    except ValueError as error:
        raise ArtifactError(
            f"{path} is not valid JSON ({error}); restore it with dvc checkout"
        ) from error


def write_table(path: Path, table: "pa.Table") -> None:
    """One parquet file, zstd, without any metadata that depends on when or where."""
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + _PART)
    try:
        pq.write_table(table.replace_schema_metadata(None), part, compression="zstd")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_documents(
    folder: Path,
    rows: Iterable[Mapping[str, Any]],
    *,
    schema: "pa.Schema | None" = None,
    shard_rows: int = 4096,
    shard_characters: int = 1 << 27,
    prefix: str = "part",
) -> int:
    """Shards of `rows` in their order; returns the number of rows.

    A shard ends with `shard_rows` rows, or earlier with `shard_characters` of `text`.

    Without `schema` the types follow the first shard. An empty corpus is one empty shard, so that
    a reader can tell "nothing" from "not there"; it needs `schema` unless columns are the three
    that every corpus has.
    """
    import pyarrow as pa

    folder.mkdir(parents=True, exist_ok=True)
    written, shard, characters = 0, 0, 0
    batch: list[Mapping[str, Any]] = []

    def flush() -> None:
        nonlocal schema, shard, characters
        if schema is None:
            schema = (
                pa.Table.from_pylist([dict(row) for row in batch]).schema
                if batch
                else pa.schema([(name, pa.string()) for name in ("id", "text", "source")])
            )
        table = pa.Table.from_pylist([dict(row) for row in batch], schema=schema)
        write_table(folder / f"{prefix}-{shard:05d}.parquet", table)
        shard, characters = shard + 1, 0
        batch.clear()

    for row in rows:
        batch.append(row)
        written += 1
        characters += len(row.get("text") or "")
        if len(batch) == shard_rows or characters >= shard_characters:
            flush()
    if batch or not shard:
        flush()
    return written


def shards(folder: Path, prefix: str = "part") -> list[Path]:
    """The shards of a corpus in order.

    Raises:
        ArtifactError: There is none.
    """
    found = sorted(folder.glob(f"{prefix}-*.parquet"))
    if not found:
        raise ArtifactError(
            f"{folder} holds no {prefix}-*.parquet; materialise the stage that writes it"
        )
    return found


def read_table(path: Path, columns: Sequence[str] | None = None) -> "pa.Table":
    """A parquet file, or all shards of a corpus folder as one table.

    Raises:
        ArtifactError: Absent, truncated, or without one of `columns`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = shards(path) if path.is_dir() else [path]
    tables: list[pa.Table] = []
    for file in files:
        try:
            tables.append(pq.read_table(file, columns=list(columns) if columns else None))
        except FileNotFoundError as error:
            raise ArtifactError(
                f"{file} is not there; materialise the stage that writes it"
            ) from error
        except (pa.ArrowInvalid, OSError) as error:
            raise ArtifactError(
                f"{file} cannot be read ({error}); restore it with dvc checkout"
            ) from error
    table = pa.concat_tables(tables)
    missing = sorted(set(columns or ()) - set(table.column_names))
    if missing:
        raise ArtifactError(f"{path} has no column {missing}; it has {table.column_names}")
    return table


def read_documents(folder: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a corpus in shard order, one shard in memory at a time."""
    for shard in shards(folder):
        yield from read_table(shard, columns).to_pylist()
