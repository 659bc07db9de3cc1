"""What differs in the artifacts themselves, each read by the comparison that knows its files."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hornbook.diff import checkpoints, documents, items, sentences, streams, values
from hornbook.diff.artifacts import Pair, find_pair
from hornbook.diff.causes import StageDiff
from hornbook.diff.questions import Questions
from hornbook.diff.revisions import State
from hornbook.diff.shown import Content, Table
from hornbook.lineage.manifest import LockEntry
from hornbook.lineage.pieces import is_of_hash
from hornbook.plain import one_line
from hornbook.progress import Progress, Reporter

_SECONDS = 1.0  # between two lines of progress
_MOST_HASHED = 64 << 20  # bytes of a file that is looked at before it is read, others if unreadable
_LONGEST = 300  # characters of what a reader says
_NOT_OF_ITS_FORM = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError, RecursionError,
    csv.Error,
)  # fmt: skip


def contents(root: Path, before: State, after: State, stages: Sequence[StageDiff]) -> list[Content]:
    """The contents of every artifact that both sides have and whose bytes differ, in order."""
    names = [
        one.stage
        for one in stages
        if one.verdict in {"first cause", "followed", "not deterministic"}
    ]
    found = {name: find_pair(root, name, before, after) for name in names}
    size = sum(pair.num_bytes for pair in found.values() if isinstance(pair, Pair))
    reporter = Reporter("contents", is_on_stderr=True)
    progress = Progress(
        reporter, total=max(1, size >> 20), unit="MiB", what="", seconds=_SECONDS
    )  # fmt: skip
    questions = Questions(root)
    told: list[Content] = []
    for name, pair in found.items():
        if isinstance(pair, str):
            told.append(Content(name, missing=pair))
            continue
        progress.what = name
        progress.advance(0)
        entries = before.lock[name], after.lock[name]
        told.append(_content(root, pair, questions, entries))
        progress.advance(pair.num_bytes >> 20)
    return told


def _content(
    root: Path, pair: Pair, questions: Questions, entries: tuple[LockEntry, LockEntry]
) -> Content:
    readers: tuple[tuple[str, Callable[[], Iterator[Content]]], ...] = (
        ("rows", lambda: documents.compare(pair)),
        ("tokens", lambda: streams.compare(pair)),
        ("checkpoint", lambda: checkpoints.compare(pair)),
        ("items", lambda: items.compare(root, pair, questions, entries)),
        ("sentences", lambda: sentences.compare(root, pair, entries)),
        ("values", lambda: values.compare(pair)),
    )
    if damage := _damage(pair, _MOST_HASHED):
        return Content(pair.stage, missing=damage)
    said, tables = list[str](), list[Table]()
    for what, read in readers:
        try:
            for part in read():
                said += part.said
                tables += part.tables
        except _NOT_OF_ITS_FORM as error:
            # an artifact of another revision may have another form; the rest is compared
            if damage := _damage(pair, None):
                return Content(pair.stage, missing=damage)
            told = one_line(f"{type(error).__name__}: {error}", _LONGEST)
            said.append(f"{what} not compared, of another form: {told}")
    return Content(pair.stage, tuple(said), tuple(tables))


def _damage(pair: Pair, most_bytes: int | None) -> str:
    """What to do with files, up to this size, that are not of their hash; empty where all are."""
    found = [
        str(side.paths[name])
        for side in (pair.before, pair.after)
        for name in pair.differing
        if name in side.hashes
        and (most_bytes is None or side.paths[name].stat().st_size <= most_bytes)
        and not is_of_hash(side.paths[name], side.hashes[name])
    ]
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return (
        f"not compared: {found[0]}{more} is damaged. `rm` it, then `dvc fetch {pair.stage}` "
        f"(of another revision with --all-commits) brings it from a remote"
    )
