"""The tables of the report as one plain value: the paper's figures, ours beside them, notes."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict
from typing import Any

from hornbook.report.cells import Cell
from hornbook.report.figures import Figures, PaperTable
from hornbook.report.paired import Difference
from hornbook.report.wording import amount

HERE = "benchmark_tables"
BOOKS = "books"  # the corpus of textbooks
MICRO = "micro_"  # how the tasks of the micro-suites begin, whichever suite runs them
NOT_ASKED = (
    "not asked for: evaluate.suites of this experiment does not list the benchmark; choose "
    "evaluate=plumbing or evaluate=paper, and data=shared or a data.benchmarks that holds its files"
)
COMPUTE_NOTE = (
    "Time, speed and memory are measurements: they differ between machines, so no artifact holds "
    "them. The command hornbook table shows what this machine took."
)
REAL_NOTE = (
    "At this size a model has next to no skill on these benchmarks: the cells show that the whole "
    "path from topic seeds to a score works, and a score within its error of the floor is no "
    "signal. Figures marked ? are the paper's as recollected, not seen in its text."
)
CLEAN_NOTE = (
    "Clean items: the same score over the items of which the training text of that variant, after "
    "decontamination, holds no n-gram and no edited copy; n is their number, and "
    "'few' marks fewer than {few}. Items too short to be looked for are not among them."
)
MICRO_NOTE = (
    "These scores can show whether textbooks that teach a skill make a tiny model better at it on "
    "held-out combinations. They do not show the paper's result: the models are tiny, suite and "
    "teacher share an author, and at equal tokens the variants see different amounts of textbooks "
    "({books}), so the order of the variants here is not the paper's. Errors are over clusters of "
    "items made from one template, {seeds}; read every score against its floor (a guess, or "
    "the answers scored without their question) and beside the share of items whose n-grams the "
    "training text holds."
)
DIFFERENCES_NOTE = (
    "Every pair of variants on every task, item by item: both answered the same items, and items "
    "of a cluster stay together. p is of a test that flips the signs of the clusters' differences "
    "(McNemar's where each is one item, scored 0 or 1){seeds}; corrected: by Holm for all {number} "
    "comparisons of this report. A score is bold where it is the best of the variants and differs "
    "from each of the others, corrected p < {significance}. Without bold these items do not show "
    "a difference, which is not to say that there is none: five clusters never can."
)
COMPARED_NOTE = (
    "{models} not trained here: a checkpoint with its own tokenizer, asked the same items by the "
    "same code. Of its training text nothing is known here, so neither overlap nor clean items "
    "are. No difference from it is tested and it is left out of what is bold, so that what is said "
    "of the variants does not depend on what stands beside them."
)
ONE_SEED = "; it knows nothing of the luck of a training, of which there is one for each variant"
MORE_SEEDS = (
    "; over seeds a t-test with the variance between seeds too, and the larger p counts, which is "
    "strict: of true differences it shows few with two seeds"
)
SEEDS_NOTE = (
    "Scores are means over the seeds {seeds} of training, which decide the initial weights and the "
    "order of the text. Their error has two parts, added as squares: over clusters of items, of "
    "each item's mean over the seeds, and between seeds, the standard deviation of the seeds' "
    "scores over the root of their number. What seed and item share is counted in both, so the "
    "error is rather too large (arXiv:1106.2125); of two or three seeds it is itself uncertain."
)


def assemble(
    figures: Figures,
    cells: Sequence[Cell],
    *,
    variants: Sequence[str],
    facts: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    signal_stderrs: float,
    few_items: int,
    differences: Sequence[Difference] = (),
    significance: float = 0.05,
    perplexity: Sequence[Mapping[str, Any]] = (),
    compared: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Tables 1 to 4, the micro-suites, and what else was evaluated.

    `facts` are those of each variant's training: `parameters`, `budget_tokens`, `data_tokens` and
    the tokens drawn from each corpus. `compared` are those of each model that was not trained
    here, with its `name`; its cells are among `cells`.
    A score is a signal when it is more than `signal_stderrs` standard errors above its floor.
    """
    by_task = _by_task(cell for cell in cells)
    best = best_of([cell for cell in cells if cell.variant in variants], differences)
    others = [one["name"] for one in compared]
    shown = _Shown(by_task, variants, facts, signal_stderrs, best, others)
    tables = {name: shown.table(table) for name, table in figures.tables.items()}
    behind = by_seed(cells)
    notes = _notes(
        facts, variants, differences, seeds=seeds, few_items=few_items, significance=significance,
        others=others, has_behind=bool(behind),
    )  # fmt: skip
    used = {(c.task, c.metric) for table in figures.tables.values() for c in table.columns}
    micro = [cell for cell in cells if cell.task.startswith(MICRO)]
    rest = [cell for cell in cells if cell not in micro and (cell.task, cell.kind) not in used]
    return {
        "paper": figures.paper,
        "variants": [{"variant": name, **facts[name]} for name in variants],
        "compared": [dict(one) for one in compared],
        "tables": tables,
        "micro": shown.rows(micro),
        "further": shown.rows(rest),
        "differences": [asdict(one) for one in differences],
        "perplexity": list(perplexity),
        "notes": notes,
        **({"by_seed": behind} if behind else {}),
    }


