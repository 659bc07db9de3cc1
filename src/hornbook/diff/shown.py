"""What a comparison of contents found, before it is text: tables of numbers and texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hornbook.plain import one_line

Value = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows under their columns; a terminal shows the first ones, page and JSON all."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    def as_json(self) -> dict[str, Any]:
        """The table with numbers as numbers."""
        return {"title": self.title, "columns": self.columns, "rows": self.rows}


@dataclass(frozen=True)
class Content:
    """What differs in the artifact of a stage: sentences, then tables.

    `missing` says what is not here and how it comes; there is nothing else then.
    """

    stage: str
    said: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    missing: str | None = None

    def as_json(self) -> dict[str, Any]:
        """All of it for a program."""
        return {
            "stage": self.stage,
            "missing": self.missing,
            "said": self.said,
            "tables": [table.as_json() for table in self.tables],
        }


def text_of(value: Value) -> str:
    """A value for a person."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else " ".join(value.split())


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+,}" if isinstance(value, int) else f"{value:+.3g}"


def aligned(table: Table, *, most_rows: int, most_width: int) -> list[str]:
    """The lines of a table for a terminal: numbers to the right, long texts cut."""
    table = filled(table)
    rows = [[one_line(text_of(cell), most_width) for cell in row] for row in table.rows[:most_rows]]
    every = [list(table.columns), *rows]
    widths = [max(len(row[place]) for row in every) for place in range(len(table.columns))]
    is_number = [are_numbers(table.rows, place) for place in range(len(table.columns))]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in every
    ]
    more = len(table.rows) - most_rows
    return [*lines, f"and {more:,} more: --json and --html have all"] if more > 0 else lines


def filled(table: Table) -> Table:
    """The table without columns in which no row has anything."""
    places = [
        n for n in range(len(table.columns)) if any(row[n] not in {None, ""} for row in table.rows)
    ]
    rows = tuple(tuple(row[n] for n in places) for row in table.rows)
    return Table(table.title, tuple(table.columns[n] for n in places), rows)


def are_numbers(rows: Sequence[Sequence[Value]], place: int) -> bool:
    """Whether a column has no texts."""
    return all(not isinstance(row[place], str) for row in rows)
