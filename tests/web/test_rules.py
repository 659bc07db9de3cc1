"""Each quality rule on both sides of its threshold, counted by hand."""

from dataclasses import replace

import pytest

from hornbook.web.rules import judge
from tests.web.test_pages import RULES

# 60 words in 6 lines: half of them are Gopher's, no line is there twice
LINES = [f"the {a}alab and {a}oled of that {a}amic have {a}enor {a}iral." for a in "ghkmpr"]
TEXT = "\n".join(LINES)
WORDS = TEXT.split()
LETTERS = sum(map(len, WORDS))


def reason(text: str = TEXT, **changed: object) -> str | None:
    return judge("http://a/", text, replace(RULES, **changed))


def test_the_text_of_these_tests_breaks_no_rule():
    assert len(WORDS) == 60
    assert reason() is None


@pytest.mark.parametrize(
    ("name", "text", "setting", "holds", "breaks"),
    [
        ("too_short", TEXT, "min_words", 60, 61),
        ("too_long", TEXT, "max_words", 60, 59),
        ("word_length", TEXT, "min_mean_word_length", LETTERS / 60, LETTERS / 60 + 0.01),
        ("word_length", TEXT, "max_mean_word_length", LETTERS / 60, LETTERS / 60 - 0.01),
        ("symbols", TEXT + "\n# # #", "max_symbol_word_ratio", 3 / 63, 3 / 63 - 0.001),
        ("symbols", TEXT + "\nso... so…", "max_symbol_word_ratio", 2 / 62, 2 / 62 - 0.001),
        ("alpha_words", TEXT + "\n1 2 3 4", "min_alpha_words", 60 / 64, 60 / 64 + 0.001),
        ("stop_words", TEXT, "min_stop_words", 30, 31),
        ("repeated_bigram", TEXT + "\nee ff" * 9, "max_top_bigram",
         45 / (LETTERS + 36), 45 / (LETTERS + 36) - 0.001),
        ("bullets", "- " + TEXT.replace("\n", "\n* ", 2), "max_bullet_lines", 3 / 6, 3 / 6 - 0.01),
        ("ellipses", TEXT + "\nx...\ny…", "max_ellipsis_lines", 2 / 8, 2 / 8 - 0.01),
        ("duplicate_lines", TEXT + "\nyes.\nyes.", "max_duplicate_lines", 1 / 8, 1 / 8 - 0.01),
        ("sentences", TEXT, "min_sentences", 6, 7),
        ("toxic", TEXT + "\nan idiot.", "max_toxic_words", 1, 0),
    ],
)  # fmt: skip
def test_a_rule_holds_at_its_threshold_and_breaks_behind_it(name, text, setting, holds, breaks):
    loose = {"max_symbol_word_ratio": 1.0, "max_duplicate_lines": 1.0, "max_top_bigram": 1.0}
    assert reason(text, **loose | {setting: holds}) is None
    assert reason(text, **loose | {setting: breaks}) == name


@pytest.mark.parametrize(
    ("text", "name"), [("LOREM Ipsum", "forbidden"), ("Enable JavaScript", "forbidden")]
)
def test_what_is_forbidden_is_so_in_capitals_too(text, name):
    assert reason(f"{TEXT}\n{text}.") == name


def test_a_toxic_word_inside_another_word_is_none():
    assert reason(TEXT + "\nscunthorpe analysis.", max_toxic_words=0) is None
