"""The programs that are found in a text, and whether they run."""

import pytest

from hornbook.books.code import parses, programs, prose, runnable
from hornbook.sandbox.config import Sandbox
from hornbook.sandbox.sandbox import Program, run_program
from tests.made_run import conf

LIMITS = Sandbox(**(conf("books")["corpus"]["programs"]["sandbox"] | {"mode": "rlimit"}))


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


@pytest.mark.parametrize(("code", "right"), [("x = 1", True), ("x = ", False), ("\0", False)])
def test_python_decides_what_parses(code: str, right: bool) -> None:
    assert parses(code) is right


SOLVE = "Read.\n\ndef solve():\n    x = 3\n    return x + 4\n# 3 + 4 = {stated}\n\nDone."
CHECKED = "def add(x):\n    return x + 1\n\nassert add(1) == {result}\n"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (SOLVE.format(stated=7), "passed"),
        (SOLVE.format(stated=8), "failed"),
        (CHECKED.format(result=2), "passed"),
        (CHECKED.format(result=3), "failed"),
        ("```python\nimport math\nassert math.sqrt(4) == 2\n```\n", "passed"),
        ("```python\nundefined\n```\n", "failed"),
        ("import math\n\ndef f():\n    return math.pi\n# pi = 3.5\n", "failed"),
    ],
)
def test_checks_and_stated_results_prove_a_program(text: str, outcome: str) -> None:
    code = runnable(text)
    assert code is not None
    assert run_program(Program(code), LIMITS).outcome == outcome


def test_a_text_without_python_has_nothing_to_run() -> None:
    assert runnable("There is no code here.") is None


def test_prose_is_what_is_left_without_programs() -> None:
    told = prose(SOLVE.format(stated=7) + "\n```python\nx = 1\n```\n")
    assert told.split() == ["Read.", "Done."]
