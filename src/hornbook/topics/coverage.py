"""What the topics cover: domains, Bloom's levels, how alike they are, gaps beside benchmarks.

Benchmarks enter by the names of their subjects only (`benchmarks.yaml`); no item is read.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hornbook.topics.similarity import Neighbour, neighbours
from hornbook.topics.sources import BLOOM, UNKNOWN, Topic

BINS = 20
FEW = 5  # subjects with fewer topics are listed as gaps


class Area(NamedTuple):
    """A subject that a benchmark names, and the topics that mention one of its words."""

    benchmark: str
    subject: str
    topics: int


def benchmark_areas(topics: Sequence[Topic]) -> list[Area]:
    """How many topics touch each benchmark's subjects."""
    named = yaml.safe_load(Path(__file__).with_name("benchmarks.yaml").read_text("utf-8"))
    texts = [f" {t.domain} {t.subject} {t.base} ".casefold() for t in topics]
    return [
        Area(benchmark, subject, sum(any(word in text for word in words) for text in texts))
        for benchmark, subjects in sorted(named.items())
        for subject, words in sorted(subjects.items())
    ]


def thin_subjects(topics: Sequence[Topic], enough: int) -> list[tuple[str, str]]:
    """Domain and subject of those with fewer than `enough` base topics, thinnest first."""
    bases = Counter(
        (t.domain, t.subject) for t in {(t.domain, t.subject, t.base): t for t in topics}.values()
    )
    thin = [(count, area) for area, count in bases.items() if count < enough]
    return [area for _, area in sorted(thin)]


def of_each_domain(topics: Sequence[Topic]) -> dict[str, list[Topic]]:
    """One topic per base, by domain."""
    found: dict[str, dict[str, Topic]] = {}
    for topic in topics:
        found.setdefault(topic.domain, {}).setdefault(topic.base, topic)
    return {domain: list(bases.values()) for domain, bases in sorted(found.items())}


def nearest(topics: Sequence[Topic]) -> list[tuple[Topic, Topic | None, Neighbour]]:
    """Each base topic with the nearest other one of its domain."""
    rows: list[tuple[Topic, Topic | None, Neighbour]] = []
    for bases in of_each_domain(topics).values():
        near = neighbours([topic.base for topic in bases])
        rows += [
            (t, bases[n.place] if n.place >= 0 else None, n)
            for t, n in zip(bases, near, strict=True)
        ]
    return rows


def coverage(topics: Sequence[Topic]) -> dict[str, Any]:
    """The report as it is written: counts, a histogram of nearest similarities, gaps."""
    near = nearest(topics)
    counts = Counter((topic.domain, topic.bloom) for topic in topics)
    domains = sorted({topic.domain for topic in topics})
    levels = [level for level in (*BLOOM, UNKNOWN) if any(counts[d, level] for d in domains)]
    histogram = [0] * BINS
    for _, _, one in near:
        histogram[min(int(one.similarity * BINS), BINS - 1)] += 1
    closest = sorted(near, key=lambda row: (-row[2].similarity, row[0]))[:20]
    areas = benchmark_areas(topics)
    return {
        "topics": len(topics),
        "base_topics": len(near),
        "subjects": len({(topic.domain, topic.subject) for topic in topics}),
        "by_domain": {d: sum(counts[d, level] for level in levels) for d in domains},
        "by_bloom": {level: sum(counts[d, level] for d in domains) for level in levels},
        "by_domain_and_bloom": {d: {b: counts[d, b] for b in levels} for d in domains},
        "by_subject": _nested(topics),
        "nearest_similarity": {
            "bins": BINS,
            "histogram": histogram,
            "mean": round(sum(n.similarity for _, _, n in near) / max(len(near), 1), 4),
            "closest": [
                {"topic": t.base, "nearest": other.base, "similarity": round(n.similarity, 4)}
                for t, other, n in closest
                if other is not None
            ],
        },
        "benchmark_subjects": [area._asdict() for area in areas],
        "gaps": [f"{area.benchmark}: {area.subject}" for area in areas if area.topics < FEW],
    }


def _nested(topics: Sequence[Topic]) -> Mapping[str, Mapping[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for topic in topics:
        counts.setdefault(topic.domain, Counter())[topic.subject] += 1
    return {domain: dict(sorted(found.items())) for domain, found in sorted(counts.items())}
