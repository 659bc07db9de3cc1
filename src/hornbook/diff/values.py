"""Values in JSON files, and the first difference of files that nothing else compares."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hornbook.diff.artifacts import Pair
from hornbook.diff.shown import Content, Table, Value
from hornbook.lineage.differences import differences
from hornbook.lineage.workspace import flatten

# compared elsewhere
_ELSEWHERE = {
    "mixture.json", "config.json", "items.parquet", "curve.csv", "results.json",
    "expectations.json",
}  # fmt: skip
# renderings of other files, and of tokenizers the many forms
_NAMED = {"tables.json", "tokenizer.json", "vocab.json", "merges.txt"}
_NAMED_SUFFIXES = {".png", ".bin", ".html", ".tex", ".md"}
_SUFFIXES = {".parquet", ".safetensors"}
_MOST_BYTES = 8 << 20
_MOST_ROWS = 200
_STREAMS = ("splits.", "shards[")  # of a token stream, told as a table of its own
_HASH = re.compile(r"[0-9a-f]{32,}(\.dir)?")


def compare(pair: Pair) -> Iterator[Content]:
    """The changed values of small JSON files, where texts first differ, the names of the rest."""
    tables: list[Table] = []
    said: list[str] = []
    also: list[str] = []
    seen: set[tuple[Value, ...]] = set()
    for name in pair.differing:
        files, file = pair.both(name), Path(name)
        if file.name in _ELSEWHERE or file.suffix in _SUFFIXES:
            continue
        if files is None:
            said.append(f"{name}: only {'after' if name in pair.after.hashes else 'before'}")
        elif file.name in _NAMED or file.suffix in _NAMED_SUFFIXES:
            also.append(name)
        elif file.suffix == ".json" and files[1].stat().st_size <= _MOST_BYTES:
            tables += _values(name, *files, seen)
        else:
            first = next(iter(differences(name, *files)))
            said.append(f"{name}, {first.place}: {first.recorded} -> {first.remade}")
    said += [f"other bytes: {', '.join(also)}"] if also else []
    yield Content(pair.stage, tuple(said), tuple(tables))


def _values(name: str, before: Path, after: Path, seen: set[tuple[Value, ...]]) -> list[Table]:
    """The values that changed, less those that an earlier file of the artifact had too."""
    old, new = (_flat(json.loads(file.read_text("utf-8"))) for file in (before, after))
    rows: list[tuple[Value, ...]] = [
        (key, _value(old.get(key, "absent")), _value(new.get(key, "absent")))
        for key in [*new, *(key for key in old if key not in new)]
        if old.get(key, "absent") != new.get(key, "absent") and not key.startswith(_STREAMS)
    ]
    rows = [row for row in rows if row not in seen and not all(map(_is_hash, row[1:]))]
    seen.update(rows)
    if not rows:
        return []
    more = len(rows) - _MOST_ROWS
    title = f"{name}: changed values" + (f" (the first {_MOST_ROWS:,})" if more > 0 else "")
    return [Table(title, ("key", "before", "after"), tuple(rows[:_MOST_ROWS]))]


def _is_hash(value: Value) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _flat(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Leaves by their dotted path; lists by number."""
    if isinstance(value, list):
        value = {f"[{number}]": one for number, one in enumerate(value)}
    if not isinstance(value, dict):
        return {"": value}
    found: dict[str, Any] = {}
    for key, one in flatten(value).items():
        if isinstance(one, list) and one and isinstance(one[0], dict | list):
            found |= {f"{key}[{n}]{_dot(k)}": v for n, item in enumerate(one)
                      for k, v in _flat(item).items()}  # fmt: skip
        else:
            found[key] = one
    return found


def _dot(key: str) -> str:
    return f".{key}" if key else ""


def _value(value: Any) -> Value:  # noqa: ANN401 - any JSON
    if isinstance(value, str | float) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return json.dumps(value, ensure_ascii=False)
