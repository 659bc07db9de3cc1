"""Fit, score and filter: the steps after the annotations."""

from pathlib import Path

import numpy as np

from hornbook.artifacts import read_documents, read_table, write_documents, write_json, write_table
from hornbook.classifier import linear
from hornbook.classifier.config import Filter, Fit, Scores
from hornbook.errors import InputError
from hornbook.seeds import stream
from hornbook.stage import Run

BATCH = 1024


def fit_classifier(run: Run, corpus: Path, annotations: Path, settings: Fit) -> None:
    """Fit on one part of the annotations, judge on the other, keep the weights.

    Raises:
        InputError: The annotations are all on one side of `positive_from`.
    """
    scores = {
        r["id"]: r["score"] for r in read_table(annotations / "annotations.parquet").to_pylist()
    }
    texts = {
        row["id"]: row["text"]
        for row in read_documents(corpus, ["id", "text"])
        if row["id"] in scores
    }
    ids = sorted(texts)
    is_positive = [scores[i] >= settings.positive_from for i in ids]
    if all(is_positive) or not any(is_positive):
        raise InputError(
            f"{run.name}: all {len(ids)} annotations are on one side of "
            f"{run.family.partition('_')[0]}.classifier.positive_from={settings.positive_from}; "
            f"annotate a larger or more varied sample, or move the border"
        )
    order = stream(settings.seed, "split", run.family).permutation(len(ids))
    cut = max(1, round(len(ids) * settings.held_out))
    test, train = [ids[i] for i in order[:cut]], [ids[i] for i in order[cut:]]
    weights = linear.fit(
        [texts[i] for i in train], [scores[i] for i in train],
        features=settings.features, l2=settings.l2,
    )  # fmt: skip
    linear.save(run.out, weights)
    predicted = linear.predict(weights, [texts[i] for i in test])
    figures = judge(predicted, np.array([scores[i] for i in test]), settings.positive_from)
    write_json(run.out / "metrics.json", figures)
    run.summary(rows=len(ids), held_out=len(test), **figures)


def judge(predicted: np.ndarray, true: np.ndarray, border: int) -> dict[str, float]:
    """Precision, recall, F1 at the border, and the mean absolute error, on held-out annotations.

    The embedded annotator is a rule, so there these figures show plumbing, not quality.
    """
    yes, is_true = predicted >= border - 0.5, true >= border
    hits = int((yes & is_true).sum())
    precision = hits / max(int(yes.sum()), 1)
    recall = hits / max(int(is_true.sum()), 1)
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    error = float(np.abs(predicted - true).mean())
    figures = {"precision": precision, "recall": recall, "f1": f1, "mean_error": error}
    return {name: round(value, 4) for name, value in figures.items()}


def score_corpus(run: Run, corpus: Path, classifier: Path, settings: Scores) -> None:
    """A score for every document."""
    import pandas as pd
    import pyarrow as pa

    weights = linear.load(classifier)
    documents = read_table(corpus, ["id", "text"])
    scores: list[float] = []
    with run.progress(documents.num_rows, "documents", "scoring") as progress:
        for batch in documents.to_batches(max_chunksize=BATCH):
            scores += linear.predict(weights, batch.column("text").to_pylist()).tolist()
            progress.advance(batch.num_rows)
    ids = documents.column("id").to_pylist()
    frame = pd.DataFrame({"id": ids, "score": scores})
    run.expect("scores", frame, settings.expectations, key="id")
    write_table(run.out / "scores.parquet", pa.table({"id": ids, "score": scores}))
    counts = np.histogram(scores, bins=np.arange(0, 5.5, 0.5))[0].tolist()
    run.summary(rows=len(ids), histogram_by_half=counts)


def filter_corpus(run: Run, corpus: Path, scores: Path, settings: Filter) -> None:
    """Documents whose score reaches the threshold; nothing is computed but the comparison."""
    import pandas as pd

    known = {row["id"]: row["score"] for row in read_table(scores / "scores.parquet").to_pylist()}
    total, kept = 0, []
    for row in read_documents(corpus):
        total += 1
        if known[row["id"]] >= settings.threshold:
            kept.append(row | {"score": known[row["id"]]})
    if not kept:
        raise InputError(
            f"{run.name}: no document of {total} reaches {run.family.partition('_')[0]}.filter."
            f"threshold={settings.threshold}; the highest score is {max(known.values(), default=0)}"
        )
    frame = pd.DataFrame([{"id": row["id"], "score": row["score"]} for row in kept])
    run.expect("documents", frame, settings.expectations, key="id")
    write_documents(run.out, kept)
    words = sum(len(row["text"].split()) for row in kept)
    run.summary(rows=len(kept), documents=len(kept), dropped={"below_threshold": total - len(kept)},
                words=words, threshold=settings.threshold)  # fmt: skip
