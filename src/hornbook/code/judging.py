"""Work on one shard of source files: read, judge, keep or count."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hornbook.code.config import Corpus
from hornbook.code.files import read
from hornbook.code.inputs import PARQUET, Licensed, Table
from hornbook.code.packed import BROKEN, opened
from hornbook.code.pieces import Pieces
from hornbook.code.rules import Judge, Source
from hornbook.code.tables import (
    COLUMNS,
    json_lines,
    parquet_rows,
    require_columns,
    source_of,
)
from hornbook.compute import Place
from hornbook.sources import fetched


def judge_shard(
    what: Sequence[Licensed] | Table, place: Place, *, settings: Corpus
) -> dict[str, Any]:
    """The kept files of a shard as parts, the others counted by reason."""
    judge = Judge(settings)
    pieces = Pieces(place.folder, settings, "file")
    found = _table(what, place, settings) if isinstance(what, Table) else _files(what, settings)
    for source, num_bytes in found:
        pieces.take(source.name, judge.judge(source))
        place.advance(num_bytes)
    return pieces.finish()


def _files(files: Sequence[Licensed], settings: Corpus) -> Iterator[tuple[Source, int]]:
    for file, licence in files:
        yield read(file, licence, max_bytes=settings.max_bytes), file.num_bytes


def _table(table: Table, place: Place, settings: Corpus) -> Iterator[tuple[Source, int]]:
    import pyarrow as pa

    name = table.file.name
    languages = frozenset(one.lower() for one in settings.languages)
    with fetched(table.file, place.folder) as path:
        rows = _parquet(path, table) if name.endswith(PARQUET) else _lines(path, name)
        try:
            for number, (row, num_bytes) in enumerate(rows):
                if row is None:
                    yield Source(f"{name}:{number}", None, "", "damaged_row"), num_bytes
                else:
                    yield (
                        source_of(
                            row,
                            number,
                            file=name,
                            languages=languages,
                            max_bytes=settings.max_bytes,
                        ),
                        num_bytes,
                    )
        except (*BROKEN, pa.ArrowException):
            yield Source(name, None, "", "damaged_file"), 0


def _parquet(path: Path, table: Table) -> Iterator[tuple[dict[str, Any] | None, int]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        if table.groups is None:
            require_columns(table.file.place, names)
        groups = range(file.num_row_groups) if table.groups is None else table.groups
        yield from parquet_rows(file, groups, [name for name in names if name in COLUMNS])


def _lines(path: Path, name: str) -> Iterator[tuple[dict[str, Any] | None, int]]:
    is_known = False
    with opened(path) as file:
        for row, num_bytes in json_lines(file):
            if row is not None and not is_known:
                require_columns(name, row)
                is_known = True
            yield row, num_bytes
