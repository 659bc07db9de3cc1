"""What the tables of an artifact hold: rows to look at, and counts of sources, licences and kinds.

A text that others wrote is shown as a short excerpt beside its source and licence; what the teacher
wrote is shown at length.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from hornbook.plain import visible
from hornbook.report.wording import amount

COUNTED = (
    "licence", "language", "source", "kind", "domain", "subject", "style", "audience", "bloom",
    "template", "route", "reason", "verdict", "kept_corpus", "split", "benchmark", "label",
    "category", "judge", "score_kind", "task",
)  # fmt: skip
TEXTS = ("text", "prompt", "answer", "topic", "excerpt", "detail")  # what one reads first
# the host of an address, or the first folder of a path
ORIGIN = r"^(?:[a-zA-Z][a-zA-Z0-9+.-]*://)?(?P<origin>[^/?#]*)"
_SHARD = re.compile(r"-\d{5}$")
_DOCUMENTS = "part"
_EXAMPLES = "dropped"  # of each reason a few rows; the summary has the true counts


@dataclass(frozen=True)
class Limits:
    """How much of a table is shown."""

    rows: int
    characters: int  # of a text of ours
    excerpt_characters: int  # of a text that others wrote
    kinds: int  # values of a column that are counted by name
    counted_rows: int  # of which sources and kinds are counted


@dataclass(frozen=True)
class Counts:
    """How often each value of a column stands there, the most frequent first."""

    column: str
    values: tuple[tuple[str, int], ...]
    others: int  # rows with a value that is not listed


@dataclass(frozen=True)
class Dataset:
    """A table of an artifact; `counted` are the rows that `counts` are over."""

    name: str
    rows: int
    columns: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]
    counts: tuple[Counts, ...]
    counted: int
    is_excerpt: bool


def datasets(folder: Path, limits: Limits) -> list[Dataset]:
    """The tables of an artifact by name, what it keeps first; an index of tokens is none to read.

    Samples are rows at equal distances, so the same table gives the same ones.
    """
    groups: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*.parquet")):
        groups.setdefault(_SHARD.sub("", file.stem), []).append(file)
    ordered = sorted(groups, key=lambda name: (name != _DOCUMENTS, name))
    return [_dataset(name, groups[name], limits) for name in ordered]


def _dataset(name: str, files: Sequence[Path], limits: Limits) -> Dataset:
    import pyarrow.parquet as pq

    tables = [pq.ParquetFile(file) for file in files]
    schema = tables[0].schema_arrow
    readable = [one.name for one in schema if _is_readable(str(one.type))]
    columns = tuple(sorted(readable, key=lambda column: column not in TEXTS))
    rows = sum(table.metadata.num_rows for table in tables)
    is_excerpt = bool({"source", "excerpt"} & set(columns)) and "topic_id" not in columns
    most = limits.excerpt_characters if is_excerpt else limits.characters
    places = _places(rows, limits.rows)
    found = _rows(tables, columns, places)
    return Dataset(
        name="documents" if name == _DOCUMENTS else name.replace("_", " "),
        rows=rows,
        columns=columns,
        samples=tuple(tuple(cell_text(row[c], most) for c in columns) for row in found),
        counts=() if name == _EXAMPLES else _counts(tables, _counted(columns, is_excerpt), limits),
        counted=min(rows, limits.counted_rows),
        is_excerpt=is_excerpt,
    )


def _counted(columns: Sequence[str], is_excerpt: bool) -> list[str]:
    """The columns that are counted; where a text of ours is from, its page says."""
    return [name for name in COUNTED if name in columns and (is_excerpt or name != "source")]


def _is_readable(kind: str) -> bool:
    return not kind.startswith(("list", "binary", "fixed_size_binary", "large_binary", "struct"))


def _places(rows: int, most: int) -> list[int]:
    count = min(rows, most)
    return [place * rows // count for place in range(count)]


def _rows(tables: Sequence[Any], columns: Sequence[str], places: Sequence[int]) -> Iterator[Any]:
    """The rows at ascending places of several files, read by row group."""
    todo, start = list(places), 0
    for table in tables:
        for group in range(table.num_row_groups):
            size = table.metadata.row_group(group).num_rows
            here = [place - start for place in todo if place < start + size]
            if here:
                yield from table.read_row_group(group, list(columns)).take(here).to_pylist()
            todo, start = todo[len(here) :], start + size


def _counts(tables: Sequence[Any], columns: Sequence[str], limits: Limits) -> tuple[Counts, ...]:
    """Counts over the first rows, column by column."""
    if not columns:
        return ()
    pc: Any = import_module("pyarrow.compute")  # its functions are made at import, so untyped
    found: dict[str, Counter[str]] = {column: Counter() for column in columns}
    left = limits.counted_rows
    for batch in (one for table in tables for one in table.iter_batches(columns=list(columns))):
        kept, left = batch.slice(0, left), max(left - batch.num_rows, 0)
        for column in columns:
            values = kept.column(column).cast("string")
            if column == "source":
                values = pc.struct_field(pc.extract_regex(values, ORIGIN), "origin")
            for one in pc.value_counts(values).to_pylist():
                found[column][one["values"] or ""] += one["counts"]
        if not left:
            break
    return tuple(_ranked(column, counted, limits.kinds) for column, counted in found.items()
                 if counted)  # fmt: skip


def _ranked(column: str, counted: Mapping[str, int], most: int) -> Counts:
    ranked = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    named = tuple((cell_text(name, 80) or "(none)", count) for name, count in ranked[:most])
    shown = "host or folder" if column == "source" else column.replace("_", " ")
    return Counts(shown, named, sum(count for _, count in ranked[most:]))


def cell_text(value: Any, most: int) -> str:  # noqa: ANN401 - whatever a table holds
    """A value of a table as text of at most `most` characters."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 1_000_000 else amount(value)
    return shortened(str(value), most)


def shortened(text: str, most: int) -> str:
    """A text cut at `most` characters, with marks in place of what would turn or hide a line."""
    return visible(text if len(text) <= most else text[:most].rstrip() + "\N{HORIZONTAL ELLIPSIS}")
