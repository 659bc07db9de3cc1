"""The scores of one variant over several seeds of training, as one score with one error.

A score varies with the items that happen to be asked and with the seed that a model happens to
come from, crossed: every model answers every item. The variance of the mean over both is taken as

    variance over clusters of items, of each item's mean over the seeds
    + variance between the seeds' scores / number of seeds

which counts what seed and item share twice and so errs on the large side (Owen and Eckles,
arXiv:1106.2125, show it of the bootstrap of both; subtracting the share, as two-way clustered
errors do, can end below zero with few seeds). Why seeds at all: arXiv:2406.10229.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import mean, variance
from typing import Any

from hornbook.errors import ArtifactError
from hornbook.report.cells import Cell, SeedScore
from hornbook.report.overlap import DIGITS, Clean, ItemScore, cluster_error

REMEDY = (
    "a mean over seeds needs the same items of each; bring the evaluations of all seeds up to date "
    "on one machine: hornbook run evaluate evaluate_seed"
)


def seeds_error(values: Sequence[float]) -> float:
    """Standard error of the mean over seeds, of two values or more."""
    return math.sqrt(variance(values) / len(values))


def over_seeds(cells: Mapping[int, Cell], asked: Mapping[int, Sequence[ItemScore]]) -> Cell:
    """The cells of one task by seed as one; a single one stays as it is.

    Raises:
        ArtifactError: The seeds were asked different items, or some have no score.
    """
    first = cells[min(cells)]
    values = [cell.value for cell in cells.values() if cell.value is not None]
    if len(cells) == 1 or not values:
        return first
    for cell in cells.values():
        if cell.value is None:
            raise ArtifactError(
                f"{cell.stage}: {cell.task} has no score ({cell.not_run}); {REMEDY}"
            )
    means = mean_items(cells, asked)
    between = seeds_error(values)
    within = cluster_error(means, sum(one.score for one in means) / len(means))
    blind = [cell.blind for cell in cells.values() if cell.blind is not None]
    scores = [
        SeedScore(seed, cell.stage, cell.value or 0.0, cell.hash) for seed, cell in cells.items()
    ]
    return replace(
        first,
        hash=None,  # the seeds have theirs
        value=round(mean(values), DIGITS),
        stderr=None if within is None else round(math.hypot(within, between), DIGITS),
        blind=round(mean(blind), DIGITS) if blind else None,
        seeds=tuple(sorted(scores, key=lambda one: one.seed)),
        seeds_stderr=round(between, DIGITS),
    )


def mean_items(
    cells: Mapping[int, Cell], asked: Mapping[int, Sequence[ItemScore]]
) -> list[ItemScore]:
    """Each item of a task with the mean of its scores over the seeds.

    Raises:
        ArtifactError: The seeds were not asked the same items.
    """
    first = asked[min(asked)]
    found: dict[str, list[float]] = {one.item: [] for one in first}
    for seed, scores in asked.items():
        if {one.item for one in scores} != set(found):
            cell = cells[seed]
            raise ArtifactError(f"{cell.stage}: {cell.task} asked other items; {REMEDY}")
        for one in scores:
            found[one.item].append(one.score)
    return [one._replace(score=mean(found[one.item])) for one in first]


def clean_over_seeds(pooled: Clean | None, by_seed: Sequence[Clean | None]) -> Clean | None:
    """The score over clean items of the mean over seeds, with what the seeds add to its error."""
    values = [one.value for one in by_seed if one is not None and one.value is not None]
    if pooled is None or pooled.stderr is None or len(values) < 2:
        return pooled
    error = math.hypot(pooled.stderr, seeds_error(values))
    return replace(pooled, stderr=round(error, DIGITS))


def mean_losses(trainings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The facts of the first training with the mean held-out losses of all.

    `eval_loss_stderr` and `eval_loss_by_source_stderr` are standard errors between the seeds. All
    are None of a source without held-out text, which it then lacks for every seed.
    """
    sources: list[str] = sorted(trainings[0]["eval_loss_by_source"])
    whole = [one["eval_loss"] for one in trainings]
    by_source = {name: [t["eval_loss_by_source"][name] for t in trainings] for name in sources}
    return {
        **trainings[0],
        "eval_loss": _known(mean, whole),
        "eval_loss_stderr": _known(seeds_error, whole),
        "eval_loss_by_source": {name: _known(mean, v) for name, v in by_source.items()},
        "eval_loss_by_source_stderr": {
            name: _known(seeds_error, v) for name, v in by_source.items()
        },
    }


def _known(
    statistic: Callable[[Sequence[float]], float], values: Sequence[float | None]
) -> float | None:
    """The statistic of values that are all known."""
    known = [value for value in values if value is not None]
    return statistic(known) if len(known) == len(values) else None
