"""The classifier learns, is stored as plain numbers, and refuses what it cannot use."""

import numpy as np
import pytest

from hornbook.classifier import linear
from hornbook.classifier.annotate import parse_score
from hornbook.classifier.steps import judge
from hornbook.errors import ArtifactError

TEXTS = ["explain why because example", "buy cheap sale now"] * 10
SCORES = [5, 0] * 10


def test_it_tells_the_two_kinds_apart_after_a_round_trip(tmp_path):
    weights = linear.fit(TEXTS, SCORES, features=1024, l2=0.1)
    linear.save(tmp_path, weights)
    assert np.array_equal(linear.load(tmp_path), weights)
    good, bad = linear.predict(weights, ["because we explain why", "cheap sale"])
    assert good > 2.5 > bad
    assert linear.predict(weights, ["explain why because " * 9]).max() <= 5


def test_a_damaged_file_is_refused(tmp_path):
    linear.save(tmp_path, np.zeros(5))
    (tmp_path / "weights.f64").write_bytes(b"\0" * 16)
    with pytest.raises(ArtifactError, match="holds 2 numbers, expected 5"):
        linear.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"score": 3, "reason": "a"}', (3, "a")),
        ('Sure: {"score": 0}', (0, "")),
        ('{"score": 6}', None),
        ('{"score": true}', None),
        ("three", None),
        ("{broken}", None),
    ],
)
def test_a_reply_has_a_score_from_0_to_5_or_none(text, score):
    assert parse_score(text) == score


def test_figures_count_hits_at_the_border():
    figures = judge(np.array([3.0, 2.4, 2.6]), np.array([3, 3, 2]), border=3)
    assert (figures["precision"], figures["recall"]) == (0.5, 0.5)
