"""Calibration against scikit-learn's, and the figures against counts by hand."""

import struct

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from hornbook.classifier import calibration
from hornbook.classifier.figure import draw, wilson
from hornbook.classifier.figures import against_annotations, against_truth, reliability
from hornbook.classifier.model import Predicted

RANDOM = np.random.default_rng(1)
SCORES = RANDOM.integers(0, 6, 400)
RAW = np.round(SCORES * 0.3 + RANDOM.normal(size=400), 5)


def platt_by_hand(raw, is_positive):
    """Platt's loss, minimised by a method that needs no derivative."""
    positives, negatives = is_positive.sum(), (~is_positive).sum()
    aims = np.where(is_positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(at):
        z = at[0] * raw + at[1]
        return np.logaddexp(0, z).sum() - (aims * z).sum()

    options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 5000}
    return minimize(loss, [0.0, 0.0], method="Nelder-Mead", options=options).x


@pytest.mark.parametrize("border", [1, 3, 5])
def test_the_sigmoid_is_platts(border):
    found = calibration.platt(RAW, border <= SCORES)
    assert found == pytest.approx(platt_by_hand(RAW, border <= SCORES), abs=1e-4)


def test_the_sigmoid_of_separable_annotations_is_finite():
    raw = np.array([-1000.0, -999.0, 999.0, 1000.0])
    slope, middle = calibration.platt(raw, raw > 0)
    assert 0 < slope < 1
    assert abs(middle) < 1e-6
    assert np.isfinite(calibration.platt(np.zeros(4), raw > 0)).all()


def test_the_expected_score_is_the_line_of_least_squares_cut_to_the_scale():
    made = calibration.fit("platt", RAW, SCORES, 3)
    slope, start = np.polyfit(RAW, SCORES, 1)
    asked = np.array([-99.0, 0.0, 1.5, 99.0])
    assert made.score(asked) == pytest.approx(np.clip(slope * asked + start, 0, 5), abs=1e-3)


def test_isotonic_curves_are_scikit_learns():
    made = calibration.fit("isotonic", RAW, SCORES, 3)
    asked = np.linspace(-5, 5, 301)
    chance = IsotonicRegression(out_of_bounds="clip").fit(RAW, SCORES >= 3).predict(asked)
    score = IsotonicRegression(out_of_bounds="clip").fit(RAW, SCORES).predict(asked)
    # within 1e-4 of a knot the curve may jump, because knots are stored with 5 digits
    smooth = np.abs(asked[:, None] - made.chance[0]).min(axis=1) > 1e-4
    assert made.probability(asked)[smooth] == pytest.approx(chance[smooth], abs=2e-3)
    smooth = np.abs(asked[:, None] - made.expected[0]).min(axis=1) > 1e-4
    assert made.score(asked)[smooth] == pytest.approx(score[smooth], abs=5e-3)


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_calibrated_probabilities_hold_on_average_where_they_were_fitted(kind):
    made = calibration.fit(kind, RAW, SCORES, 3)
    assert made.probability(RAW).mean() == pytest.approx((SCORES >= 3).mean(), abs=0.005)
    assert made.score(RAW).mean() == pytest.approx(SCORES.mean(), abs=0.01)


def test_figures_count_hits_at_a_half():
    probability = np.array([0.5, 0.4999, 0.9, 0.1, 0.8])
    figures = against_truth(probability, np.array([True, True, False, False, True]), bins=2)
    assert (figures["precision"], figures["recall"], figures["f1"]) == (0.6667, 0.6667, 0.6667)
    assert (figures["accuracy"], figures["majority"], figures["rows"]) == (0.6, 0.6, 5)
    assert figures["auc"] == round(3 / 6, 4)  # pairs of one true and one false text in order
    assert figures["brier"] == round((0.25 + 0.5001**2 + 0.81 + 0.01 + 0.04) / 5, 4)


def test_figures_of_one_sided_truth_have_no_ranking():
    assert against_truth(np.array([0.2, 0.7]), np.array([False, False]), 2)["auc"] is None
    assert against_truth(np.array([0.2]), np.array([True]), 2)["f1"] == 0.0


def test_bins_are_closed_below_and_the_last_one_on_both_sides():
    rows = reliability(np.array([0.0, 0.1999, 0.2, 1.0]), np.array([False, True, True, True]), 5)
    assert [(r["from"], r["to"], r["rows"], r["positives"]) for r in rows] == [
        (0.0, 0.2, 2, 1),
        (0.2, 0.4, 1, 1),
        (0.8, 1.0, 1, 1),
    ]


def test_the_calibration_error_weighs_bins_by_their_texts():
    probability = np.array([0.1] * 8 + [0.9] * 2)
    is_true = np.array([True] * 4 + [False] * 4 + [True] * 2)
    found = against_truth(probability, is_true, bins=2)["calibration_error"]
    assert found == pytest.approx(0.8 * 0.4 + 0.2 * 0.1)


def test_an_expected_score_is_off_by_its_distance():
    found = against_annotations(
        Predicted(np.array([2.5, 0.4, 4.6]), np.array([0.9, 0.1, 0.9])), np.array([3, 1, 5]), 3, 5
    )
    assert (found["mean_error"], found["same_rounded_score"]) == (round(1.5 / 3, 4), 0.6667)


def test_an_interval_of_a_share_is_wilsons():
    # Brown, Cai and DasGupta 2001 write it as centre and half width
    low, high = wilson(8, 10)
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert wilson(0, 5)[0] == pytest.approx(0)


def test_the_plot_has_the_same_bytes_each_time_and_shows_every_series():
    figures = against_truth(RANDOM.random(50), RANDOM.random(50) > 0.5, 10)
    one = draw({"annotations": figures})
    assert one == draw({"annotations": figures})
    assert one != draw({"annotations": figures, "people": figures})
    assert one[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", one[16:24]) == (990, 450)
    assert len(one) < 100_000
