"""The loss curve: means between rows, journalled while training, a table in the end.

No time and no throughput in it: the same training gives the same bytes.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, float | int | None]


class Curve:
    """Rows so far, and the sums of the row that is being filled.

    The journal is a line of JSON per row, for whoever watches a run; what counts when a run
    resumes is the checkpoint, and lines after it are dropped.
    """

    def __init__(self, journal: Path, sources: Sequence[str]) -> None:
        self.sources = tuple(sources)
        self.rows: list[Row] = []
        self._journal = journal
        self._losses = [0.0] * len(self.sources)
        self._sequences = [0] * len(self.sources)
        self._norm, self._steps = 0.0, 0

    def add(self, losses: Sequence[float], sources: Sequence[int], grad_norm: float | None) -> None:
        """One step: the loss and the source (index into `sources`) of each of its sequences.

        A skipped step has no gradient norm.
        """
        for loss, source in zip(losses, sources, strict=True):
            self._losses[source] += loss
            self._sequences[source] += 1
        if grad_norm is not None:
            self._norm += grad_norm
            self._steps += 1

    def close_row(
        self, *, step: int, tokens: int, lr: float, heldout: Mapping[str, float | None] | None
    ) -> Row:
        """The means since the last row, as a row; `heldout` has a loss per source, or was not due.

        A source of which nothing was drawn has no loss.
        """
        row: Row = {
            "step": step,
            "tokens": tokens,
            "loss": sum(self._losses) / sum(self._sequences),
            "eval_loss": heldout["all"] if heldout else None,
            "lr": lr,
            "grad_norm": self._norm / self._steps if self._steps else None,
        }
        for name, total, count in zip(self.sources, self._losses, self._sequences, strict=True):
            row[f"loss_{name}"] = total / count if count else None
        for name in self.sources:
            row[f"eval_loss_{name}"] = heldout[name] if heldout else None
        self.rows.append(row)
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(_line(row))
        self._losses, self._sequences = [0.0] * len(self.sources), [0] * len(self.sources)
        self._norm, self._steps = 0.0, 0
        return row

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "rows": self.rows,
            "losses": self._losses,
            "sequences": self._sequences,
            "norm": self._norm,
            "steps": self._steps,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint; the journal becomes what the checkpoint knows."""
        self.rows = list(state["rows"])
        self._losses, self._sequences = list(state["losses"]), list(state["sequences"])
        self._norm, self._steps = state["norm"], state["steps"]
        self.rewrite_journal()

    def rewrite_journal(self) -> None:
        """The journal with exactly the rows known here."""
        part = self._journal.with_suffix(".part")
        part.write_text("".join(map(_line, self.rows)), encoding="utf-8")
        part.replace(self._journal)

    def csv(self) -> str:
        """All rows; an empty cell is a loss that was not measured."""
        names = ["step", "tokens", "loss", "eval_loss", "lr", "grad_norm"]
        names += [f"{kind}_{name}" for kind in ("loss", "eval_loss") for name in self.sources]
        lines = [",".join(names)]
        lines += [",".join(_cell(row[name]) for name in names) for row in self.rows]
        return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    return json.dumps(row, sort_keys=True) + "\n"


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.7g}"
