"""What training text holds of benchmark items, and the score over the items it holds nothing of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hornbook.artifacts import read_table

# tasks that ask the items of another benchmark, under the name of the task
SAME_ITEMS = {"gsm8k_code": "gsm8k"}
DIGITS = 6


class ItemOverlap(NamedTuple):
    """Which n-grams of an item a corpus has, of how many; `copied`: as edited copy or program."""

    positions: frozenset[int]
    ngrams: int
    copied: bool = False

    @property
    def share(self) -> float:
        """How much of the item is there."""
        return 1.0 if self.copied else len(self.positions) / self.ngrams


CorpusOverlap = Mapping[str, Mapping[str, ItemOverlap]]  # benchmark -> item


@dataclass(frozen=True)
class Overlap:
    """How much of a benchmark the training text of a variant holds, each a share in [0, 1].

    `items` counts an item when any of its n-grams is in any corpus, or a copy that shares none;
    `ngrams` counts n-grams.
    """

    items: float
    ngrams: float
    checked: int  # items long enough to be looked for


@dataclass(frozen=True)
class Clean:
    """The score over the clean items alone; no value where there is none."""

    value: float | None
    stderr: float | None
    items: int
    few: bool  # too few to be read as a score


class ItemScore(NamedTuple):
    """An item's score in [0, 1]; items of a cluster are not independent."""

    item: str
    cluster: str
    score: float


def read_overlap(file: Path) -> CorpusOverlap:
    """Which n-grams of which benchmark item one corpus has."""
    table = read_table(file, ["benchmark", "item_id", "ngrams", "positions", "copied"])
    found: dict[str, dict[str, ItemOverlap]] = {}
    for row in table.to_pylist():
        one = ItemOverlap(frozenset(row["positions"]), int(row["ngrams"]), bool(row["copied"]))
        found.setdefault(str(row["benchmark"]), {})[str(row["item_id"])] = one
    return found


def read_scores(file: Path) -> dict[tuple[str, str], list[ItemScore]]:
    """The scores of the items of one evaluation by task and metric."""
    found: dict[tuple[str, str], list[ItemScore]] = {}
    for row in read_table(file, ["task", "metric", "item", "cluster", "score"]).to_pylist():
        one = ItemScore(str(row["item"]), str(row["cluster"]), float(row["score"]))
        found.setdefault((str(row["task"]), str(row["metric"])), []).append(one)
    return found


def united(task: str, corpora: Sequence[CorpusOverlap]) -> dict[str, ItemOverlap]:
    """The overlap of each item of a task that can be looked for, with several corpora together."""
    found: dict[str, ItemOverlap] = {}
    for corpus in corpora:
        for item, one in corpus.get(SAME_ITEMS.get(task, task), {}).items():
            known = found.get(item, ItemOverlap(frozenset(), one.ngrams))
            found[item] = ItemOverlap(
                known.positions | one.positions, one.ngrams, known.copied or one.copied
            )
    return {item: one for item, one in found.items() if one.ngrams}


def overlap_of(task: str, corpora: Sequence[CorpusOverlap]) -> Overlap | None:
    """The overlap of a task with several corpora; None where none of them checked it."""
    checked = united(task, corpora).values()
    if not checked:
        return None
    total = sum(one.ngrams for one in checked)
    return Overlap(
        items=round(sum(one.share > 0 for one in checked) / len(checked), DIGITS),
        ngrams=round(sum(len(one.positions) for one in checked) / total, DIGITS),
        checked=len(checked),
    )


def clean_score(
    task: str,
    scores: Sequence[ItemScore],
    corpora: Sequence[CorpusOverlap],
    *,
    most_share: float,
    few_items: int,
) -> Clean | None:
    """The score over items of which the corpora hold at most `most_share`; None if not checked.

    An item that is too short to be looked for is not known to be clean, and left out.
    """
    known = united(task, corpora)
    if not known:
        return None
    prefix = f"{task}/" if task in SAME_ITEMS else ""
    clean = {item for item, one in known.items() if one.share <= most_share}
    chosen = [one for one in scores if one.item.removeprefix(prefix) in clean]
    if not chosen:
        return Clean(None, None, 0, few=True)
    value = sum(one.score for one in chosen) / len(chosen)
    error = cluster_error(chosen, value)
    return Clean(
        value=round(value, DIGITS),
        stderr=None if error is None else round(error, DIGITS),
        items=len(chosen),
        few=len(chosen) < few_items,
    )


def cluster_error(scores: Sequence[ItemScore], mean: float) -> float | None:
    """Standard error of the mean of clustered scores; None for a single cluster.

    Source: the sandwich estimator with the usual small-sample factor G / (G - 1).
    """
    sums: dict[str, float] = {}
    for one in scores:
        sums[one.cluster] = sums.get(one.cluster, 0.0) + one.score - mean
    if len(sums) < 2:
        return None
    spread = sum(value * value for value in sums.values())
    return math.sqrt(spread * len(sums) / (len(sums) - 1)) / len(scores)
