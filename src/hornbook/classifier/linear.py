"""A linear model over hashed words that predicts the annotation.

A text's score is the sum of its words' and pairs' weights over the square root of their number,
which is their Euclidean length when none repeats, and needs no counting. Weights are whole numbers
of 1e-5, so that the sums are exact and the same on every processor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hornbook.classifier.features import DIGITS, Buckets, buckets, counts

UNIT = 10**DIGITS


@dataclass(frozen=True)
class Linear:
    """`weights` in units of 1e-5 by bucket and a last one of 0 for no bucket; the intercept."""

    weights: NDArray[np.int32]
    intercept: float

    @property
    def features(self) -> int:
        """The number of buckets."""
        return len(self.weights) - 1

    def raw(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Predicted annotations before calibration, shape [texts]."""
        found = buckets(texts, self.features)
        sums = self._sums(found) / UNIT / np.sqrt(found.amounts())
        return np.round(sums + self.intercept, DIGITS)

    def _sums(self, found: Buckets) -> NDArray[np.int64]:
        own = self.weights[found.words]
        own += self.weights[found.pairs]
        total = np.zeros(len(own) + 1, dtype=np.int64)
        np.cumsum(own, out=total[1:])
        return total[found.offsets[1:]] - total[found.offsets[:-1]]

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """What is stored."""
        return {"weights": self.weights, "intercept": np.array([self.intercept])}


def fit(texts: Sequence[str], scores: Sequence[int], *, features: int, l2: float) -> Linear:
    """Ridge regression of the annotations."""
    from scipy.sparse import diags_array
    from sklearn.linear_model import Ridge

    matrix = counts(texts, features)
    amounts = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), 1)
    model = Ridge(alpha=l2, solver="sparse_cg", tol=1e-8, max_iter=2000)
    model.fit(diags_array(1 / np.sqrt(amounts)) @ matrix, np.asarray(scores, dtype=np.float64))
    weights = np.zeros(features + 1, dtype=np.int32)
    weights[:-1] = np.round(model.coef_ * UNIT)
    return Linear(weights, round(float(model.intercept_), DIGITS))


def restore(tensors: Mapping[str, NDArray[np.generic]]) -> Linear:
    """What `tensors` gave."""
    return Linear(tensors["weights"].astype(np.int32), float(tensors["intercept"][0]))
