"""Stage `code_corpus`: licensed, parsed, written by people, not a test, no secret."""

import hashlib
from collections import Counter
from typing import Any

import pyarrow as pa

from hornbook.artifacts import write_documents, write_table
from hornbook.code.config import Corpus
from hornbook.code.files import judge, sources
from hornbook.errors import InputError
from hornbook.stage import Run

DROPPED = pa.schema([(name, pa.string()) for name in ("id", "source", "reason", "excerpt")])


def code_corpus(run: Run) -> None:
    """Read, judge, drop exact repeats, keep the rest."""
    import pandas as pd

    settings = run.section("code.corpus", Corpus)
    kept: list[dict[str, Any]] = []
    dropped: list[dict[str, Any]] = []
    seen: set[str] = set()
    with run.progress(None, "files", "judging") as progress:
        for source in sources(run.input(run.section("data.code", str)), settings):
            progress.advance()
            text, reason = source.text or "", judge(source, settings)
            key = hashlib.sha256(f"{source.name}\n{text}".encode()).hexdigest()[:32]
            if reason is None and text in seen:
                dropped.append(_dropped(key, source.name, "exact_duplicate", text))
            elif reason is not None:
                dropped.append(_dropped(key, source.name, reason, text))
            else:
                seen.add(text)
                row = {"id": key, "text": text, "source": source.name, "licence": source.licence}
                kept.append(row | {"lines": len(text.splitlines())})
    counts = dict(sorted(Counter(row["reason"] for row in dropped).items()))
    if not kept:
        raise InputError(f"code_corpus: none of {len(dropped)} files passed the rules: {counts}")
    frame = pd.DataFrame(kept).drop(columns="text")
    run.expect("documents", frame, settings.expectations, key="id")
    write_documents(run.out, kept)
    write_table(run.out / "dropped.parquet", pa.Table.from_pylist(dropped, DROPPED))
    run.summary(
        rows=len(kept),
        documents=len(kept),
        lines=sum(row["lines"] for row in kept),
        words=sum(len(row["text"].split()) for row in kept),
        dropped=counts,
    )


def _dropped(key: str, source: str, reason: str, text: str) -> dict[str, str]:
    return {"id": key, "source": source, "reason": reason, "excerpt": text[:200]}
