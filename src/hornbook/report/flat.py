"""Every score of the tables on a line of its own, for a spreadsheet or a data frame."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hornbook.report.perplexity import row_name

COLUMNS: Sequence[str] = (
    "table", "model", "kind", "column", "task", "metric", "value", "stderr", "items", "clusters",
    "chance", "blind", "clean_value", "clean_stderr", "clean_items", "overlap", "best", "verified",
    "stage", "hash", "version", "not_run",
)  # fmt: skip
OF_CELL = ("metric", "value", "stderr", "items", "clusters", "chance", "blind", "best", "verified",
           "stage", "hash", "version", "not_run")  # fmt: skip


def flat(tables: Mapping[str, Any]) -> str:
    """CSV with a header; an empty field is a value that there is not."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(tables))
    return text.getvalue()


def _rows(tables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, table in tables["tables"].items():
        for row in table["rows"]:
            of_row = {"table": name, "model": row["label"], "kind": row["kind"]}
            for column in table["columns"]:
                cell = row["cells"][column["key"]]
                yield of_row | {"column": column["label"], "task": column["task"]} | _cell(cell)
    others = {one["name"] for one in tables["compared"]}
    for name in ("micro", "further"):
        for row in tables[name]:
            for model, cell in row["cells"].items():
                kind = "compared" if model in others else "ours"
                of_row = {"table": name, "model": model, "kind": kind, "task": row["task"]}
                yield of_row | _cell(cell)
    for row in tables["perplexity"]:
        for variant, cell in row["cells"].items():
            yield {
                "table": "perplexity",
                "model": variant,
                "kind": "ours",
                "column": "trained on" if cell["is_trained_on"] else "not trained on",
                "task": row_name(row),
                "metric": "perplexity",
                "value": cell["perplexity"],
                "stderr": cell["stderr"],
                "items": row["tokens"],
                "clusters": row["documents"],
                "stage": cell["stage"],
                "hash": cell["hash"],
            }


def _cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    clean, overlap = cell.get("clean") or {}, cell.get("overlap") or {}
    return {key: cell.get(key) for key in OF_CELL} | {
        "clean_value": clean.get("value"),
        "clean_stderr": clean.get("stderr"),
        "clean_items": clean.get("items"),
        "overlap": overlap.get("items"),
    }
