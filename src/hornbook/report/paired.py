"""Whether two variants differ on a task, item by item, and what remains of it among many tests.

Both variants answered the same items, so the difference is taken item by item, and items of a
cluster (one template, one passage) stay together. Under the null hypothesis a cluster's difference
is as likely to have the other sign; where every cluster is one item scored 0 or 1 this is McNemar's
exact test. Over several seeds of training a t-test adds the variance between the seeds'
differences, and the larger of both p-values counts. All p-values of a report are corrected together
(Holm 1979). Sources: Dror et al. (ACL 2018) on paired tests; arXiv:2411.00640 on clustered items.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from hornbook.report.over_seeds import seeds_error
from hornbook.report.overlap import DIGITS, ItemScore, cluster_error
from hornbook.seeds import stream

if TYPE_CHECKING:
    import numpy as np

BY_SEED = Mapping[int, Sequence[ItemScore]]  # what a variant scored, by seed of training
EXACT_CLUSTERS = 16  # so many differ at most where every pattern of signs is looked at
CHUNK = 1_000_000  # signs drawn at once
COVERED = 0.975  # quantile of a 95 % interval


@dataclass(frozen=True)
class Settings:
    """How differences are tested."""

    significance: float  # of a corrected p-value
    flips: int  # random patterns of signs where there are too many to look at all
    seed: int


@dataclass(frozen=True)
class Difference:
    """`variant` minus `other` on one task, in [-1, 1].

    `low` and `high` bound 95 % around it; None, like `p`, where there is one cluster alone.
    """

    task: str
    metric: str
    variant: str
    other: str
    difference: float
    stderr: float | None
    low: float | None
    high: float | None
    p: float | None
    p_corrected: float | None
    items: int
    clusters: int
    test: str
    differs: bool


def differences(
    answers: Mapping[tuple[str, str], Mapping[str, BY_SEED]], settings: Settings
) -> list[Difference]:
    """Every pair of variants on every (task, metric), corrected for their number.

    Only items that both have are compared; a pair without any has no difference.
    """
    found = [
        one
        for (task, metric), variants in sorted(answers.items())
        for first, second in combinations(variants, 2)
        if (one := _difference((task, metric), (first, second), variants, settings)) is not None
    ]
    corrected = holm([1.0 if one.p is None else one.p for one in found])
    return [
        _corrected(one, p, settings.significance) for one, p in zip(found, corrected, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value corrected for the number of all of them, step by step from the smallest."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, p_values[place] * (len(p_values) - rank)))
        corrected[place] = least
    return corrected


def _corrected(one: Difference, p: float, significance: float) -> Difference:
    if one.p is None:
        return one
    return replace(one, p_corrected=round(p, DIGITS), differs=p < significance)


def _difference(
    asked: tuple[str, str], names: tuple[str, str], by: Mapping[str, BY_SEED], settings: Settings
) -> Difference | None:
    seeds = sorted(set(by[names[0]]) & set(by[names[1]]))
    pairs = [_paired(by[names[0]][seed], by[names[1]][seed]) for seed in seeds]
    if not pairs or not pairs[0]:
        return None
    items = [
        one[0]._replace(score=sum(item.score for item in one) / len(one))
        for one in zip(*pairs, strict=True)
    ]
    mean = sum(one.score for one in items) / len(items)
    clusters = _by_cluster(items)
    error, p, test = cluster_error(items, mean), None, "one cluster"
    freedom = float(len(clusters) - 1)
    if error is not None:
        stream_names = ("flips", *asked, *names)
        p, test = flipped(list(clusters.values()), settings, stream_names, items)
    if error is not None and len(seeds) > 1:
        by_seed = [sum(one.score for one in pair) / len(pair) for pair in pairs]
        between = seeds_error(by_seed)
        error, freedom = _both(error, freedom, between, len(seeds) - 1)
        p, test = max(p or 0.0, _of_t(mean, error, freedom)), f"{test}; t over {len(seeds)} seeds"
    low, high = _interval(mean, error, freedom)
    return Difference(
        *asked, *names, round(mean, DIGITS), _round(error), _round(low), _round(high), _round(p),
        None, len(items), len(clusters), test, differs=False,
    )  # fmt: skip


def _paired(first: Sequence[ItemScore], second: Sequence[ItemScore]) -> list[ItemScore]:
    """The items of both, with the difference as their score, sorted by item."""
    other = {one.item: one.score for one in second}
    both = [one._replace(score=one.score - other[one.item]) for one in first if one.item in other]
    return sorted(both)


def _by_cluster(items: Sequence[ItemScore]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for one in items:
        sums[one.cluster] = sums.get(one.cluster, 0.0) + one.score
    return sums


def flipped(
    sums: Sequence[float], settings: Settings, names: Sequence[str], items: Sequence[ItemScore]
) -> tuple[float, str]:
    """Two-sided p-value of a sum of differences under random signs, and the name of the test."""
    import numpy as np

    told = np.array([value for value in sums if abs(value) > 1e-12])
    if not len(told):
        return 1.0, "equal on every cluster"
    sizes = np.abs(told)
    if sizes.max() - sizes.min() < 1e-9:
        from scipy.stats import binomtest

        p = binomtest(int((told > 0).sum()), len(told)).pvalue
        is_single = len(sums) == len(items) and abs(sizes[0] - 1) < 1e-9
        return float(p), "McNemar, exact" if is_single else "signs of clusters, exact"
    reached = abs(told.sum()) - 1e-9
    if len(told) <= EXACT_CLUSTERS:
        patterns = (np.arange(2 ** len(told))[:, None] >> np.arange(len(told))) & 1
        return _share(patterns, sizes, reached), "flipped clusters, exact"
    drawn, extreme = stream(settings.seed, *names), 1.0
    rows = max(1, CHUNK // len(told))
    for start in range(0, settings.flips, rows):
        shape = (min(rows, settings.flips - start), len(told))
        extreme += shape[0] * _share(drawn.integers(0, 2, shape, dtype=np.int8), sizes, reached)
    return extreme / (settings.flips + 1), "flipped clusters"


def _share(signs: "np.ndarray", sizes: "np.ndarray", reached: float) -> float:
    """Of patterns of signs 0 and 1, the share whose sum is as far from zero as was reached."""
    sums = (2.0 * signs - 1.0) @ sizes
    return float((abs(sums) >= reached).mean())


def _both(error: float, freedom: float, between: float, further: int) -> tuple[float, float]:
    """Two standard errors as one, with its degrees of freedom (Welch and Satterthwaite)."""
    whole = math.hypot(error, between)
    if whole == 0:
        return 0.0, freedom
    parts = error**4 / freedom + between**4 / further
    return whole, whole**4 / parts


def _of_t(mean: float, error: float, freedom: float) -> float:
    from scipy.stats import t

    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * t.sf(abs(mean) / error, freedom))


def _interval(
    mean: float, error: float | None, freedom: float
) -> tuple[float | None, float | None]:
    from scipy.stats import t

    if not error:  # of clusters that all differ alike nothing can be estimated
        return None, None
    reach = float(t.ppf(COVERED, freedom)) * error
    return max(-1.0, mean - reach), min(1.0, mean + reach)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
