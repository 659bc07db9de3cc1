"""Code benchmarks: the model writes, the sandbox judges; pass@1 with greedy text."""

import hashlib
import json
from pathlib import Path

from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.items import Row, load
from hornbook.evaluate.lm import HornbookLM
from hornbook.evaluate.scoring import Cell, Scored, empty_cell, make_cell
from hornbook.sandbox.sandbox import Program, missing, run_programs

STOPS = [
    "\ndef ",
    "\nclass ",
    "\nif ",
    "\nprint",
    "\nassert",
    "\n#",
    '\n"""',
    "\n\n\n",
    "\nExercise",
]
METRIC = "pass@1"
FORM = "prompt + completion in one process, called by the tests in another with plain values"


def run_programs_task(
    name: str, lm: HornbookLM, settings: Evaluate, benchmarks: Path, workers: int
) -> tuple[list[Cell], list[Scored]]:
    """The cells of a code benchmark and its items' scores; 'not run' where there is no sandbox.

    Raises:
        InputError: A file of the benchmark is missing.
    """
    rows = load(name, benchmarks)["test"][: settings.limit]
    version = definition()
    why = missing() if settings.sandbox.mode == "bubblewrap" else None
    if why is not None:
        return [empty_cell(name, METRIC, why, version)], []
    prompts = [row["prompt"].rstrip("\n") for row in rows]  # a final newline zeroes the score
    before = lm.shortened
    written = lm.generate(prompts, [STOPS] * len(rows))
    programs = [
        Program(p + text, row["tests"], p + row["canonical"])
        for p, text, row in zip(prompts, written, rows, strict=True)
    ]
    verdicts = run_programs(programs, settings.sandbox, workers)
    metric = METRIC if settings.sandbox.mode == "bubblewrap" else f"{METRIC} (rlimit)"
    scored = [
        Scored(name, metric, f"{name}/{row['id']}", _cluster(row), float(v.outcome == "passed"),
               text[:200])
        for row, v, text in zip(rows, verdicts, written, strict=True)
    ]  # fmt: skip
    cell = make_cell(
        scored, version=version, chance=0.0, blind=None,
        shortened=lm.shortened - before, resamples=settings.resamples, seed=settings.seed,
    )  # fmt: skip
    return [cell], scored


def _cluster(row: Row) -> str:
    return str(row.get("cluster") or row["id"])


def definition() -> str:
    """A hash of how code benchmarks are asked and judged."""
    return hashlib.sha256(json.dumps([FORM, STOPS]).encode()).hexdigest()[:16]
