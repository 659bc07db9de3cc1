"""Stage `synthetic_books`: answers that passed quality control."""

from collections import Counter
from typing import Any

import pyarrow as pa

from hornbook.artifacts import read_documents, write_documents, write_table
from hornbook.books.config import Corpus
from hornbook.books.quality import judge
from hornbook.stage import Run

DROPPED = pa.schema([(name, pa.string()) for name in ("id", "source", "reason", "excerpt")])
KEPT = ("id", "text", "source", "topic_id", "domain", "subject", "topic", "audience", "style")


def synthetic_books(run: Run) -> None:
    """Judge every answer, drop exact repeats, keep the rest with what was dropped and why."""
    import pandas as pd

    rules = run.section("books.corpus", Corpus)
    kept: list[dict[str, Any]] = []
    dropped: list[dict[str, Any]] = []
    seen: set[str] = set()
    for row in read_documents(run.input("artifacts/books/answers")):
        text = row["text"]
        reason = judge(text, row["finish_reason"], rules)
        if reason is None and text in seen:
            reason = "exact_duplicate"
        if reason is None:
            seen.add(text)
            kept.append({name: row[name] for name in KEPT} | {"words": len(text.split())})
        else:
            dropped.append({"id": row["id"], "source": row["source"], "reason": reason,
                            "excerpt": text[:200]})  # fmt: skip
    run.expect("books", pd.DataFrame(kept), rules.expectations, key="id")
    write_documents(run.out, kept)
    write_table(run.out / "dropped.parquet", pa.Table.from_pylist(dropped, DROPPED))
    run.summary(
        rows=len(kept),
        documents=len(kept),
        words=sum(row["words"] for row in kept),
        dropped=dict(sorted(Counter(row["reason"] for row in dropped).items())),
        by_domain=dict(sorted(Counter(row["domain"] for row in kept).items())),
    )
