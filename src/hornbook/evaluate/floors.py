"""What an item scores without its question: by a guess, and by its answers alone.

A sample is what lm-eval logs of an item: its `doc`, the `arguments` of its requests, its `target`.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Pair = tuple[str, str]  # context and continuation
ScorePairs = Callable[[Sequence[Pair]], Sequence[float]]  # log-probability of each continuation

BLIND_CONTEXT = "Answer:"


@dataclass(frozen=True)
class Question:
    """A multiple-choice item; `right` are the numbers of right choices, none where unknown."""

    choices: tuple[str, ...]  # with the delimiter before them
    has_one_context: bool
    right: frozenset[int]
    truth: tuple[int, ...]  # 1 for each true choice, where there may be several


def pairs_of(sample: Mapping[str, Any]) -> list[Pair]:
    """Context and continuation of each request of an item, none where it asks for text."""
    arguments = sample["arguments"]
    rows = arguments.values() if isinstance(arguments, Mapping) else arguments
    listed = [list(row.values()) if isinstance(row, Mapping) else list(row) for row in rows]
    return [(str(row[0]), row[1]) for row in listed if len(row) > 1 and isinstance(row[1], str)]


def question_of(sample: Mapping[str, Any]) -> Question | None:
    """The question that a sample asks; None for what is no multiple choice."""
    pairs = pairs_of(sample)
    if len(pairs) < 2:
        return None
    right = _right(sample.get("target"))
    return Question(
        choices=tuple(choice for _, choice in pairs),
        has_one_context=len({context for context, _ in pairs}) == 1,
        right=right if max(right, default=0) < len(pairs) else frozenset(),
        truth=tuple(sample["doc"].get("mc2_targets", {}).get("labels", ())),
    )


def _right(target: Any) -> frozenset[int]:  # noqa: ANN401 - a number, its text, or a list of them
    try:
        found = ast.literal_eval(str(target).strip())
    except (ValueError, SyntaxError):
        return frozenset()
    listed = found if isinstance(found, list) else [found]
    return frozenset(one for one in listed if type(one) is int and one >= 0)


def guess(metric: str, question: Question | None) -> float:
    """What somebody scores who picks any choice; nothing where an answer has to be written."""
    if question is None:
        return 0.0
    if metric == "mc2":
        return sum(question.truth) / len(question.truth)
    return max(len(question.right), 1) / len(question.choices)


def blind_scores(
    questions: Sequence[Question | None], score: ScorePairs
) -> list[list[float] | None]:
    """Log-probabilities of the choices of each item without its question.

    None where that would be no question: where the choices differ in what stands before them, as
    in WinoGrande, or there are none.
    """
    asked = [one.choices if one and one.has_one_context and one.right else () for one in questions]
    pairs = [(BLIND_CONTEXT, choice) for choices in asked for choice in choices]
    told = iter(score(pairs) if pairs else ())
    return [[next(told) for _ in choices] or None for choices in asked]


def blind(metric: str, question: Question | None, logps: Sequence[float] | None) -> float | None:
    """The score of an item by its choices alone; nothing where an answer has to be written."""
    if question is None:
        return 0.0
    return None if logps is None else _score(metric, question, logps)


def _score(metric: str, question: Question, logps: Sequence[float]) -> float:
    """The score of an item by the log-probabilities of its choices, as lm-eval scores it."""
    import numpy as np

    found = np.asarray(logps, dtype=float)
    if metric == "mc2":
        mass = np.exp(found - found.max())
        return float(mass[np.asarray(question.truth) == 1].sum() / mass.sum())
    if metric == "acc_norm":
        found = found / np.array([len(choice.removeprefix(" ")) for choice in question.choices])
    return float(int(found.argmax()) in question.right)
