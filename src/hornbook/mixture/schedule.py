"""Which source each sequence comes from: declared shares within one sequence, at every scale."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

from hornbook.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# its table is made one sequence at a time; no share that a person declares needs a longer one
LONGEST_PERIOD = 100_000


def shares(weights: Mapping[str, float]) -> dict[str, Fraction]:
    """Exact shares that add up to one, in the order of the names.

    A weight is read as the decimal it is written as: .1 is a tenth.
    """
    exact = {name: Fraction(repr(weights[name])) for name in sorted(weights)}
    total = sum(exact.values())
    return {name: weight / total for name, weight in exact.items()}


def period(portions: Sequence[Fraction]) -> "NDArray[np.int64]":
    """Source index of each sequence of one period, after which all shares are met exactly.

    After every prefix of k sequences each source was drawn less than one away from k times its
    share. Source: R. Tijdeman, The chairman assignment problem, Discrete Mathematics 32 (1980):
    among the sources that may be drawn without running ahead, the one whose deadline is nearest.

    Raises:
        ConfigError: The shares need a period that is too long.
    """
    import numpy as np

    length = lcm(*(portion.denominator for portion in portions))
    if length > LONGEST_PERIOD:
        raise ConfigError(
            f"weights as shares {[str(portion) for portion in portions]} repeat only after "
            f"{length:,} sequences, expected at most {LONGEST_PERIOD:,}; "
            f"round the weights or write them as small whole numbers"
        )
    quotas = [int(portion * length) for portion in portions]
    # in units of 1 / (length * slack), so that every comparison is between integers
    slack = max(1, 2 * len(quotas) - 2)
    drawn = [0] * len(quotas)
    order = np.empty(length, dtype=np.int64)
    for place in range(length):
        ahead = [
            slack * (quota * (place + 1) - length * count)
            for quota, count in zip(quotas, drawn, strict=True)
        ]
        # may be drawn: at least 1/slack of a sequence is owed
        ready = [source for source, owed in enumerate(ahead) if owed >= length]
        chosen = min(
            ready,
            key=lambda source: (
                Fraction((slack - 1) * length - ahead[source], quotas[source]),
                source,
            ),
        )
        drawn[chosen] += 1
        order[place] = chosen
    assert drawn == quotas, f"a period draws {drawn}, declared are {quotas}"
    return order
