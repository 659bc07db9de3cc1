"""A seeded order of any number of windows that needs no memory: a cipher on their numbers."""

from typing import TYPE_CHECKING

from hornbook.seeds import stream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROUNDS = 6


class Permutation:
    """A bijection of [0, size), evaluated for the positions that are asked for.

    Source: a Feistel network with cycle walking, Black and Rogaway, Ciphers with arbitrary finite
    domains (2002).
    """

    def __init__(self, size: int, seed: int, *names: str) -> None:
        assert size > 0, "there is no order of nothing"
        self.size = size
        self._half = max(1, ((size - 1).bit_length() + 1) // 2)
        self._keys = stream(seed, "permutation", *names).integers(0, 1 << 63, size=ROUNDS)

    def __call__(self, positions: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """What stands at each of `positions`."""
        import numpy as np

        found = self._encrypt(positions.astype(np.uint64))
        outside = np.flatnonzero(found >= self.size)
        while len(outside):
            found[outside] = self._encrypt(found[outside])
            outside = outside[found[outside] >= self.size]
        return found.astype(np.int64)

    def _encrypt(self, values: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
        import numpy as np

        half, mask = np.uint64(self._half), np.uint64((1 << self._half) - 1)
        left, right = values >> half, values & mask
        for key in self._keys.astype(np.uint64):
            left, right = right, left ^ (_mix(right ^ key) & mask)
        return (left << half) | right


def _mix(values: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
    """The finalizer of splitmix64, whose every output bit depends on every input bit."""
    import numpy as np

    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
