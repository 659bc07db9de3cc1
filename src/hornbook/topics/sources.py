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


class Source(NamedTuple):
    """What a file offers."""

    topics: list[Topic]  # in the order of the file
    duplicates: int  # rows left out because they only repeat an earlier one


def read_topics(file: Path) -> Source:
    """The topics of a taxonomy (YAML) or of a table of the user's own.

    Raises:
        InputError: The file is absent, unreadable, empty or of another shape.
    """
    readers = {".yaml": _taxonomy, ".yml": _taxonomy, ".csv": _table, ".jsonl": _table,
               ".parquet": _table}  # fmt: skip
    if file.suffix not in readers:
        raise InputError(f"data.topics={file}: expected one of {', '.join(sorted(readers))}")
    try:
        rows = readers[file.suffix](file)
    except UnicodeDecodeError as error:
        raise InputError(f"data.topics={file} is not UTF-8 ({error}); save it as UTF-8") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"data.topics={file} cannot be read: {error}") from error
    if not rows:
        raise InputError(f"data.topics={file} has no topic; expected {', '.join(COLUMNS)}")
    first = {tuple(" ".join(part.casefold().split()) for part in row): row for row in rows[::-1]}
    kept = set(first.values())
    topics = [row for row in dict.fromkeys(rows) if row in kept]
    return Source(topics, len(rows) - len(topics))


def _taxonomy(file: Path) -> list[Topic]:
    """All topics of domain -> subject -> topics."""
    tree = yaml.safe_load(file.read_text("utf-8"))
    rows: list[Topic] = []
    for domain, subjects in _mapping(tree, file, "domains"):
        for subject, topics in _mapping(subjects, file, f"{domain}: subjects"):
            if not isinstance(topics, list):
                raise InputError(
                    f"data.topics={file}: {domain}: {subject}: expected a list of topics, "
                    f"found {topics!r}"
                )
            rows += [Topic(domain, subject, str(topic)) for topic in topics]
    return rows


def _mapping(value: Any, file: Path, what: str) -> list[tuple[str, Any]]:  # noqa: ANN401 - YAML
    if not isinstance(value, dict):
        raise InputError(f"data.topics={file}: expected a mapping of {what}, found {value!r}")
    return [(str(key), item) for key, item in value.items()]


def _table(file: Path) -> list[Topic]:
    """Topics of the columns domain, subject, topic."""
    import pandas as pd

    readers: Mapping[str, Any] = {
        ".csv": lambda path: pd.read_csv(path, dtype=str),
        ".jsonl": lambda path: pd.read_json(path, lines=True),
        ".parquet": pd.read_parquet,
    }
    frame = readers[file.suffix](file)
    missing = sorted(set(COLUMNS) - set(frame.columns))
    if missing:
        raise InputError(
            f"data.topics={file} has no column {', '.join(missing)}; "
            f"it has {', '.join(map(str, frame.columns)) or 'none'}"
        )
    empty = [n for n, is_empty in enumerate(frame[list(COLUMNS)].isna().any(axis=1)) if is_empty]
    if empty:
        raise InputError(
            f"data.topics={file}: row {empty[0] + 1} and {len(empty) - 1} more lack a value in "
            f"{', '.join(COLUMNS)}; fill them or leave the rows out"
        )
    return [Topic(*map(str, row)) for row in frame[list(COLUMNS)].to_numpy().tolist()]


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
