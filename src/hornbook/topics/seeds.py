"""Stage `topic_seeds`: distinct topics, balanced over domains and subjects, and what they cover."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hornbook.artifacts import read_table, write_bytes, write_json, write_table
from hornbook.stage import Run
from hornbook.topics.config import Selection
from hornbook.topics.coverage import coverage, of_each_domain
from hornbook.topics.figure import draw
from hornbook.topics.selection import select
from hornbook.topics.similarity import repeats
from hornbook.topics.sources import Topic, read_topics

ROUTES = ("source", "proposal")


def topic_seeds(run: Run) -> None:
    """Topics of the source and the proposals, without repeats, chosen as the weights say."""
    import pandas as pd
    import pyarrow as pa

    settings = run.section("topics.selection", Selection)
    source = read_topics(run.input(run.section("topics.source", str)))
    table = read_table(run.input("artifacts/topics/proposals") / "topics.parquet")
    proposed = [Topic(**row) for row in table.to_pylist()]
    origin = dict.fromkeys(proposed, ROUTES[1]) | dict.fromkeys(source.topics, ROUTES[0])
    distinct, near = without_repeats([*source.topics, *proposed], settings.max_similarity)
    chosen = select(distinct, settings)
    rows = [_row(topic, origin[topic]) for topic in chosen]
    run.expect("topics", pd.DataFrame(rows), settings.expectations, key="topic_id")
    write_table(run.out / "topics.parquet", pa.Table.from_pylist(rows))
    fields = [(name, pa.string()) for name in ("domain", "topic", "repeats")]
    write_table(run.out / "near_repeats.parquet", pa.Table.from_pylist(
        near, pa.schema([*fields, ("similarity", pa.float64())])))  # fmt: skip
    found = coverage(chosen)
    write_json(run.out / "coverage.json", found)
    write_bytes(run.out / "coverage.png", draw(found))
    told = ("base_topics", "subjects", "by_domain", "by_bloom")
    run.summary(
        rows=len(rows),
        available=len(distinct),
        repeats_removed=source.duplicates,
        near_repeats_removed=len(near),
        nearest_similarity_mean=found["nearest_similarity"]["mean"],
        gaps=len(found["gaps"]),
        by_route=dict(sorted(Counter(row["route"] for row in rows).items())),
        **{name: found[name] for name in told},
    )


def without_repeats(
    topics: Sequence[Topic], most: float
) -> tuple[list[Topic], list[dict[str, Any]]]:
    """The topics whose base is not too like an earlier one of its domain, and the others."""
    removed: dict[tuple[str, str], dict[str, Any]] = {}
    for domain, bases in of_each_domain(topics).items():
        names = [topic.base for topic in bases]
        for repeat in repeats(names, most):
            removed[domain, names[repeat.place]] = {
                "domain": domain,
                "topic": names[repeat.place],
                "repeats": names[repeat.kept],
                "similarity": round(repeat.similarity, 4),
            }
    kept = [topic for topic in topics if (topic.domain, topic.base) not in removed]
    return list(dict.fromkeys(kept)), list(removed.values())


def topic_id(topic: Topic) -> str:
    """An id that follows from the topic alone, whatever else is selected."""
    return hashlib.sha256("|".join(topic[:3]).encode()).hexdigest()[:16]


def _row(topic: Topic, route: str) -> dict[str, Any]:
    return {"topic_id": topic_id(topic), **topic._asdict(), "route": route}
