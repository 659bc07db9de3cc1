"""Artifacts made by hand: a folder on each side, as a pair that contents are compared of."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hornbook.diff.artifacts import Pair, Side


def side(folder: Path) -> Side:
    """The files of a folder as one side."""
    files = {one.relative_to(folder).as_posix(): one for one in folder.rglob("*") if one.is_file()}
    hashes = {name: hashlib.md5(path.read_bytes()).hexdigest() for name, path in files.items()}
    return Side(hashes, files)


def pair(root: Path, stage: str = "a_stage") -> Pair:
    """The folders `before` and `after`."""
    return Pair(stage, side(root / "before"), side(root / "after"))


def write_rows(file: Path, rows: list[dict[str, object]]) -> None:
    """A parquet file of rows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file)


def tables(parts) -> dict[str, list[tuple[object, ...]]]:
    """The rows of all tables by title."""
    return {table.title: list(table.rows) for part in parts for table in part.tables}


def said(parts) -> list[str]:
    """All sentences."""
    return [sentence for part in parts for sentence in part.said]
