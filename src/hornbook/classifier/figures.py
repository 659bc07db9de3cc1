"""How good predictions are on texts that no part of the classifier has seen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hornbook.classifier.model import Predicted

DIGITS = 4

Truth = NDArray[np.bool_]


def against_annotations(
    found: Predicted, scores: NDArray[np.int64], border: int, bins: int
) -> dict[str, Any]:
    """Figures of the probability at a half, and how far the expected annotation is off.

    The embedded annotator is a rule, so with it these figures show plumbing, not quality.
    """
    off = float(np.abs(found.score - scores).mean())
    same = float((np.clip(np.floor(found.score + 0.5), 0, 5) == scores).mean())
    return against_truth(found.probability, scores >= border, bins) | {
        "mean_error": round(off, DIGITS),
        "same_rounded_score": round(same, DIGITS),
    }


def against_truth(probability: NDArray[np.float64], is_true: Truth, bins: int) -> dict[str, Any]:
    """Precision, recall, F1 and accuracy at a half, ranking, and reliability by bin.

    `majority` is the accuracy of the more frequent answer, which a useful classifier exceeds; `auc`
    is None where all texts have the same answer.
    """
    from sklearn.metrics import roc_auc_score

    yes = probability >= 0.5
    hits = int((yes & is_true).sum())
    precision, recall = hits / max(int(yes.sum()), 1), hits / max(int(is_true.sum()), 1)
    share = float(is_true.mean())
    rows = reliability(probability, is_true, bins)
    figures = {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if hits else 0.0,
        "accuracy": float((yes == is_true).mean()),
        "majority": max(share, 1 - share),
        "brier": float(((probability - is_true) ** 2).mean()),
        "calibration_error": calibration_error(rows),
        "auc": float(roc_auc_score(is_true, probability)) if 0 < share < 1 else None,
    }
    rounded = {k: v if v is None else round(v, DIGITS) for k, v in figures.items()}
    return {"rows": len(is_true), "positives": int(is_true.sum()), **rounded, "bins": rows}


def reliability(
    probability: NDArray[np.float64], is_true: Truth, bins: int
) -> list[dict[str, Any]]:
    """Bins of equal width that hold a text: how many, their mean probability, how many are true."""
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    rows: list[dict[str, Any]] = []
    for number in np.unique(place).tolist():
        here = place == number
        rows.append({
            "from": round(number / bins, DIGITS),
            "to": round((number + 1) / bins, DIGITS),
            "rows": int(here.sum()),
            "positives": int(is_true[here].sum()),
            "mean_probability": round(float(probability[here].mean()), DIGITS),
        })  # fmt: skip
    return rows


def calibration_error(rows: list[dict[str, Any]]) -> float:
    """Expected calibration error: mean distance of probability and share, weighted by bin."""
    total = sum(row["rows"] for row in rows)
    return sum(abs(r["mean_probability"] * r["rows"] - r["positives"]) for r in rows) / total
