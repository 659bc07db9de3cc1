"""The numbers of the tables that differ between two states, each with its error or interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hornbook.diff.artifacts import how_to_get
from hornbook.diff.revisions import State, read_state
from hornbook.lineage import cells
from hornbook.lineage.cells import TableCell
from hornbook.lineage.pieces import Missing

NUMBERS = ("cell", "metric", "before", "after", "change")
CLEAR = 2.0  # errors that a change has to have to be one that a reader should see


@dataclass(frozen=True)
class Moved:
    """A cell whose number differs; None where only one side has it."""

    before: TableCell | None
    after: TableCell | None

    @property
    def cell(self) -> TableCell:
        """What it is a number of."""
        cell = self.after or self.before
        assert cell is not None, "one side has it"
        return cell

    def columns(self) -> tuple[str, str, str, str, str]:
        """Name, metric, the number on both sides, and by how much it changed."""
        cell = self.cell
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

    @property
    def is_overlapping(self) -> bool | None:
        """Whether the intervals of both sides have a number in common; None without intervals."""
        ends = [one.interval if one else None for one in (self.before, self.after)]
        if ends[0] is None or ends[1] is None:
            return None
        return ends[0][0] <= ends[1][1] and ends[1][0] <= ends[0][1]

    @property
    def is_clear(self) -> bool:
        """Whether the change is larger than its error explains, by a rule of thumb."""
        if self.is_overlapping is not None:
            return not self.is_overlapping
        errors = self.change_stderr
        return bool(errors) and self.change is not None and abs(self.change) > CLEAR * errors

    def _told_change(self) -> str:
        if self.change is None:
            return ""
        told = f"{self.change:+.3g}"
        if self.is_overlapping is not None:
            return f"{told} (intervals {'overlap' if self.is_overlapping else 'apart'})"
        errors = self.change_stderr
        return f"{told} ({abs(self.change) / errors:.1f} errors)" if errors else told

    def as_json(self) -> dict[str, Any]:
        """The cell with both numbers for a program."""
        cell = self.cell
        return {
            "task": cell.task,
            "variant": cell.variant,
            "metric": cell.metric,
            "before": _as_json(self.before),
            "after": _as_json(self.after),
            "change": self.change,
            "change_stderr": self.change_stderr,
            "intervals_overlap": self.is_overlapping,
            "is_clear": self.is_clear,
        }


def _as_json(cell: TableCell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    return {"value": cell.value, "stderr": cell.stderr, "interval": cell.interval}


def moved(before: Sequence[TableCell], after: Sequence[TableCell]) -> list[Moved]:
    """The cells whose numbers differ, in the order of the tables."""
    old, new = ({cell.key: cell for cell in side} for side in (before, after))
    pairs = [Moved(old.get(key), new.get(key)) for key in dict.fromkeys([*new, *old])]
    return [pair for pair in pairs if _number(pair.before) != _number(pair.after)]


def _number(cell: TableCell | None) -> str:
    """What is compared, as text: what is no number equals itself there."""
    return "" if cell is None else repr((cell.value, cell.stderr, cell.interval))


def changed_numbers(root: Path, a: str, b: str) -> list[Moved] | None:
    """The cells of the tables that differ; None where the cache lacks the tables of a side.

    Raises:
        ConfigError: A name is unknown.
    """
    return numbers_between(root, read_state(root, a), read_state(root, b))[0]


def numbers_between(root: Path, a: State, b: State) -> tuple[list[Moved] | None, str]:
    """The cells that differ, and what cannot be read with the way to it.

    None where nothing can be compared, though tables differ.
    """
    found: list[Moved] = []
    told: list[str] = []
    is_any = False
    for stage in cells.SOURCES:
        if len({s.lock[stage].out_hash if stage in s.lock else None for s in (a, b)}) == 1:
            is_any = is_any or stage in a.lock
            continue
        sides = [cells.cells_of(root, state.lock, stage) for state in (a, b)]
        lacking = [
            remark
            for state, side in zip((a, b), sides, strict=True)
            if (remark := _remark(state, stage, side))
        ]
        told += lacking
        before, after = (() if isinstance(side, Missing) else side for side in sides)
        if not lacking:
            is_any = True
            found += moved(before, after)
    return (found if is_any or not told else None), " ".join(told)


def _remark(state: State, stage: str, side: Sequence[TableCell] | Missing) -> str:
    """Why there are no numbers on a side, and what brings them."""
    if isinstance(side, Missing):
        if side.is_other_form:
            return f"Those of {stage} at {state} are of another version of hornbook."
        return f"Those of {stage} at {state} are {side} {how_to_get(stage, state)}"
    return "" if side else f"{state} has none of {stage}."