def _notes(
    facts: Mapping[str, Mapping[str, Any]],
    variants: Sequence[str],
    differences: Sequence[Difference],
    *,
    seeds: Sequence[int],
    few_items: int,
    significance: float,
    others: Sequence[str],
    has_behind: bool,
) -> dict[str, str]:
    """What has to be said of these tables, by its subject; `others` are the compared models."""
    books = ", ".join(
        f"{name} {amount(facts[name]['drawn_tokens'].get(BOOKS, 0))}" for name in variants
    )
    notes = {
        "compute": COMPUTE_NOTE,
        "tables": REAL_NOTE,
        "clean": CLEAN_NOTE.format(few=few_items),
        "micro": MICRO_NOTE.format(
            books=books, seeds="one seed each" if len(seeds) == 1 else "and over seeds"
        ),
    }
    if differences:
        notes["differences"] = DIFFERENCES_NOTE.format(
            seeds=ONE_SEED if len(seeds) == 1 else MORE_SEEDS,
            number=len(differences),
            significance=significance,
        )
    if others:
        were = "was" if len(others) == 1 else "were"
        notes["compared"] = COMPARED_NOTE.format(models=f"{', '.join(others)} {were}")
    if has_behind:
        notes["seeds"] = SEEDS_NOTE.format(seeds=", ".join(map(str, seeds)))
    return notes


def names_of(tables: Mapping[str, Any]) -> list[str]:
    """Every model that has scores of ours, our variants first."""
    ours = [row["variant"] for row in tables["variants"]]
    return [*ours, *(one["name"] for one in tables["compared"])]


def best_of(cells: Sequence[Cell], differences: Iterable[Difference]) -> set[tuple[str, str, str]]:
    """(task, metric, variant) of each score that is better than those of all other variants.

    Better: the difference from each remains after the correction.
    """
    better: dict[tuple[str, str, str], set[str]] = {}
    for one in differences:
        if one.differs:
            won, lost = one.variant, one.other
            if one.difference < 0:
                won, lost = lost, won
            better.setdefault((one.task, one.metric, won), set()).add(lost)
    scored: dict[tuple[str, str], set[str]] = {}
    for cell in cells:
        if cell.value is not None:
            scored.setdefault((cell.task, cell.metric), set()).add(cell.variant)
    return {key for key, lost in better.items() if lost == scored.get(key[:2], set()) - {key[2]}}


