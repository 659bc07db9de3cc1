"""The items that two variants answered differently, and what each of them said."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_table
from hornbook.evaluate.texts import ItemTexts, benchmark_items
from hornbook.report.samples import shortened

Items = Mapping[tuple[str, str], Mapping[str, Any]]  # rows by task and item
OURS = "micro_"  # benchmarks that were written here; others are shown as excerpts


@dataclass(frozen=True)
class Answer:
    """What a variant said to an item and its score in [0, 1]."""

    text: str
    score: float


@dataclass(frozen=True)
class Flip:
    """An item with different scores of two variants."""

    task: str
    item: str
    question: str
    first: Answer
    second: Answer


@dataclass(frozen=True)
class Counted:
    """Of a task's items: how many the first variant did better, the second, and how many alike."""

    task: str
    metric: str
    items: int
    first: int
    second: int
    equal: int


def read_items(folders: Sequence[Path]) -> Items:
    """What a variant scored on each item of its suites, by the first metric of a task."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for folder in folders:
        for row in read_table(folder / "items.parquet").to_pylist():
            found.setdefault((row["task"], row["item"]), row)
    return found


def read_texts(folder: Path) -> dict[str, ItemTexts]:
    """What the items of the benchmarks say, by the name that scores are kept under."""
    return {one.item_id: one for one in benchmark_items(folder)} if folder.is_dir() else {}


def counted(first: Items, second: Items) -> list[Counted]:
    """How two variants fared on the items of each task that both have."""
    tasks: dict[str, list[tuple[str, float, float]]] = {}
    for key in sorted(set(first) & set(second)):
        one, other = first[key], second[key]
        tasks.setdefault(key[0], []).append((one["metric"], one["score"], other["score"]))
    return [
        Counted(
            task,
            scores[0][0],
            len(scores),
            sum(a > b for _, a, b in scores),
            sum(b > a for _, a, b in scores),
            sum(a == b for _, a, b in scores),
        )
        for task, scores in tasks.items()
    ]


def flips(
    answers: tuple[Items, Items],
    texts: Mapping[str, ItemTexts],
    *,
    most: int,
    characters: int,
    excerpt_characters: int,
) -> list[Flip]:
    """At most `most` items on which the scores differ, from every task in turn and of both sides.

    Which those are follows from the items alone; they come in the order of their tasks.
    """
    first, second = answers
    sides: dict[tuple[str, bool], list[str]] = {}
    for task, item in sorted(set(first) & set(second)):
        a, b = first[task, item]["score"], second[task, item]["score"]
        if a != b:
            sides.setdefault((task, a < b), []).append(item)
    lists = [[(task, item) for item in items] for (task, _), items in sorted(sides.items())]
    rounds = (one for row in zip_longest(*lists) for one in row if one is not None)
    chosen = sorted(one for one, _ in zip(rounds, range(most), strict=False))
    return [
        _flip(key, first[key], second[key], texts.get(key[1]),
              characters if key[0].startswith(OURS) else excerpt_characters)
        for key in chosen
    ]  # fmt: skip


def _flip(
    key: tuple[str, str],
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    said: ItemTexts | None,
    most: int,
) -> Flip:
    question = shortened(said.question, most) if said else "(the benchmark's file is not there)"
    answers = (
        Answer(shortened(answer_text(row.get("detail") or "", said), most), row["score"])
        for row in (first, second)
    )
    return Flip(key[0], key[1], question, *answers)


def answer_text(detail: str, said: ItemTexts | None) -> str:
    """The choice with the highest log-probability, the text that was generated, or a program."""
    try:
        value = json.loads(detail)
    except ValueError:
        return detail.strip("\n")
    if not isinstance(value, list) or not value:
        return detail
    if all(isinstance(one, str) for one in value):
        return "\n".join(value)
    likely = [one[0] for one in value if isinstance(one, list) and one]
    if len(likely) != len(value):
        return detail
    place = max(range(len(likely)), key=lambda index: likely[index])
    if said is None or len(said.choices) != len(likely):
        return f"choice {place + 1}"
    return said.choices[place].strip()
