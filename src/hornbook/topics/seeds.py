"""Stage `topic_seeds`: topics, balanced over domains, crossed with audience and style."""

import hashlib
from collections import Counter
from itertools import product
from typing import Any

from hornbook.artifacts import write_json, write_table
from hornbook.errors import ConfigError
from hornbook.seeds import stream
from hornbook.stage import Run
from hornbook.topics.config import Topics
from hornbook.topics.sources import Topic, quotas, read_topics

AXES = ("domain", "subject", "audience", "style")


def topic_seeds(run: Run) -> None:
    """Read the source, draw each domain's share, keep what was drawn with its coverage."""
    import pandas as pd
    import pyarrow as pa

    settings = run.section("topics", Topics)
    source = read_topics(run.input(run.section("data.topics", str)))
    rows = draw(source.topics, settings)
    frame = pd.DataFrame(rows)
    run.expect("topics", frame, settings.expectations, key="topic_id")
    write_table(run.out / "topics.parquet", pa.Table.from_pylist(rows))
    counts = {axis: dict(sorted(Counter(row[axis] for row in rows).items())) for axis in AXES}
    distinct = len({row["topic"] for row in rows})
    source_facts = {"available": len(source.topics), "duplicates_removed": source.duplicates}
    write_json(run.out / "coverage.json", counts | source_facts | {"topics": distinct})
    run.summary(rows=len(rows), distinct_topics=distinct, **source_facts, **counts)


def draw(known: list[Topic], settings: Topics) -> list[dict[str, Any]]:
    """`count` rows: each domain its quota, drawn without repeats from topic x audience x style.

    Raises:
        ConfigError: A weighted domain has no topics, or there is no default style.
    """
    rows: list[dict[str, Any]] = []
    if "default" not in settings.styles:
        raise ConfigError(
            f"topics.styles has {sorted(settings.styles)}; expected `default` too, for the others"
        )
    for domain, quota in sorted(quotas(settings.count, settings.weights).items()):
        topics = [topic for topic in known if topic.domain == domain]
        styles = settings.styles.get(domain, settings.styles["default"])
        crossed = list(product(topics, settings.audiences, styles))
        if quota and not crossed:
            raise ConfigError(
                f"topics.weights gives {domain!r} {quota} topics, but the source has none; "
                f"it has {sorted({topic.domain for topic in known})}"
            )
        rng = stream(settings.seed, "topics", domain)
        order = [crossed[index] for index in rng.permutation(len(crossed))]
        for number in range(quota):
            topic, audience, style = order[number % len(order)]
            rows.append(_row(topic, audience, style, number // len(order)))
    return rows


def _row(topic: Topic, audience: str, style: str, repeat: int) -> dict[str, Any]:
    """A row; a domain that is drawn more often than it has combinations repeats them apart."""
    fields = (*topic, audience, style, str(repeat))
    digest = hashlib.sha256("|".join(fields).encode()).hexdigest()[:16]
    return {
        "topic_id": digest,
        **topic._asdict(),
        "audience": audience,
        "style": style,
        "repeat": repeat,
    }
