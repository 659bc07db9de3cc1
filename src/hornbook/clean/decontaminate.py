"""Stage `decontaminate@CORPUS`: no document that has a piece of a benchmark item."""

from collections import Counter
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_table, shards, write_table
from hornbook.clean.benchmark import Overlap
from hornbook.clean.config import Decontaminate
from hornbook.clean.documents import document_frame, write_without
from hornbook.clean.words import WordHashes, words
from hornbook.errors import InputError
from hornbook.evaluate.items import benchmark_texts
from hornbook.stage import Run


def decontaminate(run: Run) -> None:
    """Remove what overlaps with an item, and count for every item what stays in the corpus."""
    corpus = run.instance
    settings = run.section("clean.decontaminate", Decontaminate)
    documents = run.input(f"artifacts/clean/dedup/{corpus}")
    benchmarks = run.input(run.section("data.benchmarks", str))
    hashes = WordHashes()
    overlap = Overlap(benchmark_texts(benchmarks), settings, hashes)
    if not overlap.items:
        raise InputError(
            f"data.benchmarks={benchmarks} has no benchmark item, so nothing can be "
            f"decontaminated; expected *.jsonl of items, or the folders of published benchmarks"
        )
    removed, stayed = scan(run, documents, overlap, hashes)
    overlap.count(stayed)

    write_rows(run.out / "removed.parquet", removed, ("id", "benchmark", "item_id", "ngram"))
    write_overlap(run.out / "overlap.parquet", overlap)
    rows = write_without(documents, {row["id"] for row in removed}, run.out)
    run.expect("documents", document_frame(run.out), settings.expectations, "id")
    run.summary(
        rows=rows,
        dropped=dict(sorted(Counter(row["benchmark"] for row in removed).items())),
        items=len(overlap.items),
        items_unchecked=overlap.unchecked,
        overlap=by_benchmark(overlap.rows()),
    )


def scan(
    run: Run, documents: Path, overlap: Overlap, hashes: WordHashes
) -> tuple[list[dict[str, Any]], set[int]]:
    """Rows of `removed.parquet`, and the n-grams of items that are in documents that stay."""
    removed: list[dict[str, Any]] = []
    stayed: set[int] = set()
    with run.progress(None, "documents", "looking for benchmark items") as bar:
        for shard in shards(documents):
            table = read_table(shard, ["id", "text"])
            found = [words(text) for text in table.column("text").to_pylist()]
            hits = overlap.hits([hashes(one) for one in found])
            for one, listed, shared in zip(
                table.column("id").to_pylist(), found, hits, strict=True
            ):
                bar.advance()
                reason = overlap.removing(shared)
                if reason is None:
                    stayed.update(hit.gram for hit in shared)
                    continue
                hit, item = reason
                ngram = " ".join(listed[hit.place : hit.place + hit.length])
                removed.append(
                    {"id": one, "benchmark": item.benchmark, "item_id": item.item_id}
                    | {"ngram": ngram}
                )
    return removed, stayed


def by_benchmark(rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Per benchmark: items, those that can be looked for, and those the corpus has a piece of."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        counts = found.setdefault(row["benchmark"], Counter(items=0, checked=0, overlapping=0))
        counts["items"] += 1
        counts["checked"] += row["ngrams"] > 0
        counts["overlapping"] += row["overlapping"] > 0
    return {name: dict(counts) for name, counts in sorted(found.items())}


def write_rows(file: Path, rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    """Rows of strings as one parquet file."""
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in names])
    write_table(file, pa.Table.from_pylist(rows, schema=schema))


def write_overlap(file: Path, overlap: Overlap) -> None:
    """One row per item; `positions` can be united over corpora, counts cannot."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("benchmark", pa.string()),
            ("item_id", pa.string()),
            ("report_only", pa.bool_()),
            ("short", pa.bool_()),
            ("ngrams", pa.int64()),
            ("overlapping", pa.int64()),
            ("positions", pa.list_(pa.int64())),
        ]
    )
    write_table(file, pa.Table.from_pylist(overlap.rows(), schema=schema))
