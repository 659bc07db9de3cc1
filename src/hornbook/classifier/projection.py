"""The embedded embedding: weighted hashed words along their leading directions in the sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hornbook.classifier.features import DIGITS, counts
from hornbook.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Projection:
    """Kept buckets in order, their inverse document frequency, their directions [kept, axes]."""

    features: int
    kept: NDArray[np.int64]
    rarity: NDArray[np.float32]
    axes: NDArray[np.float32]

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector a text, [texts, axes]."""
        weighted = _weighted(counts(texts, self.features), self.kept, self.rarity)
        return np.asarray(np.round(weighted.astype(np.float32) @ self.axes, DIGITS), np.float32)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """What is stored."""
        return {
            "features": np.array([self.features]),
            "kept": self.kept,
            "rarity": self.rarity,
            "axes": self.axes,
        }


def _weighted(
    matrix: "csr_matrix", kept: NDArray[np.int64], rarity: NDArray[np.float32]
) -> "csr_matrix":
    """Rows of unit length: (1 + log count) times rarity of the kept buckets."""
    from scipy.sparse import csr_matrix, diags_array

    found = csr_matrix(matrix[:, kept])
    found.data = 1 + np.log(found.data)
    found = csr_matrix(found @ diags_array(rarity.astype(np.float64)))
    lengths = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
    return csr_matrix(diags_array(1 / np.maximum(lengths, 1e-9)) @ found)


def fit(
    texts: Sequence[str], *, features: int, dimensions: int, min_documents: int, seed: int
) -> Projection:
    """The directions along which `texts` differ most.

    Raises:
        InputError: The texts share too few words.
    """
    from sklearn.decomposition import TruncatedSVD

    matrix = counts(texts, features)
    documents = np.bincount(matrix.indices, minlength=features)
    kept = np.flatnonzero(documents >= min_documents)
    if len(kept) < 2:
        raise InputError(
            f"{len(kept)} words stand in {min_documents} of {len(texts)} annotated texts "
            f"(classifier.embedding.min_documents), 2 are needed; annotate a larger sample"
        )
    rarity = np.log((1 + len(texts)) / (1 + documents[kept])) + 1
    rarity = np.round(rarity, DIGITS).astype(np.float32)
    weighted = _weighted(matrix, kept, rarity)
    few = min(dimensions, len(texts), len(kept))
    axes = TruncatedSVD(few, random_state=seed).fit(weighted)
    stored = np.round(np.asarray(axes.components_).T, DIGITS).astype(np.float32)
    return Projection(features, kept, rarity, np.ascontiguousarray(stored))


def restore(tensors: Mapping[str, NDArray[np.generic]]) -> Projection:
    """What `tensors` gave."""
    return Projection(
        int(tensors["features"][0]),
        tensors["kept"].astype(np.int64),
        tensors["rarity"].astype(np.float32),
        tensors["axes"].astype(np.float32),
    )
