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
# of shares that follow from numbers of tokens
ROUNDED_PERIOD = 10_000


def shares(weights: Mapping[str, float]) -> dict[str, Fraction]:
    """Exact shares that add up to one, in the order of the names.

    A weight is read as the decimal it is written as: .1 is a tenth.
    """
    exact = {name: Fraction(repr(weights[name])) for name in sorted(weights)}
    total = sum(exact.values())
    return {name: weight / total for name, weight in exact.items()}


def rounded_shares(drawn: Mapping[str, int]) -> dict[str, Fraction]:
    """Shares as near to these amounts as sequences of a period can be, in the order of the names.

    Source: largest remainders (Hamilton's method).

    Raises:
        ConfigError: An amount is too small beside the others to be in a period at all.
    """
    total = sum(drawn.values())
    if not total:
        return {name: Fraction(1, len(drawn)) for name in sorted(drawn)}
    exact = {name: Fraction(drawn[name] * ROUNDED_PERIOD, total) for name in sorted(drawn)}
    counts = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in by_remainder[: ROUNDED_PERIOD - sum(counts.values())]:
        counts[name] += 1
    none = sorted(name for name, count in counts.items() if not count)
    if none:
        raise ConfigError(
            f"{' and '.join(none)}: {', '.join(f'{drawn[name]:,}' for name in none)} of {total:,} "
            f"drawn tokens is less than one sequence in {ROUNDED_PERIOD:,}; give it more tokens or "
            f"epochs, or leave it out"
        )
    return {name: Fraction(count, ROUNDED_PERIOD) for name, count in counts.items()}


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
