"""What models write where a score was asked for as JSON."""

import pytest

from hornbook.classifier.replies import parse_score


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"score": 3, "reason": "a"}', (3, "a")),
        ('Sure: {"score": 0}', (0, "")),
        ('```json\n{"reason": "has {braces}", "score": 4}\n```', (4, "has {braces}")),
        ('The set {x} is fine. {"Score": "2", "Reason": "r"} I hope it helps {:-)', (2, "r")),
        ('{"score": 1, "reason": "draft"}\nNo, rather: {"score": 2, "reason": "b"}', (2, "b")),
        ('{"result": {"score": 5, "reason": "c"}}', (5, "c")),
        ('{"score": 4.0}', (4, "")),
        ('<think>{"score": 1}?</think>Score: 3', (3, "")),
        ("It informs and explains.\nScore: 4", (4, "It informs and explains.")),
        ("**Educational score:** 4/5", (4, "**Educational")),
        ("1 point for prose.\nTotal points = 3.", (3, "1 point for prose. Total")),
        ("I give it a score of 2.0.", (2, "I give it a")),
        ("Educational_score: **5** out of 5", (5, "Educational_")),
        ("{'score': 3, 'reason': 'single quotes'}", (3, "{'")),
    ],
)  # fmt: skip
def test_a_score_is_found(text, score):
    assert parse_score(text) == score


@pytest.mark.parametrize(
    "text",
    [
        '{"score": 6}',
        '{"score": -1}',
        '{"score": 3.5}',
        '{"score": true}',
        '{"score": null, "reason": "score: 3 would be too much"}',
        '{"score": [4]}',
        '{"score": Infinity}',
        "Score: 6",
        "Score: 45",
        "Score: -1",
        "Score: 3.5",
        "Score: 4/10",
        "Score: 2 out of 100",
        "Score: **4** out of 10",
        "underscore 3",
        "three",
        "{broken}",
        "",
        "[" * 100_000 + '{"a": ' * 5_000,
    ],
)
def test_no_score_is_made_up(text):
    assert parse_score(text) is None
