"""The numbers of the tables that differ between two states, each with its error bars."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hornbook.diff.revisions import State, read_state
from hornbook.lineage.cells import TABLES, TableCell, table_cells


@dataclass(frozen=True)
class Moved:
    """A cell whose number differs; None where only one side has it."""

    before: TableCell | None
    after: TableCell | None

    def columns(self) -> tuple[str, str, str, str, str]:
        """Name, metric, the number on both sides, and by how much it changed."""
        cell = self.after or self.before
        assert cell is not None
        old, new = (one.number if one else "absent" for one in (self.before, self.after))
        return f"{cell.task}@{cell.variant}", cell.metric, old, new, self._told_change()

    @property
    def change(self) -> float | None:
        """After less before; None where a side has no number."""
        values = [one.value if one else None for one in (self.before, self.after)]
        if values[0] is None or values[1] is None:
            return None
        return values[1] - values[0]

    @property
    def change_stderr(self) -> float | None:
        """The error of the change if both sides had answered other items.

        They answered the same ones as a rule, so it is rather too large (`--contents` pairs them).
        """
        errors = [one.stderr if one else None for one in (self.before, self.after)]
        if errors[0] is None or errors[1] is None:
            return None
        return math.hypot(errors[0], errors[1])

    def _told_change(self) -> str:
        if self.change is None:
            return ""
        told = f"{self.change:+.3g}"
        return f"{told} ({abs(self.change) / self.change_stderr:.1f} errors)" if (
            self.change_stderr
        ) else told  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """The cell with both numbers for a program."""
        cell = self.after or self.before
        assert cell is not None
        sides = {"before": self.before, "after": self.after}
        return {
            "task": cell.task,
            "variant": cell.variant,
            "metric": cell.metric,
            **{
                name: {"value": one.value, "stderr": one.stderr} if one else None
                for name, one in sides.items()
            },
            "change": self.change,
            "change_stderr": self.change_stderr,
        }


def moved(before: Sequence[TableCell], after: Sequence[TableCell]) -> list[Moved]:
    """The cells whose numbers differ, in the order of the tables."""
    old, new = ({(c.task, c.variant): c for c in cells} for cells in (before, after))
    pairs = [Moved(old.get(key), new.get(key)) for key in dict.fromkeys([*new, *old])]
    return [pair for pair in pairs if _number(pair.before) != _number(pair.after)]


def _number(cell: TableCell | None) -> tuple[float | None, float | None] | None:
    return None if cell is None else (cell.value, cell.stderr)


def changed_numbers(root: Path, a: str, b: str) -> list[Moved] | None:
    """The cells of the tables that differ; None where the cache lacks the tables of a side.

    Raises:
        ConfigError: A name is unknown.
    """
    return numbers_between(root, read_state(root, a), read_state(root, b))


def numbers_between(root: Path, a: State, b: State) -> list[Moved] | None:
    """The cells of the tables that differ; None where the cache lacks the tables of a side."""
    locks = (a.lock, b.lock)
    if len({lock[TABLES].out_hash if TABLES in lock else None for lock in locks}) == 1:
        return []
    before, after = (table_cells(root, lock) for lock in locks)
    return moved(before, after) if before and after else None
