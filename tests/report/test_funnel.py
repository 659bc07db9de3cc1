"""What is left after each rule, counted by hand."""

import pytest

from hornbook.report.funnel import draw, funnels
from hornbook.report.statistics import Artifact


def artifact(stage: str, group: str, **summary: object) -> Artifact:
    return Artifact(stage, group, "", "", "h", 1, (), (), summary, {})


WEB = [
    artifact(
        "web_corpus", "web", rows=60, words=6000, reasons=["not_html", "too_short", "language"],
        dropped={"too_short": 30, "language": 10, "not_html": 5},
        dropped_words={"too_short": 300, "language": 700},
    ),
    artifact("web_filter", "web", rows=40, words=4500, dropped={"below_threshold": 20}),
    artifact("dedup@web", "clean", rows=38, words=4400, dropped={"near": 2}),
    artifact("decontaminate@web", "clean", rows=38, words=4400, dropped={}),
    artifact("tokens@web", "tokens", rows=38, tokens=5280),
]  # fmt: skip


def test_documents_words_and_tokens_are_those_that_are_left():
    steps = funnels(WEB)["web"]
    assert [(s.rule, s.documents, s.gone, s.num_words, s.tokens) for s in steps] == [
        ("all", 105, 0, 7000, 8400.0),
        ("not html", 100, 5, 7000, 8400.0),
        ("too short", 70, 30, 6700, 8040.0),
        ("language", 60, 10, 6000, 7200.0),
        ("below threshold", 40, 20, 4500, 5400.0),
        ("near", 38, 2, 4400, 5280.0),
    ]


def test_words_that_nobody_counted_are_not_made_up():
    books = [
        artifact("synthetic_books", "books", rows=7, dropped={"refusal": 2, "short": 1}),
        artifact("dedup@books", "clean", rows=6, words=60, dropped={"near": 1}),
    ]
    steps = funnels([*books, *WEB])["books"]
    assert [(s.documents, s.num_words) for s in steps] == [
        (10, None),
        (8, None),
        (7, None),
        (6, 60),
    ]
    assert all(step.tokens is None for step in steps)


def test_a_corpus_without_drops_has_no_funnel():
    assert funnels([artifact("tokens@web", "tokens", rows=3, tokens=9)]) == {}


@pytest.mark.parametrize(
    "told", ["too short", "38  5,280 tokens", "30 documents went, 70 are left"]
)
def test_the_picture_tells_each_step(told):
    assert told in draw("web", funnels(WEB)["web"])
