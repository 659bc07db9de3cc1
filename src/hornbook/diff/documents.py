"""Corpora and other tables in parquet: rows added, removed and changed, shifts, ten examples.

Shards that have the same bytes on both sides are only asked for their categories.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.diff.artifacts import Pair, Side
from hornbook.diff.rows import Matched, match, num_rows, rows_at, same_text, sampled
from hornbook.diff.shares import categories, rows_by, shift, total_words, words_by
from hornbook.diff.shown import Content, Table, Value, signed

if TYPE_CHECKING:
    import pyarrow as pa

EXAMPLES = 10
_GROUP = re.compile(r"(?P<name>.*?)(?:-\d+)?\.parquet$")
_OTHERS = ("items", "perplexities")  # have comparisons of their own
_KEYS = ("id", "topic_id")
_TEXT = "text"
_CORPUS = "part"
_OF_INDEX = ("digest", "length", "split")  # of a token stream; where it lies is no news
_SHIFTS = 4  # tables of shares
_EXCERPT, _BEFORE = 90, 25  # characters of a text, and of those before the first that differs


Positions = tuple[list[int], list[int]]  # of removed rows, of added ones


@dataclass(frozen=True)
class _Group:
    """The parquet files of one name in an artifact: those that differ, and all that are here."""

    name: str
    differing: tuple[list[Path], list[Path]]
    every: tuple[list[Path], list[Path]]
    same: int
    schemas: "tuple[pa.Schema, pa.Schema]"

    @property
    def key(self) -> str | None:
        """The column that names a row."""
        return next((k for k in _KEYS if all(k in one.names for one in self.schemas)), None)

    @property
    def is_index(self) -> bool:
        """Whether its rows are documents of a token stream."""
        return all("digest" in one.names and "offset" in one.names for one in self.schemas)

    @property
    def has_text(self) -> bool:
        """Whether its rows are documents."""
        return all(_TEXT in one.names for one in self.schemas)


def compare(pair: Pair) -> Iterator[Content]:
    """What differs in each set of parquet files of an artifact."""
    for group in _groups(pair):
        yield _compared(pair.stage, group)


def _groups(pair: Pair) -> Iterator[_Group]:
    import pyarrow.parquet as pq

    names: dict[str, list[str]] = {}
    for name in sorted({*pair.before.hashes, *pair.after.hashes}):
        found = _GROUP.match(name)
        if found and Path(found["name"]).name not in _OTHERS:
            names.setdefault(found["name"], []).append(name)
    for group, files in names.items():
        sides = [_files(side, files) for side in (pair.before, pair.after)]
        if not all(sides) or not set(files) & set(pair.differing):
            continue
        # a shard that only has another name is the same shard
        hashes = [{side.hashes[n] for n in files if n in side.hashes}
                  for side in (pair.before, pair.after)]  # fmt: skip
        shared = hashes[0] & hashes[1]
        differing = [[path for digest, path in side if digest not in shared] for side in sides]
        schemas = [pq.read_schema(side[0][1]) for side in sides]
        every = [[path for _, path in side if path.exists()] for side in sides]
        yield _Group(
            group, (differing[0], differing[1]), (every[0], every[1]), len(shared),
            (schemas[0], schemas[1]),
        )  # fmt: skip


def _files(side: Side, names: Sequence[str]) -> list[tuple[str, Path]]:
    """Hash and path of the files of a group, those that are here first."""
    found = [(side.hashes[name], side.paths[name]) for name in names if name in side.hashes]
    return found if found and found[0][1].exists() else sorted(
        found, key=lambda one: not one[1].exists()
    )  # fmt: skip


def _compared(stage: str, group: _Group) -> Content:
    key = group.key
    matched = match(*group.differing, key, _columns_of(group)) if key is not None else None
    said = [f"{group.name}: {_rows(group)}"]
    tables: list[Table] = []
    same: Positions = ([], [])
    if matched is not None:
        if group.has_text and len(matched.added) and len(matched.removed):
            gone, come = same_text(*group.differing, _TEXT, matched)
            same = gone.tolist(), come.tolist()
        said.append(_told(matched, len(same[0])))
    said += _new_columns(group.schemas)
    if group.has_text:
        old, new = (total_words(files, _TEXT) for files in group.differing)
        said.append(f"words in the files that differ: {old:,} -> {new:,} ({signed(new - old)})")
    tables += _shifts(group)
    if matched is not None and key is not None:
        changed = _changed_columns(matched)
        tables += [changed] if changed else []
        tables += [] if group.is_index else _examples(group, matched, key, same)
    if group.name != _CORPUS:  # there are others beside it
        tables = [replace(table, title=f"{group.name}, {table.title}") for table in tables]
    return Content(stage, tuple(said), tuple(tables))


def _columns_of(group: _Group) -> list[str]:
    """The columns that are compared: of an index those that say which tokens a document has."""
    own = [n for n in group.schemas[0].names if n != group.key and n in group.schemas[1].names]
    return [name for name in own if name in _OF_INDEX] if group.is_index else own


def _rows(group: _Group) -> str:
    old, new = (num_rows(files) for files in group.every)
    same = f", {group.same} files the same" if group.same else ""
    return f"{old:,} -> {new:,} rows{same}"


def _told(matched: Matched, renamed: int) -> str:
    changed = int(matched.any_changed.sum())
    told = (
        f"{len(matched.added):,} added, {len(matched.removed):,} removed, {changed:,} changed, "
        f"{len(matched.common[0]) - changed:,} the same in the files that differ"
    )
    again = f"; {renamed:,} of the added have the text of a removed one, under another key"
    return told + (again if renamed else "")


def _new_columns(schemas: "tuple[pa.Schema, pa.Schema]") -> list[str]:
    old, new = (set(one.names) for one in schemas)
    told = [f"columns that are new: {', '.join(sorted(new - old))}"] if new - old else []
    return told + ([f"columns that are gone: {', '.join(sorted(old - new))}"] if old - new else [])


def _shifts(group: _Group) -> list[Table]:
    left_out = [one for one in (group.key, _TEXT, "excerpt") if one]
    left_out += ["part"] if group.is_index else []
    names = categories(group.schemas, left_out)
    if not names:
        return []
    rows = [rows_by(files, names) for files in group.every]
    told = [name for name in names if shift(name, (rows[0][name], rows[1][name]), None)]
    told = told[: 2 * _SHIFTS]
    words = [words_by(files, told, _TEXT) for files in group.differing] if group.has_text else None
    found = [
        shift(
            name,
            (rows[0][name], rows[1][name]),
            (words[0][name], words[1][name]) if words else None,
        )
        for name in told
    ]
    shown: dict[frozenset[tuple[Value, ...]], Table] = {}
    for table in found:
        if table is not None:  # two columns may say the same thing, one by another name
            shown.setdefault(frozenset(row[1:] for row in table.rows), table)
    return list(shown.values())[:_SHIFTS]


def _changed_columns(matched: Matched) -> Table | None:
    counts = {name: int(marks.sum()) for name, marks in matched.changed.items()}
    rows: list[tuple[Value, ...]] = [(name, number) for name, number in counts.items() if number]
    return Table("columns that changed", ("column", "rows"), tuple(rows)) if rows else None


def _examples(group: _Group, matched: Matched, key: str, same: "Positions") -> list[Table]:
    """Up to ten rows, of each kind as many as there is room for; `same` are no news."""
    import numpy as np

    changed = np.flatnonzero(matched.any_changed)
    old, new = matched.common
    gone = sorted(set(matched.removed.tolist()) - set(same[0]))
    come = sorted(set(matched.added.tolist()) - set(same[1]))
    numbers = _divided({"changed": len(changed), "added": len(come), "removed": len(gone)})
    chosen = sampled(changed.tolist(), matched.keys[0][old], numbers["changed"])
    added = sampled(come, matched.keys[1], numbers["added"])
    removed = sampled(gone, matched.keys[0], numbers["removed"])
    names = [list(schema.names) for schema in group.schemas]
    before = rows_at(group.differing[0], [*(int(old[n]) for n in chosen), *removed], names[0])
    after = rows_at(group.differing[1], [*(int(new[n]) for n in chosen), *added], names[1])
    told: list[tuple[Value, ...]] = []
    for number in chosen:
        a, b = before[int(old[number])], after[int(new[number])]
        columns = [name for name, marks in matched.changed.items() if marks[number]]
        told.append(("changed", str(a[key]), *_apart_texts(a, b, columns)))
    told += [("added", str(after[n][key]), _excerpt(after[n], key), "") for n in added]
    told += [("removed", str(before[n][key]), _excerpt(before[n], key), "") for n in removed]
    columns = ("what", key, "content, or before", "after")
    return [Table(f"{len(told)} examples", columns, tuple(told))] if told else []


def _divided(kinds: dict[str, int]) -> dict[str, int]:
    """`EXAMPLES` places, a kind getting the places that others cannot fill."""
    found, left = dict.fromkeys(kinds, 0), EXAMPLES
    while left and any(found[kind] < number for kind, number in kinds.items()):
        for kind, number in kinds.items():
            if left and found[kind] < number:
                found[kind], left = found[kind] + 1, left - 1
    return found


def _apart_texts(a: dict[str, Any], b: dict[str, Any], names: Sequence[str]) -> tuple[str, str]:
    """Both rows where they first differ; the text rather than another column."""
    name = _TEXT if _TEXT in names else names[0]
    x, y = str(a[name]), str(b[name])
    start = max(0, _first_apart(x, y) - _BEFORE) if len(x) + len(y) > 2 * _EXCERPT else 0
    more = f" (and {len(names) - 1} more columns)" if len(names) > 1 else ""
    lead = "..." if start else ""
    return (
        f"{name}: {lead}{x[start : start + _EXCERPT]}",
        f"{name}: {lead}{y[start : start + _EXCERPT]}{more}",
    )


def _first_apart(x: str, y: str) -> int:
    """The place of the first character that differs."""
    pairs = enumerate(zip(x, y, strict=False))
    return next((place for place, (p, q) in pairs if p != q), min(len(x), len(y)))


def _excerpt(row: dict[str, Any], key: str) -> str:
    if row.get(_TEXT):
        source = f"[{row['source']}] " if row.get("source") else ""
        return f"{source}{row[_TEXT][:_EXCERPT]}"
    return ", ".join(f"{name} {value}" for name, value in row.items() if name != key)[:_EXCERPT]
