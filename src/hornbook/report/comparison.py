"""Two variants side by side: what was made differently, and what came of it."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from hornbook.report import forest
from hornbook.report.flips import Counted, Flip

TRAINING = ("parameters", "steps", "tokens", "loss", "eval_loss")
MIXTURE = ("share", "available_tokens", "drawn_tokens", "epochs")


def pairs(variants: Sequence[str]) -> list[tuple[str, str]]:
    """Every two variants, in the order of their rows."""
    return list(combinations(variants, 2))


def file_name(first: str, second: str) -> str:
    """The page of two variants."""
    return f"compare-{first}-with-{second}.html"


def compared(
    first: str,
    second: str,
    *,
    tables: Mapping[str, Any],
    toxigen: Mapping[str, Any],
    red_team: Mapping[str, Any],
    mixtures: Mapping[str, Mapping[str, Any]],
    trainings: Mapping[str, Mapping[str, Any]],
    counts: Sequence[Counted],
    flips: Sequence[Flip],
) -> dict[str, Any]:
    """What the template of a comparison reads."""
    both = (first, second)
    found = [one for one in tables["differences"] if (one["variant"], one["other"]) == both]
    return {
        "first": first,
        "second": second,
        "mixture": _mixture([mixtures[name] for name in both]),
        "training": [
            (key.replace("_", " "), [trainings[name].get(key) for name in both])
            for key in TRAINING
            if any(trainings[name].get(key) is not None for name in both)
        ],
        "differences": found,
        "num_differ": sum(one["differs"] for one in found),
        "forest": forest.draw(found, first, second) if found else None,
        "counts": counts,
        "flips": flips,
        "perplexity": [_ratio(row, both) for row in tables["perplexity"]
                       if set(both) <= set(row["cells"])],
        "groups": _groups(toxigen, both),
        "safety": [_of(toxigen["variants"], name) for name in both],
        "labels": [_of(red_team["rows"], name) for name in both],
    }  # fmt: skip


def _of(rows: Sequence[Mapping[str, Any]], variant: str) -> Mapping[str, Any]:
    return next(one for one in rows if one["variant"] == variant)


def _mixture(mixtures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each corpus and value; `differs` where the two are not equal."""
    sides = [{one["corpus"]: one for one in mixture["sources"]} for mixture in mixtures]
    names = dict.fromkeys(name for side in sides for name in side)
    rows: list[dict[str, Any]] = []
    for corpus in names:
        for key in MIXTURE:
            values = [side.get(corpus, {}).get(key) for side in sides]
            if any(value is not None for value in values):
                rows.append({"corpus": corpus, "key": key.replace("_", " "), "values": values,
                             "differs": values[0] != values[1]})  # fmt: skip
    budgets = [mixture["budget_tokens"] for mixture in mixtures]
    rows.append({"corpus": "all", "key": "budget tokens", "values": budgets,
                 "differs": budgets[0] != budgets[1]})  # fmt: skip
    return rows


def _ratio(row: Mapping[str, Any], both: tuple[str, str]) -> dict[str, Any]:
    cells = [row["cells"][name] for name in both]
    return {**row, "both": cells, "ratio": cells[0]["perplexity"] / cells[1]["perplexity"]}


def _groups(toxigen: Mapping[str, Any], both: tuple[str, str]) -> list[dict[str, Any]]:
    known = {(row["group"], row["variant"]): row for row in toxigen["rows"]}
    return [
        {"group": group.replace("_", " "), "both": [known[group, name] for name in both]}
        for group in toxigen["groups"]
    ]
