"""From per-item scores to a cell: mean, standard error over clusters, floors."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hornbook.seeds import stream

DIGITS = 6


@dataclass(frozen=True)
class Scored:
    """One item's score in [0, 1]; items of a cluster share a template or a passage."""

    task: str
    metric: str
    item: str
    cluster: str
    score: float
    detail: str


@dataclass(frozen=True)
class Cell:
    """A score of a task as results.json holds it.

    `shortened` counts the requests whose beginning the model did not see, for want of context.
    """

    task: str
    metric: str
    value: float | None
    stderr: float | None
    items: int
    clusters: int
    chance: float | None
    blind: float | None
    not_run: str | None
    version: str
    shortened: int
    overlap: None = None

    def as_json(self) -> dict[str, Any]:
        """The cell as a mapping."""
        return asdict(self)


def cluster_error(scored: Sequence[Scored], *, resamples: int, seed: int) -> float:
    """Standard error of the mean by resampling whole clusters."""
    import numpy as np

    groups: dict[str, list[float]] = defaultdict(list)
    for one in scored:
        groups[one.cluster].append(one.score)
    sums = np.array([sum(groups[name]) for name in sorted(groups)])
    counts = np.array([len(groups[name]) for name in sorted(groups)])
    drawn = stream(seed, "bootstrap", scored[0].task).integers(
        len(sums), size=(resamples, len(sums))
    )
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    return float(means.std(ddof=1))


def make_cell(
    scored: Sequence[Scored],
    *,
    version: str,
    chance: float | None,
    blind: float | None,
    shortened: int,
    resamples: int,
    seed: int,
) -> Cell:
    """The cell of a task that ran, from its items' scores by one metric."""
    value = sum(one.score for one in scored) / len(scored)
    return Cell(
        task=scored[0].task,
        metric=scored[0].metric,
        value=round(value, DIGITS),
        stderr=round(cluster_error(scored, resamples=resamples, seed=seed), DIGITS),
        items=len(scored),
        clusters=len({one.cluster for one in scored}),
        chance=None if chance is None else round(chance, DIGITS),
        blind=None if blind is None else round(blind, DIGITS),
        not_run=None,
        version=version,
        shortened=shortened,
    )


def empty_cell(task: str, metric: str, reason: str, version: str) -> Cell:
    """The cell of a task that could not run, with why and what to do."""
    return Cell(task, metric, None, None, 0, 0, None, None, reason, version, 0)
