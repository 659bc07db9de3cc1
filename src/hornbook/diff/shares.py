"""How rows and words are spread over the values of a column: by domain, source, topic, ..."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.diff.rows import batches
from hornbook.diff.shown import Table, Value, signed

if TYPE_CHECKING:
    import pyarrow as pa

_VALUES = 200  # a column with more is told by what its values begin with, or not at all
_WORD = r"\S+"
FIRST = (
    "domain", "source", "topic", "subject", "language", "licence", "kind", "audience", "style",
    "reason", "label", "split", "benchmark",
)  # fmt: skip


@dataclass
class Spread:
    """Rows by value of one column; None as soon as it has too many values."""

    whole: Counter[str] | None = field(default_factory=Counter[str])
    heads: Counter[str] | None = field(default_factory=Counter[str])

    def add(self, value: str, number: int) -> None:
        """`number` more of a value."""
        for counter, name in ((self.whole, value), (self.heads, _head(value))):
            if counter is not None:
                counter[name] += number
        if self.whole is not None and len(self.whole) > _VALUES:
            self.whole = None
        if self.heads is not None and len(self.heads) > _VALUES:
            self.heads = None


def _head(value: str) -> str:
    """The host of an address, the first folder of a path."""
    _, scheme, rest = value.partition("://")
    return (rest if scheme else value).split("/", 1)[0]


def rows_by(files: Sequence[Path], columns: Sequence[str]) -> dict[str, Spread]:
    """The rows of files by the values of each column; only these columns are read."""
    found = {column: Spread() for column in columns}
    for batch in batches(files, columns):
        for column in columns:
            for pair in batch.column(column).value_counts().to_pylist():
                found[column].add(str(pair["values"]), pair["counts"])
    return found


def words_by(files: Sequence[Path], columns: Sequence[str], text: str) -> dict[str, Spread]:
    """Likewise the words of a text column."""
    import pyarrow as pa

    found = {column: Spread() for column in columns}
    for batch in batches(files, [*columns, text]):
        words = _words(batch.column(text))
        for column in columns:
            table = pa.table({"value": batch.column(column), "words": words})
            for row in table.group_by("value").aggregate([("words", "sum")]).to_pylist():
                found[column].add(str(row["value"]), row["words_sum"])
    return found


def total_words(files: Sequence[Path], text: str) -> int:
    """The words of a text column: what white space parts."""
    every = (_words(batch.column(text)).to_pylist() for batch in batches(files, [text]))
    return sum(map(sum, every))


def _words(texts: "pa.Array") -> "pa.Array":
    """The words of each text, none of an absent one."""
    import pyarrow.compute as pc

    options = pc.MatchSubstringOptions(_WORD)
    return pc.call_function("count_substring_regex", [texts], options).fill_null(0)


def shift(
    column: str, rows: tuple[Spread, Spread], words: tuple[Spread, Spread] | None
) -> Table | None:
    """How the shares of a column's values changed, largest change first; None where they did not.

    `rows` are of whole corpora, `words` of the files that differ.
    """
    is_whole = rows[0].whole is not None and rows[1].whole is not None
    old, new = (one.whole if is_whole else one.heads for one in rows)
    if old is None or new is None or old == new or len({*old, *new}) < 2:
        return None
    totals = [max(1, old.total()), max(1, new.total())]
    changes = _word_changes(words, is_whole=is_whole)

    def share(value: str, side: int) -> float:
        return (old, new)[side][value] / totals[side]

    def moved(value: str) -> tuple[float, str]:
        return -abs(share(value, 1) - share(value, 0)), value

    table: list[tuple[Value, ...]] = []
    for value in sorted({*old, *new}, key=moved):
        if old[value] != new[value] or changes.get(value):
            shares = (f"{share(value, 0):.1%}", f"{share(value, 1):.1%}")
            told = () if words is None else (signed(changes.get(value, 0)),)
            table.append((value, old[value], new[value], *shares, *told))
    of = column if is_whole else f"{column} (host or first folder)"
    columns = (of, "rows before", "rows after", "share before", "share after")
    told = columns if words is None else (*columns, "words")
    return Table(f"by {of}", told, tuple(table))


def _word_changes(words: tuple[Spread, Spread] | None, *, is_whole: bool) -> dict[str, int]:
    if words is None:
        return {}
    old, new = (one.whole if is_whole else one.heads for one in words)
    if old is None or new is None:
        return {}
    return {value: new[value] - old[value] for value in {*old, *new}}


def categories(schemas: "Sequence[pa.Schema]", left_out: Sequence[str]) -> list[str]:
    """The text columns that both sides have, the telling ones first."""
    import pyarrow as pa

    names = [
        one.name
        for one in schemas[0]
        if one.name in schemas[1].names
        and (pa.types.is_string(one.type) or pa.types.is_large_string(one.type))
        and one.name not in left_out
        and not one.name.endswith("_id")
    ]
    return sorted(names, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
