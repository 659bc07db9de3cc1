"""How alike names of topics are: cosine of their character n-grams, 0 to 1."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

NGRAMS = (2, 4)
ROWS_AT_ONCE = 1000


class Neighbour(NamedTuple):
    """The most similar other name."""

    similarity: float
    place: int


class Repeat(NamedTuple):
    """A name that repeats an earlier one which is kept."""

    place: int
    kept: int
    similarity: float


def vectors(names: Sequence[str]) -> "csr_matrix":
    """Unit vectors of character n-grams within words, [names, n-grams]."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    made = TfidfVectorizer(analyzer="char_wb", ngram_range=NGRAMS)
    return made.fit_transform(name.casefold() for name in names)  # pyright: ignore[reportReturnType]


def neighbours(names: Sequence[str]) -> list[Neighbour]:
    """For each name its nearest other one; similarity 0 and index -1 where it is alone."""
    import numpy as np

    if len(names) < 2:
        return [Neighbour(0.0, -1)] * len(names)
    found: list[Neighbour] = []
    matrix = vectors(names)
    for start in range(0, len(names), ROWS_AT_ONCE):
        scores = (matrix[start : start + ROWS_AT_ONCE] @ matrix.T).toarray()
        scores[np.arange(len(scores)), start + np.arange(len(scores))] = -1.0
        best = scores.argmax(axis=1)
        found += [Neighbour(float(scores[n, at]), int(at)) for n, at in enumerate(best)]
    return found


def repeats(names: Sequence[str], most: float) -> list[Repeat]:
    """The names more alike than `most` to an earlier one that is not itself a repeat."""
    if len(names) < 2:
        return []
    matrix = vectors(names)
    found: dict[int, Repeat] = {}
    for start in range(0, len(names), ROWS_AT_ONCE):
        scores = (matrix[start : start + ROWS_AT_ONCE] @ matrix.T).tocoo()
        close = scores.data > most
        pairs = zip(scores.row[close] + start, scores.col[close], scores.data[close], strict=True)
        for later, earlier, similarity in sorted((int(i), int(j), float(s)) for i, j, s in pairs):
            if earlier < later and later not in found and earlier not in found:
                found[later] = Repeat(later, earlier, similarity)
    return list(found.values())
