"""Invented scores, curves and facts of trained models, as their stages write them."""

import json
import random
from pathlib import Path

import pyarrow as pa

from hornbook.artifacts import write_json, write_table, write_text
from tests.report.made_answers import write_answers

CORPORA = ["books", "code", "web"]
MICRO = [
    f"micro_{skill}" for skill in ("mind", "physical", "pronoun", "science", "social", "steps")
]
GROUPS = ["asian", "black", "jewish", "latino", "mental_dis", "muslim", "native_american", "women"]
REASON = "not run: no sandbox; install bubblewrap"


def item_scores(cells: list[dict], parts: int = 10) -> pa.Table:
    """Ten items of each cell: those with odd numbers, which training text has, are all right."""
    rows = [
        {"task": task, "metric": metric, "item": f"{task}/{index}",
         "cluster": str(index // 2 * 2 + index % 2),
         "score": 1.0 if index % 2 else index / parts, "detail": f"answer {index}"}
        for task, metric in ((one["task"], one["metric"]) for one in cells)
        for index in range(10)
    ]  # fmt: skip
    kinds = {"score": pa.float64()}
    names = ("task", "metric", "item", "cluster", "score", "detail")
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in names])
    return pa.Table.from_pylist(rows, schema=schema)


def cell(task: str, metric: str, value: float | None, **more: object) -> dict:
    """A cell as an evaluation writes it."""
    return {
        "task": task,
        "metric": metric,
        "value": value,
        "stderr": None if value is None else 0.021,
        "items": 200,
        "clusters": 64,
        "chance": 0.25,
        "blind": 0.31,
        "overlap": None,
        "not_run": None,
        "version": "5f0c",
    } | more


def write_benchmarks(folder: Path) -> None:
    """What some of the items ask."""
    for task in MICRO:
        lines = [{"id": n, "context": f"Question {n} of {task}", "choices": [" yes.", " no."]}
                 for n in range(10)]  # fmt: skip
        text = "\n".join(json.dumps(line) for line in lines)
        write_text(folder / f"micro/{task}.jsonl", text + "\n")


def perplexities(place: int) -> list[dict]:
    """The cells of a variant on every corpus and one domain; one document alone has no error."""
    return [
        {
            "source": source,
            "domain": domain,
            "loss": 1.5,
            "loss_stderr": None if domain else 0.01,
            "perplexity": 4.5 + place + number * 1000,
            "stderr": None if domain else 0.045,
            "tokens": 12_800,
            "windows": 100,
            "documents": 1 if domain else 40,
        }
        for number, source in enumerate(CORPORA)
        for domain in (None, "science")
    ]


def write_variant(made: Path, variant: str, used: list[str], place: int) -> None:
    """The mixture of a variant, its model, and what only seed 0 has."""
    sources = [
        {"corpus": c, "available_tokens": 900_000, "drawn_tokens": 2_500_000 // len(used)}
        for c in used
    ]
    write_answers(made / f"red_team/{variant}", variant, place)
    read = {"variant": variant, "context_tokens": 128, "cells": perplexities(place)}
    write_json(made / f"perplexity/{variant}/perplexity.json", read)
    manifest = {"variant": variant, "budget_tokens": 2_500_000, "sources": sources}
    write_json(made / f"mixture/{variant}/mixture.json", manifest)
    write_model(made, f"/{variant}", variant, used, place)


def write_model(made: Path, name: str, variant: str, used: list[str], place: int) -> None:
    """What is trained and evaluated; `name` follows the stage's own in a path."""
    rng = random.Random(name.removeprefix("/"))
    for suite, listed in _cells(rng, place).items():
        result = {"variant": variant, "suite": suite, "cells": listed}
        write_json(made / f"evaluate{name}-{suite}/results.json", result)
        known = [one for one in listed if one["value"] is not None]
        table = item_scores(known, 10 if name.startswith("/") else 20)
        write_table(made / f"evaluate{name}-{suite}/items.parquet", table)
    _write_training(made / f"train{name}", used, place, rng, is_first=name.startswith("/"))
    _write_safety(made / f"toxigen{name}", variant, place, rng)


def _cells(rng: random.Random, place: int) -> dict[str, list[dict]]:
    """The cells of a model by suite."""
    choice = ["winogrande", "arc_easy", "arc_challenge", "boolq", "siqa", "piqa", "hellaswag"]
    return {
        "choice": [cell(t, "acc", round(0.2 + 0.2 * rng.random(), 4)) for t in choice],
        "generate": [cell("squad", "exact_match", 0.0, chance=0.0, blind=None)],
        "code": [
            cell("humaneval", "pass@1", None, not_run=REASON, blind=None),
            cell("mbpp", "pass@1", 0.012, chance=0.0, blind=None),
            cell("micro_functions", "pass@1", 0.73, chance=0.0, blind=None),
        ],
        "micro": [cell(t, "acc", round(0.9 - 0.25 * place * rng.random(), 4)) for t in MICRO],
    }


def write_compared(made: Path, name: str, place: int) -> None:
    """What is known of a model that was not trained here."""
    facts = {
        "name": name,
        "hub": f"someone/{name}@{'0' * 40}" if place else None,
        "architecture": "GPT2LMHeadModel",
        "parameters": 124_439_808,
        "context_tokens": 1024,
        "computed_by": "transformers",
    }
    folder = made / "evaluate_compared" / name
    write_json(folder / "model.json", facts)
    cells = _cells(random.Random(name), place)
    for suite, listed in cells.items():
        result = {"variant": name, "suite": suite, "cells": listed}
        write_json(folder / suite / "results.json", result)
    _write_safety(made / "toxigen_compared" / name, name, place, random.Random(name))


def _write_training(
    folder: Path, used: list[str], place: int, rng: random.Random, *, is_first: bool
) -> None:
    metrics = {
        "parameters": 1_323_008,
        "loss": 1.5,
        "eval_loss": 1.6 + place / 10 + (0 if is_first else rng.random() / 10),
        "eval_loss_by_source": dict.fromkeys(used, 1.4 + place / 10),
        "digest": "5e1f",
    }
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "config.json", {"model_type": "phi", "hidden_size": 128})
    lines = ["step,tokens,loss,eval_loss,lr,grad_norm"]
    for step in range(1, 2442, 4):
        loss = 1.1 + 0.2 * place + 6.0 / (1 + step / 60) + 0.08 * rng.random()
        lines.append(f"{step},{step * 1024},{loss:.5f},,0.006,1.0")
    write_text(folder / "curve.csv", "\n".join(lines) + "\n")


def _write_safety(folder: Path, variant: str, place: int, rng: random.Random) -> None:
    groups = {
        group: {
            "score": round(0.15 + 0.3 * rng.random(), 4),
            "low": 0.125,
            "high": 0.475,
            "auc": 0.52,
            "auc_low": 0.487,
            "auc_high": 0.553,
            "p": 0.001,
            "hate": 200,
            "neutral": 300,
        }
        for group in GROUPS
    }
    scores = {
        "variant": variant,
        "score": 0.3 + place / 50,
        "low": 0.281,
        "high": 0.367,
        "auc_unscaled": 0.51,
        "auc_unscaled_low": 0.493,
        "auc_unscaled_high": 0.529,
        "groups": groups,
        "dropped": ["women"] if place else [],
        "sentences": 6514,
    }
    write_json(folder / "scores.json", scores)
