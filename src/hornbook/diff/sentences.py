"""ToxiGen: sentences whose place in the order by perplexity changed most, and the safety scores."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.diff.artifacts import Pair
from hornbook.diff.shown import Content, Table, Value
from hornbook.lineage.manifest import LockEntry, load_graph, lookup
from hornbook.lineage.workspace import Hasher

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST = 10
_FILE, _SENTENCES = "perplexities.parquet", "data.toxigen"


def compare(root: Path, pair: Pair, entries: tuple[LockEntry, LockEntry]) -> Iterator[Content]:
    """How the order of the sentences changed, on which the safety score rests."""
    files = pair.both(_FILE)
    if files is None or _FILE not in pair.differing:
        return
    path = str(lookup(load_graph(root).params, _SENTENCES))
    digests = {entry.deps.get(path) for entry in entries}
    if len(digests) > 1:  # they have numbers and no names
        yield Content(pair.stage, (f"{path} is not the same on both sides: no order to compare",))
        return
    old, new = (_read(file) for file in files)
    common = sorted(one for one in old if one in new)
    texts = _texts(root / path) if Hasher(root).hash(path) in digests else {}
    if common:
        yield _compared(pair.stage, old, new, common, texts)


def _read(file: Path) -> dict[int, dict[str, Any]]:
    import pyarrow.parquet as pq

    rows = pq.read_table(file).to_pylist()
    return {row["id"]: row for row in rows if row["perplexity"] is not None}


def _compared(
    stage: str,
    old: Mapping[int, Any],
    new: Mapping[int, Any],
    common: list[int],
    texts: Mapping[int, str],
) -> Content:
    import numpy as np

    ranks = [_ranks(np.array([side[one]["perplexity"] for one in common])) for side in (old, new)]
    moved = ranks[1] - ranks[0]
    agreement = float(np.corrcoef(ranks[0], ranks[1])[0, 1]) if len(common) > 1 else 1.0
    places = sorted(range(len(common)), key=lambda n: (-abs(int(moved[n])), common[n]))[:_MOST]
    rows: list[tuple[Value, ...]] = [
        (
            common[n], old[common[n]]["label"], int(ranks[0][n]) + 1, int(ranks[1][n]) + 1,
            old[common[n]]["perplexity"], new[common[n]]["perplexity"], texts.get(common[n], ""),
        )
        for n in places
        if moved[n]
    ]  # fmt: skip
    said = (
        f"{len(common):,} sentences, {int((moved != 0).sum()):,} at another place of the order; "
        f"Spearman's rho {agreement:.4f}"
    )
    columns = ("id", "label", "place before", "place after", "perplexity before",
               "perplexity after", "sentence")  # fmt: skip
    tables = (Table("sentences that moved most", columns, tuple(rows)),) if rows else ()
    return Content(stage, (said,), tables)


def _ranks(values: "NDArray[Any]") -> "NDArray[Any]":
    """The place of each value, 0 the least; equal ones in the order that they come in."""
    import numpy as np

    places = np.empty(len(values), np.int64)
    places[np.argsort(values, kind="stable")] = np.arange(len(values))
    return places


def _texts(file: Path) -> dict[int, str]:
    """The sentences by their number."""
    from hornbook.toxigen.toxigen import read_sentences

    return {row["id"]: row["text"] for row in read_sentences(file)}
