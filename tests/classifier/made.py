"""What the tests of the classifier share: settings, corpora of parts, annotations."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from hornbook.artifacts import write_documents, write_table
from hornbook.classifier.config import Embedding, Fit, Forest, Parts
from hornbook.stage import Run
from tests.made_run import made_run

GOOD = "explain why because example number {n}"
BAD = "buy cheap sale now number {n}"


def settings(**changed: Any) -> Fit:
    """Small sizes; `changed` as the dataclass names them."""
    small = Fit(
        kind="linear",
        characters=1000,
        features=512,
        l2=0.1,
        embedding=Embedding("projection", dimensions=4, min_documents=2, max_tokens=16),
        forest=Forest(trees=20, max_depth=6, min_leaf=1),
        calibration="platt",
        parts=Parts(calibration=0.25, test=0.25),
        bins=5,
        positive_from=3,
        seed=0,
    )
    return replace(small, **changed)


def two_kinds(count: int) -> tuple[list[str], list[int]]:
    """Texts of two kinds, no two alike, with a score of 5 or 0."""
    texts = [(GOOD, BAD)[n % 2].format(n=n) for n in range(count)]
    return texts, [(5, 0)[n % 2] for n in range(count)]


def corpus(folder: Path, texts: list[str], shard_rows: int = 4096) -> Path:
    """Documents d0, d1, ... in parts."""
    rows = [{"id": f"d{n}", "text": text, "source": "s"} for n, text in enumerate(texts)]
    write_documents(folder, rows, shard_rows=shard_rows)
    return folder


def annotations(folder: Path, scores: list[int]) -> Path:
    """Scores of d0, d1, ..."""
    rows = [{"id": f"d{n}", "score": score, "reason": ""} for n, score in enumerate(scores)]
    write_table(folder / "annotations.parquet", pa.Table.from_pylist(rows))
    return folder


def run_in(folder: Path, name: str = "web_filter", workers: int = 1) -> Run:
    """A run that reads nothing but what the test hands it."""
    return made_run(folder, name, reads=[], params={}, workers=workers)
