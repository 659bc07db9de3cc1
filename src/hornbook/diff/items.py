"""Evaluations item by item: which questions flipped, what each side answered, by what margin."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hornbook.diff.artifacts import Pair
from hornbook.diff.questions import Asked, Question, Questions
from hornbook.diff.shown import Content, Table, Value
from hornbook.lineage.manifest import LockEntry, load_graph, lookup
from hornbook.report.overlap import ItemScore
from hornbook.report.paired import Settings, differences

_HALF = 0.5  # a score from here on counts as right
_TESTS = "report.tables"


@dataclass(frozen=True)
class Answer:
    """One answer to an item, as `items.parquet` has it."""

    task: str
    metric: str
    item: str
    cluster: str
    score: float
    detail: str

    @property
    def is_right(self) -> bool:
        """Whether the score is nearer to right than to wrong."""
        return self.score >= _HALF


Answers = Mapping[tuple[str, str, str], Answer]


def compare(
    root: Path, pair: Pair, questions: Questions, entries: tuple[LockEntry, LockEntry]
) -> Iterator[Content]:
    """What differs in each suite that an artifact has answers of.

    Items that ask something else on the two sides under one name are not compared.
    """
    for name in pair.differing:
        files = pair.both(name)
        if files is None or Path(name).name != "items.parquet":
            continue
        sides = [_rows(file) for file in files]
        # evaluations of an earlier form have one metric for each task, and do not name it
        is_named = all("metric" in row for rows in sides for row in rows[:1])
        old, new = (_answers(one, is_named) for one in sides)
        folder = Path(name).parent.as_posix()
        asked = questions.of_both(*entries)
        yield _compared(root, pair.stage, "" if folder == "." else f"{folder}: ", old, new, asked)


def _rows(file: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return pq.read_table(file).to_pylist()


def _answers(rows: Sequence[Mapping[str, Any]], is_named: bool) -> Answers:
    names = set(Answer.__annotations__) - {"metric"}
    found: dict[tuple[str, str, str], Answer] = {}
    for row in rows:
        metric = row["metric"] if is_named else ""
        one = Answer(metric=metric, **{name: row[name] for name in names})
        found.setdefault((one.task, metric, one.item), one)
    return found


def _compared(
    root: Path, stage: str, where: str, old: Answers, new: Answers, asked: Asked
) -> Content:
    both = [key for key in new if key in old]
    common = [key for key in both if key[2] not in asked.others]
    flipped = [key for key in common if old[key].is_right != new[key].is_right]
    scored = sum(old[key].score != new[key].score for key in common) - len(flipped)
    reworded = sum(
        old[key].score == new[key].score and old[key].detail != new[key].detail for key in common
    )
    counted = f"{len(common):,} items answered by both, {len(flipped):,} flipped"
    said = [f"{where}{counted}, {scored:,} scored otherwise, {reworded:,} only answered otherwise"]
    if len(both) > len(common):
        said.append(
            f"{where}{len(both) - len(common):,} items ask something else under the same name: "
            f"not compared"
        )
    alone = len(old) - len(both), len(new) - len(both)
    said += (
        [f"{where}{alone[0]:,} items only before, {alone[1]:,} only after"] if any(alone) else []
    )
    said += [asked.remark] if asked.remark and both else []
    tables = [_by_task(root, old, new, common)] if common else []
    tables += [_flips(old, new, flipped, asked.questions)] if flipped else []
    return Content(stage, tuple(said), tuple(tables))


def _by_task(
    root: Path, old: Answers, new: Answers, common: Sequence[tuple[str, str, str]]
) -> Table:
    """Each benchmark with its flips, and whether the items show a difference."""
    settings = lookup(load_graph(root).params, _TESTS)
    tests = Settings(settings["significance"], settings["flips"], settings["flips_seed"])
    answers: dict[tuple[str, str], dict[str, dict[int, list[ItemScore]]]] = {}
    counts: dict[tuple[str, str], list[int]] = {}
    for key in common:
        asked = counts.setdefault(key[:2], [0, 0, 0])
        asked[0] += 1
        asked[1] += new[key].is_right and not old[key].is_right
        asked[2] += old[key].is_right and not new[key].is_right
        sides = answers.setdefault(key[:2], {"after": {0: []}, "before": {0: []}})
        for name, side in (("after", new), ("before", old)):
            one = side[key]
            sides[name][0].append(ItemScore(item=one.item, cluster=one.cluster, score=one.score))
    found = {(one.task, one.metric): one for one in differences(answers, tests)}
    rows: list[tuple[Value, ...]] = []
    for asked, (number, gained, lost) in counts.items():
        one = found[asked]
        differs = "yes" if one.differs else "no"
        rows.append((*asked, number, gained, lost, one.difference, one.stderr,
                     one.p_corrected, differs))  # fmt: skip
    columns = ("task", "metric", "items", "wrong -> right", "right -> wrong", "change", "error",
               "p (Holm)", "differs")  # fmt: skip
    return Table("by benchmark, items in pairs", columns, tuple(rows))


def _flips(
    old: Answers,
    new: Answers,
    flipped: Sequence[tuple[str, str, str]],
    asked: Mapping[str, Question],
) -> Table:
    rows: list[tuple[Value, ...]] = []
    for key in sorted(flipped):
        a, b = old[key], new[key]
        question = asked.get(a.item, Question("", ()))
        how = "wrong -> right" if b.is_right else "right -> wrong"
        margins = _margins(a, b, question)
        rows.append((how, a.item, question.text, _answer(a, question), _answer(b, question),
                     *margins))  # fmt: skip
    columns = ("how", "item", "question", "answer before", "answer after", "margin before",
               "margin after")  # fmt: skip
    return Table("items that flipped (margin: log-probability of the right choice over the next)",
                 columns, tuple(rows))  # fmt: skip


def _answer(one: Answer, question: Question) -> str:
    """The choice that was likeliest, or what was written."""
    picked = _picked(one, question)
    if picked is None:
        return one.detail
    is_known = len(question.choices) == len(_likelihoods(one) or ())
    return question.choices[picked] if is_known else f"choice {picked + 1}"


def _picked(one: Answer, question: Question) -> int | None:
    """The choice that counted as the answer; None where there are no choices to pick from."""
    likelihoods = _likelihoods(one)
    if likelihoods is None:
        return None
    if one.metric.endswith("_norm") and len(question.choices) == len(likelihoods):
        likelihoods = [
            value / max(1, len(choice))
            for value, choice in zip(likelihoods, question.choices, strict=True)
        ]
    return likelihoods.index(max(likelihoods))


def _likelihoods(one: Answer) -> list[float] | None:
    """The log-probability of each choice; None where the item has none."""
    try:
        found = json.loads(one.detail)
    except ValueError:
        return None
    is_choice = isinstance(found, list) and len(found) > 1 and all(map(_is_choice, found))
    return [float(pair[0]) for pair in found] if is_choice else None


def _is_choice(value: Any) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], bool)


def _margins(a: Answer, b: Answer, question: Question) -> tuple[float | None, float | None]:
    """By how much the right choice is likelier than the next one, on both sides."""
    right = _picked(b if b.is_right else a, question)
    if right is None:
        return None, None
    return _margin(a, right), _margin(b, right)


def _margin(one: Answer, right: int) -> float | None:
    likelihoods = _likelihoods(one)
    if likelihoods is None or right >= len(likelihoods):
        return None
    others = [value for place, value in enumerate(likelihoods) if place != right]
    return round(likelihoods[right] - max(others), 4)
