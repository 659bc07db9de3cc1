"""Texts as hashes of their normalised words, and of runs of consecutive words.

A word is a run of letters, digits and underscores of the text in lower case; all else separates.
Many texts are hashed at once, as one array of code points: a word's hash is the sum of a number
for each letter times a power of an odd base, modulo 2**64, then mixed. Two words of a corpus
share a hash as rarely as random numbers would; who knows the base can build words that do.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORD = re.compile(r"\w+")
_BASE = 0x9E3779B97F4A7C15  # odd, so that no word of a run is multiplied away
_ROUND = 2**64
_CHUNK = 2**16  # letters at once: what they become stays in the processor's cache
_SHIFTS = (30, 27, 31)  # splitmix64, and its two factors
_FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


@dataclass(frozen=True)
class Hashed:
    """Hashes of several texts in a row; those of text n are `hashes[offsets[n]:offsets[n + 1]]`."""

    hashes: "NDArray[np.uint64]"
    offsets: "NDArray[np.int64]"

    def __getitem__(self, number: int) -> "NDArray[np.uint64]":
        """Hashes of one text."""
        return self.hashes[self.offsets[number] : self.offsets[number + 1]]


def words(text: str) -> list[str]:
    """Words in lower case; punctuation and white space only separate them."""
    return _WORD.findall(text.lower())


def hash_words(texts: Sequence[str]) -> Hashed:
    """The hash of each of `words(text)` for all texts, in their order."""
    import numpy as np

    # one by one: how a capital sigma is written depends on its neighbours
    lowered = [text.lower() for text in texts]
    ends = np.cumsum([len(text) + 1 for text in lowered], dtype=np.int64)
    hashes, starts = _hash_words("\n".join(lowered))
    return Hashed(hashes, np.concatenate([[0], np.searchsorted(starts, ends)]))


class WordHashes:
    """Hashes of words that are already found."""

    def __call__(self, found: Iterable[str]) -> "NDArray[np.uint64]":
        """Hashes of `found` in their order."""
        return _hash_words(" ".join(found))[0]


def runs(hashes: "NDArray[np.uint64]", length: int) -> "NDArray[np.uint64]":
    """Hash of each run of `length` consecutive words; empty for a shorter text."""
    import numpy as np

    count = len(hashes) - length + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    base = np.uint64(_BASE)
    mixed = hashes[:count].copy()
    for place in range(1, length):
        mixed *= base
        mixed += hashes[place : place + count]
    # the sum alone is linear in the words; the shifts make equal sums of other words unlikely
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(_FACTORS[0])
    mixed ^= mixed >> np.uint64(32)
    return mixed


def shingles(hashes: "NDArray[np.uint64]", length: int) -> "NDArray[np.uint64]":
    """The set of runs of a text, sorted; a text shorter than one run is one run of its own."""
    import numpy as np

    return np.unique(runs(hashes, min(length, len(hashes)) or length))


def shingle_sets(hashed: Hashed, length: int) -> Hashed:
    """`shingles` of each text."""
    import numpy as np

    counts = np.diff(hashed.offsets)
    flat = runs(hashed.hashes, length)
    sets: list[NDArray[np.uint64]] = []
    for start, count in zip(hashed.offsets.tolist(), counts.tolist(), strict=False):
        if count >= length:
            found = flat[start : start + count - length + 1].copy()
            found.sort()
        else:
            found = runs(hashed.hashes[start : start + count], count or length)
        sets.append(found)
    rows = np.array([len(one) for one in sets], dtype=np.int64)
    both = np.concatenate([np.empty(0, dtype=np.uint64), *sets])
    offsets = np.concatenate([[0], np.cumsum(rows)])
    is_new = np.ones(len(both), dtype=bool)
    is_new[1:] = both[1:] != both[:-1]
    is_new[offsets[:-1][rows > 0]] = True
    before = np.concatenate([[0], np.cumsum(is_new)])
    return Hashed(both[is_new], before[offsets])


def _hash_words(lowered: str) -> "tuple[NDArray[np.uint64], NDArray[np.int64]]":
    """Hash and place of each word of a text in lower case."""
    import numpy as np

    hashes: list[NDArray[np.uint64]] = [np.empty(0, dtype=np.uint64)]
    starts: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    open_length = 0  # letters so far of a word that goes on in the next chunk
    for start in range(0, len(lowered), _CHUNK):
        piece = lowered[start : start + _CHUNK]
        sums, first, past = _sums(piece)
        if open_length and len(first) and first[0] == 0:
            factor = np.uint64(pow(_BASE, open_length, _ROUND))
            hashes[-1][-1:] += sums[:1] * factor
            goes_on = past[0] == len(piece)
            open_length = open_length + len(piece) if goes_on else 0
            sums, first, past = sums[1:], first[1:], past[1:]
        else:
            open_length = 0
        if len(first):
            hashes.append(sums)
            starts.append(first + start)
            open_length = len(piece) - int(first[-1]) if past[-1] == len(piece) else 0
    return _mixed(np.concatenate(hashes)), np.concatenate(starts)


def _sums(
    piece: str,
) -> "tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]":
    """Unmixed hash, first letter and place past the last letter of each word of a chunk."""
    import numpy as np

    if piece.isascii():
        values = _letters(128)[np.frombuffer(piece.encode("ascii"), dtype=np.uint8)]
    else:
        codes = np.frombuffer(piece.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        values = _letters(0x110000)[codes]
    is_word = np.zeros(len(piece) + 2, dtype=bool)
    np.not_equal(values, 0, out=is_word[1:-1])
    edges = np.flatnonzero(is_word[1:] != is_word[:-1])
    first, past = edges[::2], edges[1::2]
    powers, inverses = _powers()
    total = np.zeros(len(piece) + 1, dtype=np.uint64)
    np.cumsum(values * powers[: len(piece)], out=total[1:])
    return (total[past] - total[first]) * inverses[first], first, past


@cache
def _letters(count: int) -> "NDArray[np.uint64]":
    """A number for each code point below `count`: 0 where it separates words."""
    import numpy as np

    is_word = np.zeros(count, dtype=bool)
    is_word[[ord(one) for one in re.findall(r"\w", "".join(map(chr, range(count))))]] = True
    numbers = _mixed((np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(_BASE))
    return np.where(is_word, numbers, np.uint64(0))


@cache
def _powers() -> "tuple[NDArray[np.uint64], NDArray[np.uint64]]":
    """Powers of the base and of its inverse, as many as a chunk has letters."""
    import numpy as np

    bases = (_BASE, pow(_BASE, -1, _ROUND))
    up, down = (
        np.cumprod(np.full(_CHUNK, base, dtype=np.uint64), dtype=np.uint64) for base in bases
    )
    one = np.ones(1, dtype=np.uint64)
    return np.concatenate([one, up[:-1]]), np.concatenate([one, down[:-1]])


def _mixed(numbers: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
    """Each number such that every bit depends on every bit of it; distinct ones stay distinct."""
    import numpy as np

    first, second, third = map(np.uint64, _SHIFTS)
    numbers = (numbers ^ (numbers >> first)) * np.uint64(_FACTORS[0])
    numbers = (numbers ^ (numbers >> second)) * np.uint64(_FACTORS[1])
    return numbers ^ (numbers >> third)
