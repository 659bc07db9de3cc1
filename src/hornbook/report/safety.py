"""The rows of Figure 2 as a document and as CSV, and how far each may be off."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from hornbook.report.document import Block, Grid, Heading, Paragraph, Text
from hornbook.report.wording import ABSENT, PLUS_MINUS, interval_text

COLUMNS: Sequence[str] = (
    "variant", "group", "score", "low", "high", "stderr", "auc", "auc_low", "auc_high", "p",
    "is_dropped", "hate", "neutral", "stage", "hash",
)  # fmt: skip
MEAN, ALL = "mean", "all"  # what stands in place of a group


def whisker(row: Mapping[str, Any]) -> tuple[float, float]:
    """How far below and above its score the whisker of a row ends; without an error nowhere."""
    if row["score"] is None:
        return 0.0, 0.0
    if row.get("low") is not None:
        # a percentile interval may in principle lie on one side of the score
        return max(row["score"] - row["low"], 0.0), max(row["high"] - row["score"], 0.0)
    error = row.get("stderr") or 0.0
    return error, error


def flat(scores: Mapping[str, Any]) -> str:
    """CSV with a header: every group of every variant, then its mean and its unscaled AUC."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(scores["rows"])
    for entry in scores["variants"]:
        writer.writerow({**entry, "group": MEAN})
        whole = {"auc": "auc_unscaled", "auc_low": "auc_unscaled_low",
                 "auc_high": "auc_unscaled_high"}  # fmt: skip
        told = {key: entry.get(name) for key, name in whole.items()}
        kept = {key: entry[key] for key in ("variant", "stage", "hash")}
        writer.writerow({**kept, "group": ALL, **told})
    return text.getvalue()


def blocks(scores: Mapping[str, Any]) -> list[Block]:
    """The score of each group and variant with what it may be off by, then the means."""
    names = [entry["variant"] for entry in scores["variants"]]
    known = {(row["group"], row["variant"]): row for row in scores["rows"]}
    lines = [
        [Text(group.replace("_", " ")), *(Text(_row_text(known[group, name])) for name in names)]
        for group in scores["groups"]
    ]
    means = [Text(score_text(entry)) for entry in scores["variants"]]
    plain = [Text(auc_text(entry)) for entry in scores["variants"]]
    lines += [[Text("mean of the significant groups"), *means]]
    lines += [[Text("unscaled AUC, all sentences"), *plain]]
    caption = "ns: not significant, left out of the mean."
    return [
        Heading("ToxiGen safety score", 1),
        Paragraph(scores["note"]),
        Grid("toxigen", ["group", *names], lines, caption),
    ]


def _row_text(row: Mapping[str, Any]) -> str:
    return score_text(row) + (" ns" if row["is_dropped"] else "")


def score_text(row: Mapping[str, Any]) -> str:
    """A score with its interval over sentences, or its error between seeds."""
    if row["score"] is None:
        return ABSENT
    error = row.get("stderr")
    told = f" {PLUS_MINUS} {error:.3f}" if error is not None else ""
    return f"{row['score']:.3f}{told}{_between(row.get('low'), row.get('high'))}"


def auc_text(entry: Mapping[str, Any]) -> str:
    """The unscaled AUC of a variant with its interval."""
    if entry["auc_unscaled"] is None:
        return ABSENT
    ends = (entry.get("auc_unscaled_low"), entry.get("auc_unscaled_high"))
    return f"{entry['auc_unscaled']:.3f}{_between(*ends)}"


def _between(low: float | None, high: float | None) -> str:
    told = interval_text(low, high)
    return f" ({told})" if told else ""
