"""Which answer is a book, by its reason word and on both sides of each edge."""

import pytest

from hornbook.books.config import Corpus
from hornbook.books.quality import judge

RULES = Corpus(10, 20, ["i cannot"], ["exercise|question", "answer"], [])
GOOD = "Exercise one two three. Answer: four five six seven eight"


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        (GOOD, "stop", None),
        ("  ", "stop", "empty"),
        (GOOD, "length", "truncated"),
        ("I cannot do this. " + GOOD, "stop", "refusal"),
        (GOOD.rsplit(" ", 1)[0], "stop", "too_short"),
        (GOOD + " x" * 10, "stop", None),
        (GOOD + " x" * 11, "stop", "too_long"),
        (GOOD.replace("Answer", "Reply"), "stop", "structure_missing"),
        (GOOD + "\ndef f(:\n    pass", "stop", "code_does_not_parse"),
        (GOOD + "\ndef f():\n    pass", "stop", None),
    ],
)
def test_an_answer_is_judged_by_the_first_rule_it_breaks(text, finish, reason):
    assert judge(text, finish, RULES) == reason
