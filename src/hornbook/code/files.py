"""Source files of a folder tree or of tables with a licence column."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hornbook.code.config import Corpus
from hornbook.errors import InputError

Reason = Literal[
    "licence", "encoding", "test", "generated", "too_short", "too_long", "minified", "data",
    "syntax", "secret",
]  # fmt: skip
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bghp_[A-Za-z0-9]{36}\b|"
    r"(?:password|secret|api_key)\s*=\s*['\"][A-Za-z0-9+/_-]{16,}['\"]"
)


class Source(NamedTuple):
    """A source file as it was found; `text` is None where it is not UTF-8."""

    name: str
    text: str | None
    licence: str


def sources(place: Path, settings: Corpus) -> Iterator[Source]:
    """Files in sorted order; rows of tables in their order.

    Raises:
        InputError: Nothing matches, or a table has no content or licence column.
    """
    found = {file for glob in settings.include for file in place.glob(glob) if file.is_file()}
    files = [place] if place.is_file() else sorted(found)
    if not files:
        raise InputError(
            f"data.code={place}: nothing matches code.corpus.include={settings.include}; "
            f"for the sample run: dvc pull data.dvc"
        )
    for file in files:
        if file.suffix in {".parquet", ".jsonl"}:
            yield from _table(file)
        else:
            name = file.relative_to(place).as_posix() if place.is_dir() else file.name
            yield Source(name, _text(file), settings.folder_licence)


def _text(file: Path) -> str | None:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        return None


def _table(file: Path) -> Iterator[Source]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = (
        pq.read_table(file).to_pylist()
        if file.suffix == ".parquet"
        else [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
    )
    for number, row in enumerate(rows):
        licences = row.get("license") or row.get("licence") or row.get("max_stars_repo_licenses")
        if "content" not in row or licences is None:
            raise InputError(
                f"{file}: row {number} has no `content` and `license` (The Stack's schema); "
                f"it has {sorted(row)}"
            )
        licence = licences[0] if isinstance(licences, list) and licences else str(licences)
        yield Source(str(row.get("path") or f"{file.name}:{number}"), row["content"], licence)


def judge(source: Source, rules: Corpus) -> Reason | None:
    """The first rule that a file breaks; None for a file to keep."""
    if source.licence not in rules.licences:
        return "licence"
    if source.text is None:
        return "encoding"
    lines = source.text.splitlines()
    head = "\n".join(lines[:10]).lower()
    letters = sum(map(str.isalpha, source.text)) / max(len(source.text), 1)
    longest = max(map(len, lines), default=0)
    mean = len(source.text) / max(len(lines), 1)
    broken: tuple[tuple[Reason, bool], ...] = (
        ("test", any(mark in Path(source.name).name for mark in rules.test_names)),
        ("generated", any(mark in head for mark in rules.generated_marks)),
        ("too_short", len(lines) < rules.min_lines),
        ("too_long", len(lines) > rules.max_lines),
        ("minified", longest > rules.max_line_length or mean > rules.max_mean_line_length),
        ("data", letters < rules.min_alpha),
        ("secret", SECRET.search(source.text) is not None),
        ("syntax", not parses(source.text)),
    )
    return next((reason for reason, is_broken in broken if is_broken), None)


def parses(text: str) -> bool:
    """Whether this Python accepts it."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True
