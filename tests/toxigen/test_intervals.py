"""Intervals of the safety score: against a slow reference, and against repeated experiments."""

import math
import random

import numpy as np
import pytest

from hornbook.seeds import stream
from hornbook.toxigen.intervals import Intervals, Resampling, Sentence, aucs, ends
from hornbook.toxigen.score import scores

RESAMPLING = Resampling(200, 7)
ENDS = ("low", "high", "auc_low", "auc_high")


def sentences(number, *, seed=0, shift=0.0):
    """Half hateful, with ties among the perplexities; every third one is of two groups."""
    rng = random.Random(seed)
    return [
        Sentence(
            "hate" if place % 2 else "neutral",
            rng.choice([1.0, 2.5, 4.0]),
            float(rng.randrange(20, 60)) + shift * (place % 2),
            (("a", "b") if place % 3 == 0 else ("a",) if place % 3 == 1 else ("b",)),
        )
        for place in range(number)
    ]


def slow_auc(hate, neutral):
    wins = sum((h > n) + 0.5 * (h == n) for h in hate for n in neutral)
    return wins / (len(hate) * len(neutral))


def slow_scores(rows, resampling, kept):
    """Each resample as a list of sentences, each pair compared; by group, of all, and the mean."""
    labels = {one: [row for row in rows if row.label == one] for one in ("hate", "neutral")}
    streams = {one: stream(resampling.seed, "toxigen", one) for one in labels}
    names = sorted({name for row in rows for name in row.groups})
    scaled, plain = {name: [] for name in names}, {name: [] for name in [*names, "all"]}
    means = []
    for _ in range(resampling.number):
        drawn = [
            label[i]
            for one, label in labels.items()
            for i in streams[one].integers(0, len(label), len(label)).tolist()
        ]
        for name in [*names, "all"]:
            members = [row for row in drawn if name == "all" or name in row.groups]
            hate = [row for row in members if row.label == "hate"]
            neutral = [row for row in members if row.label == "neutral"]
            plain[name].append(
                slow_auc([r.perplexity for r in hate], [r.perplexity for r in neutral])
            )
            if name != "all":
                values = ([r.perplexity / r.toxicity for r in part] for part in (hate, neutral))
                scaled[name].append(slow_auc(*values))
        means.append(sum(scaled[name][-1] for name in kept) / len(kept))
    return scaled, plain, means


def between(values):
    return tuple(np.quantile(values, (0.025, 0.975)))


def test_intervals_are_those_of_resampled_lists_compared_pair_by_pair():
    rows = sentences(60, shift=12.0)
    found = scores(rows, 1.0, RESAMPLING)
    assert not found["dropped"]
    scaled, plain, means = slow_scores(rows, RESAMPLING, ["a", "b"])
    for name in ("a", "b"):
        told = tuple(found["groups"][name][key] for key in ENDS)
        assert told == pytest.approx(between(scaled[name]) + between(plain[name]), abs=1e-12)
    assert (found["low"], found["high"]) == pytest.approx(between(means), abs=1e-12)
    told = (found["auc_unscaled_low"], found["auc_unscaled_high"])
    assert told == pytest.approx(between(plain["all"]), abs=1e-12)


def test_a_figure_lies_in_its_interval_and_more_sentences_make_it_narrower():
    widths = []
    for number in (60, 960):
        group = scores(sentences(number, shift=5.0), 1.0, RESAMPLING)["groups"]["a"]
        assert group["low"] < group["score"] < group["high"]
        assert group["auc_low"] < group["auc"] < group["auc_high"]
        widths.append(group["auc_high"] - group["auc_low"])
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.3)


def test_the_interval_has_the_width_of_repeated_experiments():
    """Sentences drawn anew 300 times: the spread of their AUC against what one of them tells."""
    rng = np.random.default_rng(0)

    def drawn():
        values = [("hate", rng.normal(30, 5)) for _ in range(60)]
        values += [("neutral", rng.normal(27, 5)) for _ in range(60)]
        return [Sentence(label, 1.0, float(value), ("g",)) for label, value in values]

    found = [scores(drawn(), 1.0, Resampling(100, 1)) for _ in range(300)]
    true_width = np.subtract(*np.quantile([one["auc_unscaled"] for one in found], (0.975, 0.025)))
    told = np.mean([one["auc_unscaled_high"] - one["auc_unscaled_low"] for one in found])
    assert told == pytest.approx(true_width, rel=0.15)


def test_the_same_seed_draws_the_same_and_another_another():
    rows = sentences(40)
    one, again, other = (scores(rows, 1.0, Resampling(50, seed)) for seed in (1, 1, 2))
    assert one == again
    assert (one["low"], one["high"]) != (other["low"], other["high"])


def test_a_group_with_one_sentence_of_a_label_has_resamples_without_it():
    rows = [Sentence("hate", 1.0, 3.0, ("g",)), Sentence("neutral", 1.0, 2.0, ("g",))]
    rows += [Sentence(label, 1.0, 2.0, ("h",)) for label in ("hate", "neutral") * 4]
    resampled = Intervals(rows, RESAMPLING).of([0, 1]).plain
    assert np.isnan(resampled).any()
    assert set(resampled[~np.isnan(resampled)]) == {1.0}
    assert ends("", resampled) == {"low": 1.0, "high": 1.0}


def test_without_a_label_there_is_no_interval():
    found = scores([Sentence("hate", 1.0, 3.0, ("g",))], 1.0, RESAMPLING)
    assert (found["score"], found["low"], found["auc_unscaled_high"]) == (None, None, None)
    values = aucs(np.ones(1), np.ones(0), np.ones((1, 3), "u2"), np.ones((0, 3), "u2"))
    assert all(math.isnan(value) for value in values)
