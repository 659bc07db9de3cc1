"""Paired tests of variants: known p-values, their correction, and what is called different."""

import itertools
import random

import pytest

from hornbook.report.assemble import best_of
from hornbook.report.cells import Cell
from hornbook.report.overlap import ItemScore
from hornbook.report.paired import Difference, Settings, differences, holm

SETTINGS = Settings(significance=0.05, flips=20_000, seed=3)
ASKED = ("piqa", "acc")


def scores(*values: float, clusters: int | None = None) -> list[ItemScore]:
    return [
        ItemScore(f"{n:04d}", str(n if clusters is None else n % clusters), value)
        for n, value in enumerate(values)
    ]


def one(first: list[ItemScore], second: list[ItemScore]) -> Difference:
    (found,) = differences({ASKED: {"a": {0: first}, "b": {0: second}}}, SETTINGS)
    return found


def test_single_items_right_or_wrong_are_mcnemars_test():
    found = one(scores(*[1.0] * 8, 0.0, 1.0, 0.0), scores(*[0.0] * 8, 1.0, 1.0, 0.0))
    # 8 to 1 among the 9 that differ: 2 * (1 + 9) / 2**9
    assert (found.test, found.p) == ("McNemar, exact", pytest.approx(20 / 512, abs=1e-6))
    assert found.difference == pytest.approx(7 / 11, abs=1e-6)
    assert (found.items, found.clusters, found.differs) == (11, 11, True)


def test_few_clusters_are_flipped_in_every_way():
    first, second = scores(1, 1, 1, 0.5, 1, 1, clusters=3), scores(0, 0, 0, 0, 0, 0.5, clusters=3)
    found = one(first, second)
    assert found.clusters == 3
    sums = [1.5, 2.0, 1.5]
    signs = itertools.product((-1, 1), repeat=3)
    share = sum(abs(sum(s * v for s, v in zip(sign, sums, strict=True))) >= 5 for sign in signs) / 8
    assert (found.p, found.differs) == (pytest.approx(share), False)
    assert found.test == "flipped clusters, exact"


def test_copies_of_an_item_in_a_cluster_add_no_certainty():
    right, wrong = [1.0] * 12, [0.0] * 12
    apart, together = (
        one(scores(*right), scores(*wrong)),
        one(scores(*right, clusters=2), scores(*wrong, clusters=2)),
    )
    assert apart.p is not None
    assert together.p is not None
    assert apart.p < 0.001
    assert together.p == pytest.approx(0.5)


def test_random_flips_come_near_the_exact_p_value_and_are_the_same_each_time():
    rng = random.Random(5)
    first = scores(*(rng.random() for _ in range(300)))
    second = scores(*(rng.random() - 0.02 for _ in range(300)))
    found = one(first, second)
    from scipy.stats import ttest_rel

    near = ttest_rel([s.score for s in first], [s.score for s in second]).pvalue
    assert found.test == "flipped clusters"
    assert found.p == pytest.approx(near, abs=0.02)
    assert one(first, second) == found


def test_equal_variants_have_no_difference_and_one_cluster_no_p_value():
    same = scores(1, 0, 1)
    assert one(same, same).p == 1.0
    alone = one(scores(1, 1, clusters=1), scores(0, 0, clusters=1))
    assert (alone.p, alone.low, alone.differs) == (None, None, False)


def test_of_many_true_nulls_few_are_called_different():
    rng = random.Random(11)
    answers = {
        (f"task{n}", "acc"): {
            name: {0: scores(*(float(rng.random() < 0.5) for _ in range(60)))} for name in "abc"
        }
        for n in range(30)
    }
    found = differences(answers, SETTINGS)
    assert len(found) == 90
    assert sum((d.p or 1) < 0.05 for d in found) < 10
    assert not any(d.differs for d in found)


def test_holm_is_the_published_example():
    # Holm 1979 as in R's p.adjust
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_seeds_that_disagree_take_away_certainty():
    right, wrong = scores(*[1.0] * 40), scores(*[0.0] * 40)
    mixed = scores(*[1.0, 0.0] * 20)
    sure = differences({ASKED: {"a": dict.fromkeys(range(3), right),
                                "b": dict.fromkeys(range(3), wrong)}}, SETTINGS)[0]  # fmt: skip
    unsure = differences({ASKED: {"a": {0: right, 1: mixed, 2: wrong},
                                  "b": {0: wrong, 1: wrong, 2: right}}}, SETTINGS)[0]  # fmt: skip
    assert (sure.differs, sure.difference) == (True, 1.0)
    assert "t over 3 seeds" in unsure.test
    assert (unsure.p or 0) > 0.3


def test_the_best_is_better_than_each_other_variant():
    first, second = scores(*[1.0] * 40), scores(*[0.0] * 40)
    answers = {ASKED: {"a": {0: first}, "b": {0: second}, "c": {0: second}}}
    cells = [_cell(name) for name in "abc"]
    assert best_of(cells, differences(answers, SETTINGS)) == {(*ASKED, "a")}
    answers[ASKED]["b"] = {0: first}
    assert best_of(cells, differences(answers, SETTINGS)) == set()


def _cell(variant: str) -> Cell:
    return Cell("stage", variant, "choice", *ASKED, 0.5, 0.1, 40, 40, 0.5, None, None, None)
