"""Where topics come from: a taxonomy, or a file of the user's own."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hornbook.errors import InputError

COLUMNS = ("domain", "subject", "topic")
BLOOM = ("remember", "understand", "apply", "analyze", "evaluate", "create")  # revised taxonomy
UNKNOWN = "not given"
PLAIN = {"{topic}": UNKNOWN}


class Topic(NamedTuple):
    """Something to write about; `base` is the topic without the facet that asks about it."""

    domain: str
    subject: str
    topic: str
    base: str
    bloom: str


class Source(NamedTuple):
    """What a file offers."""

    topics: list[Topic]  # in the order of the file
    facets: dict[str, dict[str, str]]  # of each domain: pattern with {topic}, Bloom's level
    duplicates: int  # rows left out because they only repeat an earlier one


def read_topics(place: Path) -> Source:
    """The topics of a taxonomy (YAML file or folder) or of a table of the user's own.

    Raises:
        InputError: The file is absent, unreadable, empty or of another shape.
    """
    files = sorted(place.glob("*.y*ml")) if place.is_dir() else [place]
    rows: list[Topic] = []
    facets: dict[str, dict[str, str]] = {}
    for file in files:
        rows += _read(file, facets)
    if not rows:
        raise InputError(f"topics.source={place} has no topic; expected {', '.join(COLUMNS)}")
    first: dict[tuple[str, ...], Topic] = {}
    for row in rows:
        first.setdefault(tuple(normal(part) for part in row[:3]), row)
    return Source(list(first.values()), facets, len(rows) - len(first))


def normal(text: str) -> str:
    """A name as names are compared: case and spaces do not count."""
    return " ".join(text.casefold().split())


def _read(file: Path, facets: dict[str, dict[str, str]]) -> list[Topic]:
    try:
        if file.suffix in {".yaml", ".yml"}:
            return list(_taxonomy(file, facets))
        if file.suffix in TABLES:
            return list(_table(file))
    except UnicodeDecodeError as error:
        raise InputError(
            f"topics.source={file} is not UTF-8 ({error}); save it as UTF-8"
        ) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"topics.source={file} cannot be read: {error}") from error
    known = ", ".join([".yaml", *sorted(TABLES)])
    raise InputError(f"topics.source={file}: expected one of {known}, or a folder of .yaml")


def _taxonomy(file: Path, facets: dict[str, dict[str, str]]) -> Iterator[Topic]:
    """Every topic of every document, in each of its domain's facets."""
    for document in yaml.safe_load_all(file.read_text("utf-8")):
        tree = dict(_mapping(document, file, "domain, facets, subjects"))
        if tree.keys() != {"domain", "facets", "subjects"}:
            raise InputError(
                f"topics.source={file} has {', '.join(tree) or 'nothing'}; each document needs "
                f"domain, facets and subjects"
            )
        domain = str(tree["domain"])
        facets[domain] = _facets(tree["facets"], file, domain)
        for subject, topics in _mapping(tree["subjects"], file, f"{domain}: subjects"):
            if not isinstance(topics, list):
                raise InputError(
                    f"topics.source={file}: {domain}: {subject}: expected a list of topics, "
                    f"found {topics!r}"
                )
            for base in map(str, topics):
                yield from expand(domain, subject, base, facets[domain])


def expand(domain: str, subject: str, base: str, facets: Mapping[str, str]) -> list[Topic]:
    """A base topic in each of its domain's facets."""
    return [
        Topic(domain, subject, pattern.replace("{topic}", base), base, bloom)
        for pattern, bloom in facets.items()
    ]


def _facets(value: Any, file: Path, domain: str) -> dict[str, str]:  # noqa: ANN401 - YAML
    found = {pattern: str(bloom) for pattern, bloom in _mapping(value, file, f"{domain}: facets")}
    for pattern, bloom in found.items():
        if "{topic}" not in pattern or bloom not in {*BLOOM, UNKNOWN}:
            raise InputError(
                f"topics.source={file}: {domain}: facet {pattern!r}: {bloom!r}: expected a text "
                f"with {{topic}} and one of {', '.join(BLOOM)}"
            )
    return found


def _mapping(value: Any, file: Path, what: str) -> list[tuple[str, Any]]:  # noqa: ANN401 - YAML
    if not isinstance(value, dict):
        raise InputError(f"topics.source={file}: expected a mapping of {what}, found {value!r}")
    return [(str(key), item) for key, item in value.items()]


def _frame(file: Path) -> Any:  # noqa: ANN401 - pandas is imported late
    import pandas as pd

    if file.suffix == ".csv":
        return pd.read_csv(file, dtype=str)
    return pd.read_json(file, lines=True) if file.suffix == ".jsonl" else pd.read_parquet(file)


TABLES = {".csv", ".jsonl", ".parquet"}


def _table(file: Path) -> Iterator[Topic]:
    """Topics of the columns domain, subject, topic, and bloom where it is there."""
    frame = _frame(file)
    missing = sorted(set(COLUMNS) - set(frame.columns))
    if missing:
        raise InputError(
            f"topics.source={file} has no column {', '.join(missing)}; "
            f"it has {', '.join(map(str, frame.columns)) or 'none'}"
        )
    empty = [n for n, is_empty in enumerate(frame[list(COLUMNS)].isna().any(axis=1)) if is_empty]
    if empty:
        raise InputError(
            f"topics.source={file}: row {empty[0] + 1} and {len(empty) - 1} more lack a value in "
            f"{', '.join(COLUMNS)}; fill them or leave the rows out"
        )
    levels = frame["bloom"].fillna(UNKNOWN) if "bloom" in frame.columns else [UNKNOWN] * len(frame)
    for row, bloom in zip(frame[list(COLUMNS)].to_numpy().tolist(), levels, strict=True):
        domain, subject, topic = map(str, row)
        if bloom not in {*BLOOM, UNKNOWN}:
            raise InputError(
                f"topics.source={file}: topic {topic!r} has bloom={bloom!r}; expected one of "
                f"{', '.join(BLOOM)}"
            )
        yield Topic(domain, subject, topic, topic, str(bloom))
