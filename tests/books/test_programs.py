"""Refusals in every form, and the programs that are found in a text."""

import pytest

from hornbook.books.config import Corpus
from hornbook.books.quality import judge, programs

RULES = Corpus(
    min_words=5,
    max_words=10,
    refusals=["i'm sorry", "as an ai"],
    parts=["exercise|problem", "answer"],
    expectations=[],
)
BOOK = "Exercise: one two. Answer: three."


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        (BOOK, "stop", None),
        ("", "stop", "empty"),
        ("I'm sorry, I cannot answer this exercise.", "stop", "refusal"),
        ("I\u2019m sorry, I cannot answer this exercise.", "stop", "refusal"),
        ("  As an AI I answer no exercise.", "stop", "refusal"),
        ("An exercise. As an AI would answer.", "stop", None),
        ("", "content_filter", "refusal"),
        ("", "refusal", "refusal"),
        ("Exercise: one two three four.", "stop", "structure_missing"),
        ("A PROBLEM of one. Answer: two.", "stop", None),
        (BOOK + "\ndef f(x):\n    return x\n", "stop", None),
        (BOOK + "\ndef f(x)\n    return x\n", "stop", "code_does_not_parse"),
    ],
)
def test_an_answer_that_refuses_or_does_not_parse_is_no_book(
    text: str, finish: str, reason: str | None
) -> None:
    assert judge(text, finish, RULES) == reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class sizes vary.\ndef is short.", []),
        ("def f(x): return x", ["def f(x): return x"]),
        ("def f(\n    x,\n):\n    return x\nIt returns x.", ["def f(\n    x,\n):\n    return x\n"]),
        ("def f(x):\n\n    return x\n\nText.", ["def f(x):\n\n    return x\n"]),
        ("class A:\n    pass\n", ["class A:\n    pass\n"]),
        ("```python\nx = 1\nprint(x)\n```\n", ["x = 1\nprint(x)\n"]),
        ("```\ndef f(x):\n    return x\n```\n", ["def f(x):\n    return x\n"]),
        ("```python\n>>> f(1)\n1\n```\n", []),
        ("```text\nno ( code\n```\n", []),
    ],
)
def test_programs_are_found_in_fences_and_bare(text: str, expected: list[str]) -> None:
    assert programs(text) == expected
