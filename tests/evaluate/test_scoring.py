"""Error bars count clusters, not items."""

import numpy as np
import pytest

from hornbook.evaluate.scoring import Scored, cluster_error, make_cell


def rows(scores, clusters):
    return [
        Scored("t", "acc", f"t/{n}", str(c), float(s), "")
        for n, (s, c) in enumerate(zip(scores, clusters, strict=True))
    ]


def test_with_clusters_of_one_the_error_is_that_of_a_mean():
    scores = np.random.default_rng(0).integers(0, 2, 200)
    found = cluster_error(rows(scores, range(200)), resamples=4000, seed=0)
    assert found == pytest.approx(scores.std() / np.sqrt(200), rel=0.06)


def test_copies_of_an_item_do_not_shrink_the_error():
    scores = np.random.default_rng(1).integers(0, 2, 40)
    one = cluster_error(rows(scores, range(40)), resamples=4000, seed=0)
    copied = cluster_error(
        rows(np.repeat(scores, 10), np.repeat(range(40), 10)), resamples=4000, seed=0
    )
    assert copied == pytest.approx(one, rel=0.06)


def test_the_same_seed_gives_the_same_cell():
    made = [
        make_cell(rows([0, 1, 1], [1, 1, 2]), version="v", chance=0.5, blind=None,
                  shortened=0, resamples=50, seed=3)
        for _ in range(2)
    ]  # fmt: skip
    assert made[0] == made[1]
    assert (made[0].value, made[0].items, made[0].clusters) == (0.666667, 3, 2)
