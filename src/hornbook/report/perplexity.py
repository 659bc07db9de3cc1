"""How well each variant models each corpus, as rows of sources and domains."""

from collections.abc import Mapping, Sequence
from typing import Any

from hornbook.report.wording import ABSENT, PLUS_MINUS

NOTE = (
    "Perplexity on held-out text: exp of the mean loss a token, lower is better. Every variant "
    "reads the same windows of {context} tokens of every corpus, also of those that it was not "
    "trained on (in parentheses). Errors are standard errors over documents of one model{seeds}. A "
    "row compares variants; rows differ in how hard their text is, so they compare nothing. A "
    "window is of the domain that most of its tokens are of."
)
OF_ONE_SEED = ", that of seed 0"
OF_ROW = ("tokens", "windows", "documents")
OF_CELL = ("perplexity", "stderr", "loss", "loss_stderr")


def perplexity_rows(
    found: Mapping[str, Mapping[str, Any]],
    trained: Mapping[str, Sequence[str]],
    hashes: Mapping[str, str],
) -> list[dict[str, Any]]:
    """A row for each source and domain with a cell for each variant, domains below their source.

    Args:
        found: `perplexity.json` by variant.
        trained: The corpora of each variant's mixture.
        hashes: DVC hash of what each variant's stage made.
    """
    rows: dict[tuple[str, str | None], dict[str, Any]] = {}
    for variant, one in found.items():
        for cell in one["cells"]:
            key = (cell["source"], cell["domain"])
            told = {"source": key[0], "domain": key[1], **{name: cell[name] for name in OF_ROW}}
            row = rows.setdefault(key, told | {"cells": {}})
            row["cells"][variant] = {
                **{name: cell[name] for name in OF_CELL},
                "is_trained_on": cell["source"] in trained[variant],
                "stage": f"perplexity@{variant}",
                "hash": hashes[variant],
            }
    return list(rows.values())


def note(found: Mapping[str, Mapping[str, Any]], seeds: Sequence[int]) -> str:
    """What the rows say and what not."""
    context = max((one["context_tokens"] for one in found.values()), default=0)
    return NOTE.format(context=f"{context:,}", seeds=OF_ONE_SEED if len(seeds) > 1 else "")


def row_name(row: Mapping[str, Any]) -> str:
    """A source, or a domain with its source."""
    return row["source"] if row["domain"] is None else f"{row['source']}: {row['domain']}"


def cell_text(cell: Mapping[str, Any] | None) -> str:
    """A perplexity with its error, in parentheses where the variant was not trained on it."""
    if cell is None:
        return ABSENT
    told = _number(cell["perplexity"])
    if cell["stderr"] is not None:
        told += f" {PLUS_MINUS} {_number(cell['stderr'])}"
    return told if cell["is_trained_on"] else f"({told})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"
