"""Experiments side by side: the values in which they differ, and what became of the tables."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from hornbook.diff.revisions import experiments
from hornbook.errors import ConfigError
from hornbook.experiment.records import TABLES, Record, record
from hornbook.lineage.cells import SOURCES, TableCell, table_cells
from hornbook.lineage.workspace import flatten

HEAD = "HEAD"
FOLLOWS = ("further_seeds", "compared")  # from `seeds` and `models.compare`
LOWER_IS_BETTER = ("perplexity", "loss")
PERPLEXITY = "perplexity"

State = Literal["there", "not made", "not here"]


@dataclass(frozen=True)
class Column:
    """One side of the comparison; without `cells` its `state` says why."""

    name: str
    revision: str
    state: State
    values: Mapping[str, Any]
    cells: Mapping[tuple[str, str, str], TableCell]  # by task, variant, metric

    @property
    def remedy(self) -> str | None:
        """What to do where there are no numbers."""
        if self.state == "not made":
            again = "hornbook run" if self.name == HEAD else "run it without --target"
            return f"{self.name}: its tables are not of its values: {again}"
        if self.state == "not here":
            again = f"dvc fetch {TABLES}" if self.name == HEAD else "dvc exp pull REMOTE"
            name = "" if self.name == HEAD else f" {self.name}"
            return f"{self.name}: its tables are not in the cache here: {again}{name}"
        return None


@dataclass(frozen=True)
class CellRow:
    """A cell of the tables in every column; None where a column has no such cell."""

    task: str
    variant: str
    metric: str
    cells: Sequence[TableCell | None]

    @property
    def best(self) -> set[int]:
        """The columns with the best number; none where all are equal or there is only one."""
        known = {
            i: c.value
            for i, c in enumerate(self.cells)
            if c and c.value is not None and isfinite(c.value)
        }
        if len(known) < 2 or len(set(known.values())) == 1:
            return set()
        is_low = any(word in self.metric.lower() for word in LOWER_IS_BETTER)
        best = (min if is_low else max)(known.values())
        return {i for i, value in known.items() if value == best}

    @property
    def is_same(self) -> bool:
        """Whether every column has the same number with the same error."""
        return len({repr((c.value, c.stderr, c.interval)) if c else "" for c in self.cells}) == 1


@dataclass(frozen=True)
class Compared:
    """Columns, the values that are not the same in all, and the cells that were asked for."""

    columns: Sequence[Column]
    values: Mapping[str, Sequence[str]]
    rows: Sequence[CellRow]


def compare(
    root: Path,
    names: Sequence[str],
    *,
    metric: str | None = None,
    suite: str | None = None,
    is_all: bool = False,
) -> Compared:
    """HEAD beside the named experiments or revisions, all experiments where none is named.

    `metric` and `suite` choose cells; those that are the same in all only with `is_all`.

    Raises:
        ConfigError: A name is unknown, there is no experiment, or nothing has that metric or suite.
    """
    chosen = list(dict.fromkeys(names)) or sorted(experiments(root))
    if not chosen:
        raise ConfigError("no experiment yet; hornbook experiment run NAME OVERRIDES makes one")
    columns = [_column(record(root, name)) for name in [HEAD, *(n for n in chosen if n != HEAD)]]
    rows = _rows(columns)
    if metric is not None:
        known = dict.fromkeys(row.metric for row in rows)
        alike = {name: [row for row in rows if row.metric == name] for name in known}
        rows = _chosen(rows, "metric", metric, alike)
    if suite is not None:
        rows = _chosen(rows, "suite", suite, _by_suite(columns, rows))
    return Compared(columns, _values(columns), [row for row in rows if is_all or not row.is_same])


def _column(one: Record) -> Column:
    state: State = "there" if one.has(TABLES) else "not made"
    # what a target left out is HEAD's
    lock = {n: e for n, e in one.lock.items() if n not in SOURCES or one.has(n)}
    cells = {cell.key: cell for cell in table_cells(one.root, lock)}
    if state == "there" and not cells:
        state = "not here"
    return Column(one.name, one.revision, state, one.values, cells)


def _values(columns: Sequence[Column]) -> dict[str, list[str]]:
    flat = [flatten(column.values) for column in columns]
    keys = sorted({key for one in flat for key in one if not key.startswith(FOLLOWS)})
    rows = {
        key: [json.dumps(one[key], default=str) if key in one else "absent" for one in flat]
        for key in keys
    }
    return {key: row for key, row in rows.items() if len(set(row)) > 1}


def _rows(columns: Sequence[Column]) -> list[CellRow]:
    keys = dict.fromkeys(key for column in columns for key in column.cells)
    return [CellRow(*key, [column.cells.get(key) for column in columns]) for key in keys]


def _chosen(
    rows: Sequence[CellRow], what: str, wanted: str, known: Mapping[str, Sequence[CellRow]]
) -> list[CellRow]:
    if rows and wanted not in known:
        raise ConfigError(f"no cell has the {what} {wanted!r}; there are {', '.join(known)}")
    return list(known.get(wanted, ()))


def _by_suite(columns: Sequence[Column], rows: Sequence[CellRow]) -> dict[str, list[CellRow]]:
    found: dict[str, list[CellRow]] = {}
    for column in columns:
        suites: Mapping[str, Sequence[str]] = column.values.get("evaluate", {}).get("suites", {})
        for suite, tasks in suites.items():
            asked = {task.lower() for task in tasks}
            for row in rows:
                names = {name for cell in row.cells if cell for name in cell.names}
                held = found.setdefault(suite, [])
                if names & asked and row not in held:
                    held.append(row)
    found[PERPLEXITY] = [row for row in rows if row.metric == PERPLEXITY]
    return found


def lines(found: Compared) -> list[str]:
    """The comparison for a terminal: values, then cells with their errors, the best marked."""
    told: list[str] = []
    names = [column.name for column in found.columns]
    if found.values:
        told += [*_aligned(["value", *names], [[k, *row] for k, row in found.values.items()]), ""]
    if found.rows:
        body = [
            [
                f"{row.task}@{row.variant}",
                row.metric,
                *(_number(cell, is_best=i in row.best) for i, cell in enumerate(row.cells)),
            ]
            for row in found.rows
        ]
        told += _aligned(["cell", "metric", *names], body)
        if any(row.best for row in found.rows):
            told += ["", "* the best of its row, by its number alone: mind the errors beside it"]
    elif any(column.cells for column in found.columns):
        told.append("no number of the tables differs (--all shows them)")
    return [*told, *(column.remedy for column in found.columns if column.remedy)]


def _number(cell: TableCell | None, *, is_best: bool) -> str:
    return f"{cell.number if cell else '-'}{' *' if is_best else ''}"


def _aligned(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    for row in [head, *body]:
        yield "  ".join(f"{text:<{w}}" for text, w in zip(row, widths, strict=True)).rstrip()


def as_csv(found: Compared) -> str:
    """The comparison as a sheet: a row for each value and cell, errors in columns of their own."""
    names = [column.name for column in found.columns]
    text = io.StringIO()
    sheet = csv.writer(text, lineterminator="\n")
    sheet.writerow(["kind", "name", "variant", "metric", *_pairs(names)])
    for key, row in found.values.items():
        sheet.writerow(["value", key, "", "", *(part for one in row for part in (one, ""))])
    for row in found.rows:
        numbers = [(c.value, c.error_text) if c else (None, None) for c in row.cells]
        sheet.writerow(
            ["cell", row.task, row.variant, row.metric, *(part for one in numbers for part in one)]
        )
    return text.getvalue()


def _pairs(names: Sequence[str]) -> list[str]:
    return [part for name in names for part in (name, f"{name} error")]


def _plain(value: float | None) -> float | str | None:
    """A number as JSON has it: NaN and infinity, which it has not, as text."""
    return str(value) if value is not None and not isfinite(value) else value


def as_json(found: Compared) -> dict[str, Any]:
    """The comparison for programs; the cells' order is that of `columns`."""
    return {
        "columns": [
            {"name": one.name, "revision": one.revision, "tables": one.state, "do": one.remedy}
            for one in found.columns
        ],
        "values": [
            {"key": key, "values": [None if v == "absent" else json.loads(v) for v in row]}
            for key, row in found.values.items()
        ],
        "cells": [
            {
                "task": row.task,
                "variant": row.variant,
                "metric": row.metric,
                "numbers": [
                    {"value": _plain(c.value), "stderr": _plain(c.stderr), "interval": c.interval}
                    if c
                    else None
                    for c in row.cells
                ],
                "best": sorted(row.best),
            }
            for row in found.rows
        ],
    }
