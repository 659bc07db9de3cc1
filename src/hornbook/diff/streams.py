"""Token streams and mixtures: documents and tokens by split, and by source."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hornbook.diff.artifacts import Pair
from hornbook.diff.shown import Content, Table, Value

_WORDS = "vocab.json"
_OF_SOURCE = ("drawn_tokens", "share", "epochs", "available_documents", "available_tokens")


def compare(pair: Pair) -> Iterator[Content]:
    """What differs between token streams, or between mixtures of them."""
    for name in ("meta.json", "mixture.json"):
        files = pair.both(name)
        if files is None or name not in pair.differing:
            continue
        old, new = (_read(file) for file in files)
        if "splits" in old and "splits" in new:
            yield Content(pair.stage, tables=(_splits(old, new),))
        elif "sources" in old and "sources" in new:
            yield Content(pair.stage, tables=(_sources(old, new),))
    words = pair.both(_WORDS)
    if words is not None and _WORDS in pair.differing:
        yield Content(pair.stage, (_vocabulary(*(_read(file) for file in words)),))


def _vocabulary(old: dict[str, Any], new: dict[str, Any]) -> str:
    moved = sum(old[word] != new[word] for word in old if word in new)
    return (
        f"vocabulary: {len(old):,} -> {len(new):,} tokens, {len({*new} - {*old}):,} new, "
        f"{len({*old} - {*new}):,} gone, {moved:,} with another number"
    )


def _read(file: Path) -> dict[str, Any]:
    value = json.loads(file.read_text("utf-8"))
    return value if isinstance(value, dict) else {}


def _splits(old: dict[str, Any], new: dict[str, Any]) -> Table:
    rows: list[tuple[Value, ...]] = []
    for split in sorted({*old["splits"], *new["splits"]}):
        a, b = (one["splits"].get(split, {}) for one in (old, new))
        rows.append((split, *(one.get(k) for k in ("documents", "tokens") for one in (a, b))))
    columns = ("split", "documents before", "documents after", "tokens before", "tokens after")
    return Table("tokens by split", columns, tuple(rows))


def _sources(old: dict[str, Any], new: dict[str, Any]) -> Table:
    by = [{one["corpus"]: one for one in side["sources"]} for side in (old, new)]
    rows: list[tuple[Value, ...]] = [
        (corpus, name.replace("_", " "), before, after)
        for corpus in dict.fromkeys([*by[0], *by[1]])
        for name in _OF_SOURCE
        if (before := by[0].get(corpus, {}).get(name)) != (after := by[1].get(corpus, {}).get(name))
    ]
    return Table("tokens by source", ("source", "what", "before", "after"), tuple(rows))
