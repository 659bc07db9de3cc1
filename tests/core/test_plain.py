"""What is shown is only what can be seen, and every number is one that JSON has."""

import io
import json
import sys

import pytest

from hornbook.plain import json_text, markup, one_line, tell, visible
from tests.hostile import BROKEN, LONG, TEXT, is_harmless


def test_what_would_move_colour_or_turn_is_a_mark_and_the_rest_stays():
    assert visible("caf\u00e9 \u4e2d\n\tend") == "caf\u00e9 \u4e2d\n\tend"
    assert visible("a\r\nb\u00a0c") == "a\nb c"
    assert visible("\x1b[31m\u202e\ud800") == "\ufffd[31m\ufffd\ufffd"
    assert all(map(is_harmless, map(visible, (TEXT, BROKEN, LONG))))
    assert not is_harmless(TEXT)


def test_a_line_is_one_line_and_is_cut():
    assert one_line("a\nb\tc") == "a b c"
    assert one_line("abcdef", 5) == "ab..."
    assert one_line("abcde", 5) == "abcde"
    assert len(one_line(LONG, 300)) == 300


def test_markup_is_text():
    shown = markup(BROKEN)
    assert is_harmless(shown)
    assert not set("<>\"'") & set(shown)
    shown.encode("utf-8")


@pytest.mark.parametrize(("encoding", "seen"), [("utf-8", "\u00b1\ufffd[1m"), ("ascii", "??[1m")])
def test_a_terminal_gets_letters_that_it_has(monkeypatch, encoding, seen):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    tell("\u00b1\x1b[1m")
    out.flush()
    assert out.buffer.getvalue().decode(encoding) == f"{seen}\n"


def test_what_is_no_number_is_a_word():
    value = {"a": float("nan"), 1: [float("inf"), -float("inf"), 0.5, None], "c": BROKEN}
    text = json_text(value)
    assert text.isascii()
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": "NaN", "1": ["Infinity", "-Infinity", 0.5, None], "c": BROKEN,
    }  # fmt: skip
