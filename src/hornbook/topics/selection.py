"""Which topics are taken: each domain its share, within it all subjects alike, by seed."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from hornbook.errors import ConfigError
from hornbook.seeds import stream
from hornbook.topics.config import Selection
from hornbook.topics.sources import Topic


def select(known: Sequence[Topic], settings: Selection) -> list[Topic]:
    """The chosen topics by domain, subject and name.

    Raises:
        ConfigError: A weighted domain has fewer topics than its share.
    """
    by_domain = {
        domain: sorted(topic for topic in known if topic.domain == domain)
        for domain, weight in sorted(settings.weights.items())
        if weight > 0
    }
    available = {domain: len(topics) for domain, topics in by_domain.items()}
    shares = available if settings.count is None else quotas(settings.count, settings.weights)
    short = {d: available[d] for d in available if available[d] < max(shares[d], 1)}
    if short:
        told = "; ".join(f"{d}: {n} of {shares[d]}" for d, n in short.items())
        raise ConfigError(
            f"topics.selection.count={settings.count} and its weights ask for more topics than "
            f"there are ({told}); the source has {sorted({topic.domain for topic in known})}: "
            f"lower the count or the weight, add topics, or raise topics.proposals.rounds"
        )
    chosen: list[Topic] = []
    for domain, topics in by_domain.items():
        chosen += _of_domain(topics, shares[domain], settings.seed)
    return sorted(chosen)


def _of_domain(topics: Sequence[Topic], share: int, seed: int) -> list[Topic]:
    """`share` topics, subjects filled evenly; what a small subject lacks the others give."""
    subjects = {name: list(rows) for name, rows in groupby(topics, lambda topic: topic.subject)}
    taken = even({name: len(rows) for name, rows in subjects.items()}, share)
    chosen: list[Topic] = []
    for name, rows in subjects.items():
        order = stream(seed, "topics", topics[0].domain, name).permutation(len(rows))
        chosen += [rows[index] for index in order[: taken[name]]]
    return chosen


def even(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """How much of each to take so that `total` is reached and the largest share is smallest."""
    taken = dict.fromkeys(sizes, 0)
    left = total
    while left:
        open_ones = [name for name in sorted(sizes) if taken[name] < sizes[name]]
        for n, name in enumerate(open_ones):
            more = min(-(-left // (len(open_ones) - n)), sizes[name] - taken[name], left)
            taken[name] += more
            left -= more
    return taken


def quotas(count: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Shares of `count` by largest remainder, so that they add up.

    Raises:
        ConfigError: No weight is positive.
    """
    total = sum(weights.values())
    if total <= 0:
        raise ConfigError(f"weights={dict(weights)}: at least one must be positive")
    exact = {name: count * weights[name] / total for name in sorted(weights)}
    floor = {name: int(value) for name, value in exact.items()}
    rest = sorted(exact, key=lambda name: (floor[name] - exact[name], name))
    for name in rest[: count - sum(floor.values())]:
        floor[name] += 1
    return floor