def by_seed(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """The scores behind each mean over seeds, sorted by task, metric and variant as they come."""
    return [
        {
            "task": cell.task,
            "metric": cell.metric,
            "variant": cell.variant,
            "seeds": [asdict(one) for one in cell.seeds],
            "seeds_stderr": cell.seeds_stderr,
            "stderr": cell.stderr,
        }
        for cell in sorted(cells, key=lambda one: (one.task, one.metric))
        if cell.seeds
    ]


def _by_task(cells: Iterable[Cell]) -> dict[str, dict[str, list[Cell]]]:
    found: dict[str, dict[str, list[Cell]]] = {}
    for cell in cells:
        found.setdefault(cell.task, {}).setdefault(cell.variant, []).append(cell)
    return found


class _Shown:
    """How cells are put into rows."""

    def __init__(
        self,
        by_task: Mapping[str, Mapping[str, Sequence[Cell]]],
        variants: Sequence[str],
        facts: Mapping[str, Mapping[str, Any]],
        signal_stderrs: float,
        best: Set[tuple[str, str, str]],
        compared: Sequence[str],
    ) -> None:
        self.by_task = by_task
        self.variants = variants
        self.facts = facts
        self.signal_stderrs = signal_stderrs
        self.best = best
        self.compared = compared

    def table(self, table: PaperTable) -> dict[str, Any]:
        """A table of the paper, below it our variants and the models they are compared with."""
        rows = [
            {
                "kind": "paper",
                "label": row.label,
                "seen_in": row.seen_in,
                "variant": row.variant,
                "cells": {key: asdict(cell) for key, cell in row.cells.items()},
            }
            for row in table.rows
        ]
        rows += [
            {"kind": kind, "label": name, "variant": name, "cells": self._ours(table, name)}
            for kind, names in (("ours", self.variants), ("compared", self.compared))
            for name in names
        ]
        columns = [asdict(column) for column in table.columns]
        return {
            "title": table.title,
            "caption": table.caption,
            "source": table.source,
            "unit": table.unit,
            "columns": columns,
            "rows": rows,
        }

    def _ours(self, table: PaperTable, variant: str) -> dict[str, Any]:
        if table.unit == "mixed":
            return {column.key: self._fact(column.key, variant) for column in table.columns}
        return {
            column.key: self._task(column.task, column.metric, variant) for column in table.columns
        }

    def _task(self, task: str | None, metric: str | None, variant: str) -> dict[str, Any]:
        found = self.by_task.get(task or "", {}).get(variant, [])
        for cell in found:
            if cell.kind == metric or cell.not_run:
                return self._cell(cell)
        has = ", ".join(cell.metric for cell in found)
        reason = f"the evaluation of {task} has no metric {metric}; it has {has}"
        return {"value": None, "not_run": reason if found else NOT_ASKED}

    def _cell(self, cell: Cell) -> dict[str, Any]:
        floor, error = cell.floor, cell.stderr
        signal = None
        if cell.value is not None and floor is not None and error is not None:
            signal = cell.value - floor > self.signal_stderrs * error
        best = (cell.task, cell.metric, cell.variant) in self.best
        kept = asdict(cell) | {"floor": floor, "signal": signal, "best": best}
        if cell.seeds:
            kept["stage"] = HERE  # a mean is from no evaluation alone; `seeds` names them all
        else:
            del kept["seeds"], kept["seeds_stderr"]
        return {key: value for key, value in kept.items() if key != "variant"}

    def _fact(self, key: str, variant: str) -> dict[str, Any]:
        facts = self.facts.get(variant)
        known = {"data_size_tokens": "data_tokens", "train_tokens": "budget_tokens"}.get(key)
        if known is None or facts is None:
            return {"value": None, "not_run": None}
        value = facts[known]
        return {"value": value, "not_run": None, "stage": f"mixture@{variant}"}

    def rows(self, cells: Sequence[Cell]) -> list[dict[str, Any]]:
        """One row for each task and metric, sorted, with a cell for each model."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for cell in cells:
            found.setdefault((cell.task, cell.metric), {})[cell.variant] = self._cell(cell)
        return [
            {
                "task": task,
                "metric": metric,
                "cells": {n: by[n] for n in (*self.variants, *self.compared) if n in by},
            }
            for (task, metric), by in sorted(found.items())
        ]


def numbers(tables: Mapping[str, Any], cells: Sequence[Cell]) -> dict[str, dict[str, float]]:
    """Every score by variant and task, flat enough for `dvc metrics show`."""
    found: dict[str, dict[str, float]] = {row["variant"]: {} for row in tables["variants"]}
    for cell in cells:
        if cell.value is not None:
            key = f"{cell.suite}/{cell.task}/{cell.metric}"
            found.setdefault(cell.variant, {})[key] = cell.value
            if cell.clean is not None and cell.clean.value is not None:
                found[cell.variant][f"{key}/clean"] = cell.clean.value
    return found


def reasons(tables: Mapping[str, Any]) -> list[str]:
    """Why cells have no value, each reason once, in the order of the tables."""
    rows = [row for table in tables["tables"].values() for row in table["rows"]]
    rows += [*tables["micro"], *tables["further"]]
    found = (cell.get("not_run") for row in rows for cell in row["cells"].values())
    return list(dict.fromkeys(reason for reason in found if reason))
