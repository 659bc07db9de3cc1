"""One seed in, named streams out: adding a stream never shifts another."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def integer(seed: int, *names: str) -> int:
    """A 63-bit seed that depends on `seed` and on every name."""
    text = "/".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def stream(seed: int, *names: str) -> "np.random.Generator":
    """A random stream of its own for each (seed, names)."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(integer(seed, *names)))
