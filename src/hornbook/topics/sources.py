"""Where topics come from: the taxonomy, or a file of the user's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hornbook.errors import ConfigError, InputError

COLUMNS = ("domain", "subject", "topic")


class Topic(NamedTuple):
    """A topic without audience and style."""

    domain: str
    subject: str
    topic: str


def from_taxonomy(file: Path) -> list[Topic]:
    """All topics of domain -> subject -> topics, in the order of the file, repeats dropped.

    Raises:
        InputError: The file is absent or of another shape.
    """
    try:
        tree = yaml.safe_load(file.read_text("utf-8"))
        rows = [
            Topic(str(domain), str(subject), str(topic))
            for domain, subjects in tree.items()
            for subject, topics in subjects.items()
            for topic in topics
        ]
    except (OSError, yaml.YAMLError, AttributeError, TypeError) as error:
        raise InputError(
            f"{file}: expected domain -> subject -> list of topics, found {error}"
        ) from error
    return list(dict.fromkeys(rows))


def from_file(file: Path) -> list[Topic]:
    """Topics of a CSV, JSONL or parquet with the columns domain, subject, topic.

    Raises:
        InputError: The file is absent, unreadable, or lacks a column.
    """
    import pandas as pd

    readers: Mapping[str, Any] = {
        ".csv": pd.read_csv,
        ".jsonl": lambda path: pd.read_json(path, lines=True),
        ".parquet": pd.read_parquet,
    }
    if file.suffix not in readers:
        raise InputError(f"data.topics={file}: expected .yaml, .csv, .jsonl or .parquet")
    try:
        frame = readers[file.suffix](file)
    except (OSError, ValueError) as error:
        raise InputError(f"data.topics={file} cannot be read: {error}") from error
    missing = sorted(set(COLUMNS) - set(frame.columns))
    if missing:
        raise InputError(
            f"data.topics={file} has no column {missing}; it has {list(frame.columns)}"
        )
    rows = [Topic(*map(str, row)) for row in frame[list(COLUMNS)].dropna().to_numpy().tolist()]
    return list(dict.fromkeys(rows))


def quotas(count: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Topics per domain: shares of `count` by largest remainder, so that they add up.

    Raises:
        ConfigError: No weight is positive.
    """
    total = sum(weights.values())
    if total <= 0:
        raise ConfigError(f"topics.weights={dict(weights)}: at least one must be positive")
    exact = {name: count * weights[name] / total for name in sorted(weights)}
    floor = {name: int(value) for name, value in exact.items()}
    rest = sorted(exact, key=lambda name: (floor[name] - exact[name], name))
    for name in rest[: count - sum(floor.values())]:
        floor[name] += 1
    return floor
