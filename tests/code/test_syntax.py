"""The parser takes whatever comes, and says the same wherever it is called from."""

import pytest

from hornbook.code.syntax import parse


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1\n", None),
        ("print('new')\n", None),
        ("x = '\\d'\n", None),  # a warning, not a fault
        ("match x:\n    case 1: pass\n", None),
        ("def half(:\n", "syntax"),
        ("x = " + "1" * 5000, "syntax"),
        ("(" * 100_000, "syntax"),
        ("x = 1\0\n", "nul"),
        ("-" * 100_000 + "1", "nesting"),
        ("a" + ".a" * 100_000, "nesting"),
        ("not " * 50_000 + "1", "nesting"),
        ("\ud800", "syntax"),
        ("", None),
        ("f'{" * 1000, "syntax"),
        ('x = "' + "a" * 1_000_000 + '"\n', None),
    ],
)
def test_no_text_ends_the_parser(text, fault):
    parsed = parse(text)
    assert parsed.fault == fault
    assert (parsed.tree is None) == (fault is not None)


@pytest.mark.parametrize(
    "statement",
    [
        'print "hello"',
        "print x, y",
        "exec 'x = 1'",
        "raise ValueError, 'no'",
        "try:\n    pass\nexcept ValueError, error:\n    pass",
        "if a <> b:\n    pass",
        "x = `1`",
        "x = 10L",
        "mode = 0755",
        "s = ur'a'",
        "def f(a, (b, c)):\n    pass",
        "if 1:\n        x = 1\n\ty = 2",
    ],
)
def test_statements_of_python_2_have_a_reason_of_their_own(statement):
    lib2to3 = pytest.importorskip("lib2to3.pgen2.driver")
    from lib2to3 import pygram, pytree

    text = f"import os\n{statement}\n"
    assert lib2to3.Driver(pygram.python_grammar, pytree.convert).parse_string(text)
    assert parse(text).fault == "python2"


@pytest.mark.parametrize("statement", ["x = = 1", "class:", "print(1", "return )", "x = 1 +"])
def test_what_neither_python_takes_is_a_fault_of_syntax(statement):
    assert parse(f"import os\n{statement}\n").fault == "syntax"


def at_depth(depth: int, text: str):
    return parse(text) if not depth else at_depth(depth - 1, text)


def test_the_depth_of_the_caller_does_not_decide():
    for terms in (900, 2900, 2960, 3100):
        text = "+".join(["1"] * terms)
        assert at_depth(0, text).fault == at_depth(600, text).fault
    assert parse("+".join(["1"] * 900)).fault is None
    assert parse("+".join(["1"] * 3100)).fault == "nesting"
