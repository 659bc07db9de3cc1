"""A linear model over hashed words that predicts the annotation; coefficients as plain numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.artifacts import read_json, write_bytes, write_json
from hornbook.errors import ArtifactError

DIGITS = 5  # rounds away what differs between processors


def vectorizer(features: int) -> Any:  # noqa: ANN401 - sklearn is untyped
    """Hashed words and pairs of words; needs no vocabulary, so nothing of it is stored."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        n_features=features, ngram_range=(1, 2), alternate_sign=False, norm="l2"
    )


def fit(texts: Sequence[str], scores: Sequence[int], *, features: int, l2: float) -> np.ndarray:
    """Ridge weights, the intercept last; shape [features + 1]."""
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=l2, solver="sparse_cg", tol=1e-8, max_iter=2000)
    model.fit(vectorizer(features).transform(texts), np.asarray(scores, dtype=np.float64))
    return np.round(np.append(model.coef_, model.intercept_), DIGITS).astype(np.float64)


def predict(weights: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Scores on the annotations' scale, cut to [0, 5], shape [texts]."""
    raw = vectorizer(len(weights) - 1).transform(texts) @ weights[:-1] + weights[-1]
    return np.round(np.clip(raw, 0.0, 5.0), 3)


def save(folder: Path, weights: np.ndarray) -> None:
    """Weights as little-endian float64, no pickle."""
    write_bytes(folder / "weights.f64", weights.astype("<f8").tobytes())
    write_json(folder / "model.json", {"kind": "ridge over hashed words", "weights": len(weights)})


def load(folder: Path) -> np.ndarray:
    """The stored weights.

    Raises:
        ArtifactError: The file does not hold as many numbers as its description says.
    """
    weights = np.fromfile(folder / "weights.f64", dtype="<f8")
    expected = read_json(folder / "model.json")["weights"]
    if len(weights) != expected:
        raise ArtifactError(
            f"{folder}/weights.f64 holds {len(weights)} numbers, expected {expected}; "
            f"restore it with dvc checkout"
        )
    return weights
