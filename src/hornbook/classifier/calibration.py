"""From a raw score to what it stands for: the probability of a positive, the expected annotation.

Fitted on annotations that the classifier has not seen. `platt`: a sigmoid and a straight line, for
hundreds of annotations; `isotonic`: any rising curves, for thousands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hornbook.classifier.features import DIGITS

HIGHEST = 5.0
NEWTON_STEPS = 100
FLAT = 1e-10

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Two curves: slope and intercept for `platt`, knots [2, knots] for `isotonic`."""

    kind: Literal["platt", "isotonic"]
    chance: Floats
    expected: Floats

    def probability(self, raw: Floats) -> Floats:
        """Of an annotation that counts as positive, 4 digits."""
        if self.kind == "isotonic":
            return np.round(np.interp(raw, *self.chance), 4)
        return np.round(_sigmoid(self.chance[0] * raw + self.chance[1]), 4)

    def score(self, raw: Floats) -> Floats:
        """The expected annotation, within [0, 5], 3 digits."""
        if self.kind == "isotonic":
            return np.round(np.interp(raw, *self.expected), 3)
        return np.round(np.clip(self.expected[0] * raw + self.expected[1], 0.0, HIGHEST), 3)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """What is stored."""
        return {"chance": self.chance, "expected": self.expected}


def fit(
    kind: Literal["platt", "isotonic"], raw: Floats, scores: NDArray[np.int64], border: int
) -> Calibration:
    """The curves for raw scores and annotations of which some reach `border` and some do not."""
    is_positive = scores >= border
    if kind == "isotonic":
        chance, expected = _rising(raw, is_positive.astype(np.float64)), _rising(raw, scores)
    else:
        chance, expected = platt(raw, is_positive), _line(raw, scores)
    return Calibration(kind, np.round(chance, DIGITS), np.round(expected, DIGITS))


def _rising(raw: Floats, aims: NDArray[np.generic]) -> Floats:
    from sklearn.isotonic import IsotonicRegression

    found = IsotonicRegression(out_of_bounds="clip").fit(raw, aims)
    return np.stack([found.X_thresholds_, found.y_thresholds_])


def _line(raw: Floats, scores: NDArray[np.int64]) -> Floats:
    """Least squares; a constant where the raw scores are one."""
    away = raw - raw.mean()
    slope = float(away @ scores) / max(float(away @ away), FLAT)
    return np.array([slope, scores.mean() - slope * raw.mean()])


def platt(raw: Floats, is_positive: NDArray[np.bool_]) -> Floats:
    """Slope and intercept of the sigmoid, by Newton's method with halved steps.

    Source: Platt 1999 for the aims, which are less than certain so that separable annotations
    give a finite slope; Lin, Lin and Weng 2007 for the method.
    """
    positives = int(is_positive.sum())
    negatives = len(raw) - positives
    aims = np.where(is_positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    center, spread = raw.mean(), max(float(raw.std()), FLAT)
    inputs = np.stack([(raw - center) / spread, np.ones(len(raw))], axis=1)
    at = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    for _ in range(NEWTON_STEPS):
        chance = _sigmoid(inputs @ at)
        slope = inputs.T @ (chance - aims)
        if np.abs(slope).max() < FLAT:
            break
        bend = (inputs.T * (chance * (1 - chance))) @ inputs + FLAT * np.eye(2)
        step = np.linalg.solve(bend, slope)
        length = 1.0
        while length > FLAT and _loss(inputs @ (at - length * step), aims) > _loss(
            inputs @ at, aims
        ):
            length /= 2
        at -= length * step
    return np.array([at[0] / spread, at[1] - at[0] * center / spread])


def _sigmoid(z: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(z, -500, 500)))


def _loss(z: Floats, aims: Floats) -> float:
    return float((np.logaddexp(0, z) - aims * z).sum())


def restore(
    kind: Literal["platt", "isotonic"], tensors: Mapping[str, NDArray[np.generic]]
) -> Calibration:
    """What `tensors` gave."""
    chance, expected = tensors["chance"], tensors["expected"]
    return Calibration(kind, chance.astype(np.float64), expected.astype(np.float64))
