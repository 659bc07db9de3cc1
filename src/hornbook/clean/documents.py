"""A corpus copied without some of its documents."""

from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import read_documents, read_table, shards, write_documents

if TYPE_CHECKING:
    import pandas as pd


def write_without(folder: Path, gone: AbstractSet[str], out: Path) -> int:
    """Write the documents of `folder` that are not in `gone`, all columns; how many there are."""
    schema = read_table(shards(folder)[0]).schema
    left = (row for row in read_documents(folder) if row["id"] not in gone)
    return write_documents(out, left, schema=schema)


def document_frame(folder: Path) -> "pd.DataFrame":
    """Id, source and length in characters of each document, which is what expectations look at."""
    import pyarrow.compute as pc

    table = read_table(folder, ["id", "source", "text"])
    lengths = pc.call_function("utf8_length", [table.column("text")])
    return table.drop_columns(["text"]).append_column("characters", lengths).to_pandas()
