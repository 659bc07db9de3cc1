"""Hashed words and pairs of neighbouring words of many texts at once; needs no vocabulary."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hornbook.clean.words import hash_words, runs

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

TEXTS_AT_ONCE = 64  # what they become stays in the processor's cache
DIGITS = 5  # of whatever is stored or compared: rounds away what differs between processors


class Buckets(NamedTuple):
    """Buckets of texts in a row; those of text n are `words[offsets[n]:offsets[n + 1]]`.

    `pairs` has the pair of each word with the next one, and the number of buckets where a word is
    the last of its text.
    """

    words: NDArray[np.int64]
    pairs: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def amounts(self) -> NDArray[np.int64]:
        """Words and pairs of each text, at least 1."""
        return np.maximum(2 * np.diff(self.offsets) - 1, 1)


def buckets(texts: Sequence[str], features: int) -> Buckets:
    """Which of `features` buckets, a power of two, each word and pair falls into."""
    hashed = hash_words(texts)
    hashes, offsets = hashed.hashes, hashed.offsets
    shift = np.uint64(65 - features.bit_length())
    pairs = np.full(len(hashes), features, dtype=np.int64)
    pairs[:-1] = runs(hashes, 2) >> shift
    last = offsets[1:] - 1  # of a text without words: the last word of a text before it
    pairs[last[last >= 0]] = features
    return Buckets((hashes >> shift).astype(np.int64), pairs, offsets)


def counts(texts: Sequence[str], features: int) -> "csr_matrix":
    """How often each text has each bucket, [texts, features]."""
    from scipy.sparse import csr_matrix, vstack

    blocks = [csr_matrix((0, features))]
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        found = buckets(texts[start : start + TEXTS_AT_ONCE], features)
        rows = np.repeat(np.arange(len(found.offsets) - 1), np.diff(found.offsets))
        is_pair = found.pairs < features
        places = (
            np.concatenate([rows, rows[is_pair]]),
            np.concatenate([found.words, found.pairs[is_pair]]),
        )
        shape = (len(found.offsets) - 1, features)
        blocks.append(csr_matrix((np.ones(len(places[0])), places), shape=shape))
    return csr_matrix(vstack(blocks))
