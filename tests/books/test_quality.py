"""Which answer is a book, by its reason word and on both sides of each edge."""

from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from hornbook.books.config import Corpus
from hornbook.books.quality import EQUATION, Answered, is_right, judge
from tests.made_run import conf

RULES = replace(
    TypeAdapter(Corpus).validate_python(conf("books")["corpus"]),
    min_words=10,
    max_words=60,
    refusals=["i cannot", "i'm sorry", "as an ai"],
    parts={"concept": "is", "example": "for example|example", "practice": "exercise|question",
           "answer": "answer"},
)  # fmt: skip
GOOD = (
    "Heat is the movement of small particles. For example the soup warms the cold spoon slowly. "
    "Exercise: what warms the spoon on the table? Answer: the hot soup."
)
TALK = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
GERMAN = "Die alte M\u00fchle steht am Fluss und die Kinder spielen jeden Tag im Garten dahinter. "


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        (GOOD, "stop", None),
        ("  ", "stop", "empty"),
        (GOOD, "length", "truncated"),
        (GOOD, "content_filter", "refusal"),
        ("", "refusal", "refusal"),
        ("I cannot do this. " + GOOD, "stop", "refusal"),
        ("I\u2019m sorry. " + GOOD, "stop", "refusal"),
        ("  As an AI I ask. " + GOOD, "stop", "refusal"),
        (GOOD + " As an AI would say, warm.", "stop", "meta_talk"),
        (GOOD + " I hope this helps you.", "stop", "meta_talk"),
        ("is example question answer 5 6 7 8 9", "stop", "too_short"),
        (f"{GOOD} {TALK} {TALK}", "stop", None),
        (f"{GOOD} {TALK} {TALK} {TALK}", "stop", "too_long"),
        (GOOD.replace(" is ", " was "), "stop", "no_concept"),
        (GOOD.replace("For example", "So"), "stop", "no_example"),
        (GOOD.replace("Exercise", "Think"), "stop", "no_practice"),
        (GOOD.replace("Answer", "Reply"), "stop", "no_answer"),
        (GOOD.replace("Answer", "Unanswered"), "stop", "no_answer"),
        (GERMAN * 2 + "Is example question answer.", "stop", "language"),
        (GOOD + " The spoon is warm in the soup now." * 4, "stop", "repetition"),
        (GOOD + " The spoon is warm in the soup now." * 2, "stop", None),
        (GOOD + " la la la" * 8, "stop", "repetition"),
        (GOOD + "\ndef f(:\n    pass", "stop", "code_does_not_parse"),
        (GOOD + "\ndef f():\n    pass", "stop", None),
        (GOOD + " Then 2 + 2 = 4.", "stop", None),
        (GOOD + " Then 2 + 2 = 5.", "stop", "wrong_arithmetic"),
    ],
)
def test_an_answer_is_judged_by_the_first_rule_it_breaks(
    text: str, finish: str, reason: str | None
) -> None:
    assert judge(Answered(text, finish, ""), RULES) == reason


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("soup, warm, cold", None),
        ("soup, taste, cold", "words_missing"),
        ("spoon, move, small", None),  # movement: a form of the verb
        ("", None),
    ],
)
def test_the_words_that_a_prompt_required_have_to_occur(words: str, reason: str | None) -> None:
    assert judge(Answered(GOOD, "stop", words), RULES) == reason


def test_a_slur_is_toxic() -> None:
    from hornbook.web.toxic import toxic_pattern

    word = toxic_pattern().pattern.removeprefix(r"\b(?:").partition("|")[0]
    assert judge(Answered(f"{GOOD} {word}", "stop", ""), RULES) == "toxic"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3 + 4 = 7", [("3", "+", "4", "7")]),
        ("so 3+4=7.", [("3", "+", "4", "7")]),
        ("3 x 4 = 12", [("3", "x", "4", "12")]),
        ("3 \u00d7 4 = 12", [("3", "\u00d7", "4", "12")]),
        ("1,200 / 4 = 300", [("1,200", "/", "4", "300")]),
        ("0.5 * 3 = 1.5", [("0.5", "*", "3", "1.5")]),
        ("1 + 2 * 3 = 7", []),
        ("1 + 2 + 3 = 6", []),
        ("2 + 2 = 4 + 0", []),
        ("x + 2 = 4", []),
        ("10 - 50 = 20%", []),
        ("5 - 7 = -2", [("5", "-", "7", "-2")]),
    ],
)
def test_only_equations_that_stand_alone_are_recomputed(
    text: str, found: list[tuple[str, ...]]
) -> None:
    assert EQUATION.findall(text) == found


@pytest.mark.parametrize(
    ("equation", "right"),
    [
        (("7", "/", "3", "2.33"), True),
        (("7", "/", "3", "2.34"), False),
        (("7", "/", "3", "2"), False),
        (("7", "/", "0", "0"), False),
        (("8", "\u00f7", "2", "4"), True),
        (("1,000", "-", "1", "999"), True),
        (("3", "x", "4", "12"), True),
        (("3", "x", "4", "13"), False),
    ],
)
def test_an_equation_holds_to_the_digits_that_it_shows(
    equation: tuple[str, str, str, str], right: bool
) -> None:
    assert is_right(*equation) is right
