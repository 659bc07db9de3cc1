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

    def __init__(
        self,
        journal: Path | None,
        sources: Sequence[str],
        domains: Sequence[str] = (),
        *,
        has_z: bool,
    ) -> None:
        """A curve without rows.

        Args:
            journal: The file of the rows while training; None keeps none.
            sources: Names of corpora; each has a column.
            domains: `corpus/domain`, likewise.
            has_z: Whether there is a column for what z-loss weighs.
        """
        self.sources, self.domains = tuple(sources), tuple(domains)
        self.rows: list[Row] = []
        self._journal = journal
        self._has_z = has_z
        self._by_source = Means(len(self.sources))
        self._by_domain = Means(len(self.domains))
        self._norm, self._z = Means(1), Means(1)
        self._skipped = 0

    @property
    def is_empty(self) -> bool:
        """Whether no loss was added since the last row."""
        return not any(self._by_source.counts)

    def add(
        self,
        losses: Sequence[float],
        sources: Sequence[int],
        domains: Sequence[int],
        *,
        grad_norm: float | None,
        z: float | None,
        is_skipped: bool,
    ) -> None:
        """One step: the loss of each of its sequences, with indices of its source and domain.

        A sequence without a domain has -1 there; a step without losses, norm or z adds none.
        """
        for loss, source, domain in zip(losses, sources, domains, strict=True):
            self._by_source.add(source, loss)
            if domain >= 0:
                self._by_domain.add(domain, loss)
        if grad_norm is not None:
            self._norm.add(0, grad_norm)
        if z is not None:
            self._z.add(0, z)
        self._skipped += is_skipped

    def close_row(
        self, *, step: int, tokens: int, lr: float, heldout: Mapping[str, float | None] | None
    ) -> Row:
        """The means since the last row, as a row; `heldout` by source and domain, or not due.

        A source or domain of which nothing was drawn has no loss.
        """
        row: Row = {
            "step": step,
            "tokens": tokens,
            "loss": self._by_source.mean(),
            "eval_loss": heldout["all"] if heldout else None,
            "lr": lr,
            "grad_norm": self._norm.mean(),
            "skipped": self._skipped,
        }
        if self._has_z:
            row["z"] = self._z.mean()
        for names, means in ((self.sources, self._by_source), (self.domains, self._by_domain)):
            row |= {f"loss_{name}": means.mean(number) for number, name in enumerate(names)}
            row |= {f"eval_loss_{name}": heldout[name] if heldout else None for name in names}
        self.rows.append(row)
        if self._journal:
            with self._journal.open("a", encoding="utf-8") as file:
                file.write(_line(row))
        for means in (self._by_source, self._by_domain, self._norm, self._z):
            means.clear()
        self._skipped = 0
        return row

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "rows": self.rows,
            "by_source": self._by_source.state(),
            "by_domain": self._by_domain.state(),
            "norm": self._norm.state(),
            "z": self._z.state(),
            "skipped": self._skipped,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint; the journal becomes what the checkpoint knows."""
        self.rows = list(state["rows"])
        self._by_source.load(state["by_source"])
        self._by_domain.load(state["by_domain"])
        self._norm.load(state["norm"])
        self._z.load(state["z"])
        self._skipped = state["skipped"]
        self.rewrite_journal()

    def rewrite_journal(self) -> None:
        """The journal with exactly the rows known here."""
        if self._journal is None:
            return
        part = self._journal.with_suffix(".part")
        part.write_text("".join(map(_line, self.rows)), encoding="utf-8")
        part.replace(self._journal)

    def csv(self) -> str:
        """All rows; an empty cell is a loss that was not measured."""
        names = ["step", "tokens", "loss", "eval_loss", "lr", "grad_norm", "skipped"]
        names += ["z"] if self._has_z else []
        for some in (self.sources, self.domains):
            names += [f"{kind}_{name}" for kind in ("loss", "eval_loss") for name in some]
        lines = [",".join(names)]
        lines += [",".join(_cell(row[name]) for name in names) for row in self.rows]
        return "\n".join(lines) + "\n"


class Means:
    """Sums and counts of several kinds, between two rows."""

    def __init__(self, kinds: int) -> None:
        self.totals, self.counts = [0.0] * kinds, [0] * kinds

    def add(self, kind: int, value: float) -> None:
        """One more value of a kind."""
        self.totals[kind] += value
        self.counts[kind] += 1

    def mean(self, kind: int | None = None) -> float | None:
        """Of one kind, else of all; None where there is no value."""
        totals = self.totals if kind is None else [self.totals[kind]]
        counts = self.counts if kind is None else [self.counts[kind]]
        return sum(totals) / sum(counts) if any(counts) else None

    def clear(self) -> None:
        """No value of any kind."""
        self.totals, self.counts = [0.0] * len(self.totals), [0] * len(self.counts)

    def state(self) -> list[list[float] | list[int]]:
        """For a checkpoint."""
        return [self.totals, self.counts]

    def load(self, state: Sequence[Sequence[Any]]) -> None:
        """From a checkpoint."""
        self.totals, self.counts = list(state[0]), list(state[1])


def _line(row: Row) -> str:
    return json.dumps(row, sort_keys=True) + "\n"


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.7g}"
