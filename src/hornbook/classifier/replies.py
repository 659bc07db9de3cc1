"""The score in a teacher's reply: asked for as JSON, read from what models write instead."""

import json
import re
from collections.abc import Iterator
from typing import Any

LOWEST, HIGHEST = 0, 5
_DECODER = json.JSONDecoder()
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE)
# as in: Score: 4, **Educational score:** 4/5, total points = 3, a score of 2.0
_SAID = re.compile(
    r"(?<![a-z])(?:score|rating|points|total)\b[\W_]{0,6}(?:(?:is|of|are)\b[\W_]{0,6})?"
    r"(?<![\d.-])(?P<number>\d+(?:\.\d+)?)(?![\d.]*\d)"
    r"(?:[\s*_]{0,4}(?:/|out of)[\s*_]{0,4}(?P<scale>\d+))?",
    re.IGNORECASE,
)


def parse_score(text: str) -> tuple[int, str] | None:
    """Score and reason of a reply; None where it has no whole number from 0 to 5.

    The last JSON object with a score counts, also in a code fence or behind prose; without one, the
    last thing that is said to be the score.
    """
    text = without_thoughts(text)
    found = [value for value in objects(text, "score") if "score" in value]
    if found:
        score = _whole(found[-1]["score"])
        return None if score is None else (score, str(found[-1].get("reason", "")))
    said = list(_SAID.finditer(text))
    if not said or said[-1]["scale"] not in {None, str(HIGHEST)}:
        return None
    score = _whole(said[-1]["number"])
    return None if score is None else (score, " ".join(text[: said[-1].start()].split()))


def without_thoughts(text: str) -> str:
    """A reply without what a reasoning model thought before."""
    return _THOUGHT.sub("", text)


def objects(text: str, key: str) -> Iterator[dict[str, Any]]:
    """JSON objects in the order of their opening braces, keys in lower case.

    Objects inside one that has `key` are left out.
    """
    at = text.find("{")
    while at >= 0:
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
            continue
        yield {str(key).lower(): one for key, one in value.items()}
        at = text.find("{", end if key in value else at + 1)


def _whole(value: Any) -> int | None:  # noqa: ANN401 - whatever JSON can hold
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return int(number) if number.is_integer() and LOWEST <= number <= HIGHEST else None
