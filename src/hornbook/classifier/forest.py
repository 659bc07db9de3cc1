"""A random forest as plain arrays: grown by scikit-learn, read and walked without it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hornbook.classifier.config import Forest as Size
from hornbook.classifier.features import DIGITS

UNIT = 10**DIGITS


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees in a row; a leaf is its own child, so that walks may end early.

    At a node a vector goes left when its `feature` is at most `threshold`. Values are in units of
    1e-5, so that their sum over the trees is exact.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.int32]
    depth: int

    def raw(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean of the trees' values, shape [vectors]."""
        at = np.broadcast_to(self.roots, (len(vectors), len(self.roots)))
        rows = np.arange(len(vectors))[:, None]
        for _ in range(self.depth):
            goes_left = vectors[rows, self.feature[at]] <= self.threshold[at]
            at = np.where(goes_left, self.left[at], self.right[at])
        sums = self.value[at].sum(axis=1, dtype=np.int64)
        return np.round(sums / UNIT / len(self.roots), DIGITS)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """What is stored."""
        names = ("roots", "feature", "threshold", "left", "right", "value")
        return {name: getattr(self, name) for name in names} | {"depth": np.array([self.depth])}


def grow(
    vectors: NDArray[np.float32], scores: NDArray[np.int64], size: Size, *, seed: int, workers: int
) -> Trees:
    """A forest that predicts the annotation; `workers` changes no byte."""
    from sklearn.ensemble import RandomForestRegressor

    model = RandomForestRegressor(
        n_estimators=size.trees, max_depth=size.max_depth, min_samples_leaf=size.min_leaf,
        max_features="sqrt",  # pyright: ignore[reportArgumentType]
        random_state=seed % 2**32, n_jobs=workers,
    )  # fmt: skip
    model.fit(vectors, scores.astype(np.float64))
    return flattened([tree.tree_ for tree in model.estimators_])


def flattened(trees: list[Any]) -> Trees:
    """scikit-learn's trees as arrays."""
    ends = np.cumsum([tree.node_count for tree in trees])
    roots = np.concatenate([[0], ends[:-1]])
    left = _joined(
        [_children(t.children_left) + root for t, root in zip(trees, roots, strict=True)]
    )
    right = _joined(
        [_children(t.children_right) + root for t, root in zip(trees, roots, strict=True)]
    )
    return Trees(
        roots.astype(np.int32),
        np.maximum(_joined([tree.feature for tree in trees]), 0),
        np.concatenate([tree.threshold for tree in trees]).astype(np.float64),
        left,
        right,
        _joined([np.round(tree.value[:, 0, 0] * UNIT) for tree in trees]),
        max(int(tree.max_depth) for tree in trees),
    )


def _children(places: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(places < 0, np.arange(len(places)), places)


def _joined(parts: list[NDArray[Any]]) -> NDArray[np.int32]:
    return np.concatenate(parts).astype(np.int32)


def restore(tensors: Mapping[str, NDArray[np.generic]]) -> Trees:
    """What `tensors` gave."""
    whole = {
        name: tensors[name].astype(np.int32)
        for name in ("roots", "feature", "left", "right", "value")
    }
    depth = int(tensors["depth"][0])
    return Trees(**whole, threshold=tensors["threshold"].astype(np.float64), depth=depth)
