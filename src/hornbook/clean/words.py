"""Texts as hashes of their normalised words, and of runs of consecutive words."""

import hashlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORD = re.compile(r"\w+")
_BASE = 0x9E3779B97F4A7C15  # odd, so that no word of a run is multiplied away


def words(text: str) -> list[str]:
    """Words in lower case; punctuation and white space only separate them."""
    return _WORD.findall(text.lower())


class WordHashes:
    """64-bit hashes of words, the same in every process; each distinct word is hashed once."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def __call__(self, found: Iterable[str]) -> "NDArray[np.uint64]":
        """Hashes of `found` in their order."""
        import numpy as np

        known = self._known
        hashes: list[int] = []
        for word in found:
            value = known.get(word)
            if value is None:
                digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
                value = known[word] = int.from_bytes(digest, "little")
            hashes.append(value)
        return np.array(hashes, dtype=np.uint64)


def runs(hashes: "NDArray[np.uint64]", length: int) -> "NDArray[np.uint64]":
    """Hash of each run of `length` consecutive words; empty for a shorter text."""
    import numpy as np

    count = len(hashes) - length + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    base = np.uint64(_BASE)
    mixed = np.zeros(count, dtype=np.uint64)
    for place in range(length):
        mixed = mixed * base + hashes[place : place + count]
    # the sum alone is linear in the words; the shifts make equal sums of other words unlikely
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))


def shingles(hashes: "NDArray[np.uint64]", length: int) -> "NDArray[np.uint64]":
    """The set of runs of a text, sorted; a text shorter than one run is one run of its own."""
    import numpy as np

    return np.unique(runs(hashes, min(length, len(hashes)) or length))
