"""Stage `decontaminate@CORPUS`: what documents share with benchmark items, removed or flagged."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_table, shards, write_json, write_table, write_text
from hornbook.clean import recall
from hornbook.clean.benchmark import Index
from hornbook.clean.config import Decontaminate
from hornbook.clean.documents import document_frame
from hornbook.clean.overlap import EDITED, KINDS, PROGRAM, SHORT
from hornbook.clean.search import Found, Hit, Search, load, save
from hornbook.compute import Done, Place, Shard, map_shards
from hornbook.errors import InputError
from hornbook.evaluate.items import read_lines
from hornbook.evaluate.texts import ItemTexts, benchmark_items
from hornbook.stage import Run

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MOST_HITS = 8  # of a document that are written out
EXCERPT_CHARACTERS = 200
TOUCHED = "touched.npy"
HIT_COLUMNS = ("id", "benchmark", "item_id", "kind", "share", "excerpt", "action")


def decontaminate(run: Run) -> None:
    """Remove or flag what overlaps with an item, and keep for every item what stays."""
    corpus = run.instance
    settings = run.section("clean.decontaminate", Decontaminate)
    documents = run.input(f"artifacts/clean/dedup/{corpus}")
    benchmarks = run.input(run.section("data.benchmarks", str))
    _require_questions(benchmarks)
    items = sorted(benchmark_items(benchmarks), key=lambda one: (one.benchmark, one.item_id))
    if not items:
        raise InputError(
            f"data.benchmarks={benchmarks} has no benchmark item, so nothing can be "
            f"decontaminated; expected micro/*.jsonl of items, or the folders of published "
            f"benchmarks"
        )
    search = Search.of(items, settings)
    measured = write_recall(run, items, search, settings)
    save(search, run.pending / "index")
    work = partial(clean_shard, settings=settings, index=str((run.pending / "index").absolute()))
    parts = [Shard(file.stem, str(file), file.stat().st_size) for file in shards(documents)]
    done = map_shards(run, "looking for benchmark items", work, parts)

    for one in done:
        (run.out / f"{one.folder.name}.parquet").hardlink_to(one.folder / "documents.parquet")
    overlap = overlap_table(search.index, done)
    write_table(run.out / "overlap.parquet", overlap)
    write_hits(run.out, done)
    frame = document_frame(run.out)
    run.expect("documents", frame, settings.expectations, "id")
    told = Counter[str]()
    for one in done:
        told.update(one.facts["kinds"])
    run.summary(
        rows=sum(one.facts["rows"] for one in done),
        words=int(sum(frame["words"])),
        dropped=_sums(done, "dropped"),
        flagged=sum(one.facts["flagged"] for one in done),
        documents_by_kind=dict(sorted(told.items())),
        items=len(items),
        items_unchecked=sum(not item.ngrams for item in search.index.items),
        items_short=sum(item.is_short for item in search.index.items),
        overlap=by_benchmark(overlap.to_pylist()),
        planted_recall=measured["kinds"],
        clean_texts_flagged=measured["false_positive_rate"],
    )


def _require_questions(benchmarks: Path) -> None:
    """Refuse items that could not be looked for, which would pass for items that nothing holds."""
    for file in sorted(benchmarks.glob("micro/*.jsonl")):
        for number, row in enumerate(read_lines(file), 1):
            if not isinstance(row.get("context", row.get("prompt")), str):
                raise InputError(
                    f"{file}: item {number} has no text in `prompt` or `context`, only "
                    f"{', '.join(sorted(row))}: call what it asks one of them"
                )


def write_recall(
    run: Run, items: Sequence[ItemTexts], search: Search, settings: Decontaminate
) -> dict[str, Any]:
    """Measure on planted copies, before any document is looked at."""
    measured = recall.measure(items, search, settings)
    write_text(run.out / "recall.md", recall.table(measured))
    summary = recall.summary(measured)
    write_json(run.out / "recall.json", summary)
    run.expect("planted copies", _recall_frame(summary), settings.recall.expectations, "kind")
    return summary


def _recall_frame(measured: dict[str, Any]) -> "pd.DataFrame":
    import pandas as pd

    rows: list[dict[str, Any]] = [
        {"kind": kind, "recall": value, "false_positive_rate": measured["false_positive_rate"]}
        for kind, value in measured["kinds"].items()
    ]
    return pd.DataFrame(rows)


@cache
def _loaded(folder: str) -> Search:
    """A worker maps the index once, whatever the number of its shards."""
    return load(Path(folder))


def clean_shard(file: str, place: Place, *, settings: Decontaminate, index: str) -> dict[str, Any]:
    """One part without what is removed, its hits, and the n-grams of items that stay in it."""
    import numpy as np
    import pyarrow as pa

    search = _loaded(index)
    table = read_table(Path(file))
    texts: list[str] = table.column("text").to_pylist()
    keep: list[bool] = []
    hits: list[dict[str, Any]] = []
    stayed: set[tuple[int, int]] = set()
    dropped, kinds = Counter[str](), Counter[str]()
    flagged = 0
    for document, text, found in zip(
        table.column("id").to_pylist(), texts, search(texts), strict=True
    ):
        reason = removing(found.hits, search.index, settings)
        is_removed = reason is not None and settings.action == "remove"
        flagged += reason is not None and not is_removed
        keep.append(not is_removed)
        action = "reported" if reason is None else "removed" if is_removed else "flagged"
        hits += _rows(document, found, search.index, action)
        if reason is not None:
            kinds[reason.kind] += 1
        if is_removed and reason is not None:
            dropped[search.index.items[reason.item].benchmark] += 1
        if not is_removed:
            stayed.update(found.touched)
            stayed.update(_copies(found))
        place.advance(len(text))
    write_table(place.folder / "documents.parquet", table.filter(pa.array(keep, type=pa.bool_())))
    write_table(place.folder / "hits.parquet", _hit_table(hits))
    np.save(place.folder / TOUCHED, np.array(sorted(stayed), dtype=np.int64).reshape(-1, 2))
    return {"rows": sum(keep), "flagged": flagged, "dropped": dropped, "kinds": kinds}


def removing(hits: Iterable[Hit], index: Index, settings: Decontaminate) -> Hit | None:
    """The strongest hit of an item that is not only reported."""
    ranked = sorted(hits, key=lambda hit: KINDS.index(hit.kind))
    for hit in ranked:
        is_reported = index.items[hit.item].report_only or (
            hit.kind == KINDS[SHORT] and settings.short.action == "report"
        )
        if not is_reported:
            return hit
    return None


def _rows(document: str, found: Found, index: Index, action: str) -> list[dict[str, Any]]:
    ranked = sorted(found.hits, key=lambda hit: (KINDS.index(hit.kind), -hit.share, hit.item))
    return [
        {
            "id": document,
            "benchmark": index.items[hit.item].benchmark,
            "item_id": index.items[hit.item].item_id,
            "kind": hit.kind,
            "share": round(hit.share, 6),
            "excerpt": hit.excerpt[:EXCERPT_CHARACTERS],
            "action": action,
        }
        for hit in ranked[:MOST_HITS]
    ]


def _copies(found: Found) -> Iterable[tuple[int, int]]:
    """Items of which there is a copy that may share no n-gram, each at position -1."""
    return ((hit.item, -1) for hit in found.hits if hit.kind in {KINDS[EDITED], KINDS[PROGRAM]})


def _hit_table(rows: Sequence[dict[str, Any]]) -> "pa.Table":
    import pyarrow as pa

    kind = {"share": pa.float64()}
    schema = pa.schema([(name, kind.get(name, pa.string())) for name in HIT_COLUMNS])
    return pa.Table.from_pylist(list(rows), schema=schema)


def write_hits(out: Path, done: Sequence[Done]) -> None:
    """`hits.parquet` of all parts; `removed.parquet` has the first of each removed document."""
    import pyarrow as pa

    table = pa.concat_tables([read_table(one.folder / "hits.parquet") for one in done])
    write_table(out / "hits.parquet", table)
    first: dict[str, dict[str, Any]] = {}
    for row in table.to_pylist():
        if row["action"] == "removed":
            first.setdefault(row["id"], row)
    write_table(out / "removed.parquet", _hit_table(list(first.values())))


def overlap_table(index: Index, done: Sequence[Done]) -> "pa.Table":
    """One row per item; `positions` can be united over corpora, counts cannot."""
    import numpy as np
    import pyarrow as pa

    touched = np.unique(np.concatenate([np.load(one.folder / TOUCHED) for one in done]), axis=0)
    bounds = np.searchsorted(touched[:, 0], np.arange(len(index.items) + 1))
    rows: list[dict[str, Any]] = []
    for item, start, end in zip(index.items, bounds[:-1], bounds[1:], strict=True):
        found: list[int] = touched[start:end, 1].tolist()
        positions = [one for one in found if one >= 0]
        rows.append(
            {
                "benchmark": item.benchmark,
                "item_id": item.item_id,
                "report_only": item.report_only,
                "short": item.is_short,
                "ngrams": item.ngrams,
                "overlapping": len(positions),
                "positions": positions,
                "copied": len(positions) < len(found),
            }
        )
    schema = pa.schema(
        [
            ("benchmark", pa.string()),
            ("item_id", pa.string()),
            ("report_only", pa.bool_()),
            ("short", pa.bool_()),
            ("ngrams", pa.int64()),
            ("overlapping", pa.int64()),
            ("positions", pa.list_(pa.int64())),
            ("copied", pa.bool_()),  # an edited copy or a program of it is there
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def by_benchmark(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Per benchmark: items, those that can be looked for, and those the corpus has a piece of."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        counts = found.setdefault(row["benchmark"], Counter(items=0, checked=0, overlapping=0))
        counts["items"] += 1
        counts["checked"] += row["ngrams"] > 0
        counts["overlapping"] += row["overlapping"] > 0 or row["copied"]
    return {name: dict(counts) for name, counts in sorted(found.items())}


def _sums(done: Sequence[Done], key: str) -> dict[str, int]:
    total = Counter[str]()
    for one in done:
        total.update(one.facts[key])
    return dict(sorted(total.items()))
