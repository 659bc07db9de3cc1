"""Code benchmarks: the model writes, the sandbox judges; pass@k."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from math import comb
from pathlib import Path

from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.items import Row, load
from hornbook.evaluate.lm import LM
from hornbook.evaluate.scoring import Cell, Scored, empty_cell, make_cell
from hornbook.sandbox.sandbox import Program, missing, run_programs
from hornbook.seeds import integer

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
FORM = "prompt + completion, then the tests, in one namespace"


def run_programs_task(
    name: str, lm: LM, settings: Evaluate, benchmarks: Path, workers: int
) -> tuple[list[Cell], list[Scored]]:
    """The cells of a code benchmark and its items' scores; 'not run' where there is no sandbox.

    Raises:
        InputError: A file of the benchmark is missing.
    """
    rows = load(name, benchmarks)["test"][: settings.limit]
    version = definition(rows, settings)
    why = missing() if settings.sandbox.mode == "bubblewrap" else None
    if why is not None:
        return [empty_cell(name, _metric(k, settings), why, version) for k in _ks(settings)], []
    before = lm.shortened
    asked = [(row, number) for row in rows for number in range(settings.samples)]
    written = _written(name, asked, lm, settings)
    programs = [
        Program(_prompt(row) + text, row["tests"], _prompt(row) + row["canonical"])
        for (row, _), text in zip(asked, written, strict=True)
    ]
    passed = [v.outcome == "passed" for v in run_programs(programs, settings.sandbox, workers)]
    cells: list[Cell] = []
    scored: list[Scored] = []
    for k in _ks(settings):
        scores = _scores(name, k, rows, written, passed, settings)
        scored += scores
        cells.append(
            make_cell(
                scores, version=version, chance=0.0, blind=None,
                shortened=lm.shortened - before, resamples=settings.resamples, seed=settings.seed,
            )
        )  # fmt: skip
    return cells, scored


def _prompt(row: Row) -> str:
    return str(row["prompt"]).rstrip("\n")  # a final newline zeroes the score


def _written(name: str, asked: Sequence[tuple[Row, int]], lm: LM, settings: Evaluate) -> list[str]:
    """One greedy program for each problem, or drawn ones, each from a stream of its own."""
    from hornbook.evaluate.greedy import Draw

    draws = None
    if settings.samples > 1:
        seeds = [integer(settings.seed, name, str(row["id"]), str(n)) for row, n in asked]
        draws = [Draw(seed, settings.temperature) for seed in seeds]
    return lm.generate([_prompt(row) for row, _ in asked], [STOPS] * len(asked), draws=draws)


def _scores(
    name: str, k: int, rows: Sequence[Row], written: Sequence[str], passed: Sequence[bool],
    settings: Evaluate,
) -> list[Scored]:  # fmt: skip
    """The pass@k of each problem; its detail is its first program."""
    n = settings.samples
    return [
        Scored(name, _metric(k, settings), f"{name}/{row['id']}", _cluster(row),
               pass_at(k, n, sum(passed[place * n : place * n + n])), written[place * n][:200])
        for place, row in enumerate(rows)
    ]  # fmt: skip


def pass_at(k: int, programs: int, passed: int) -> float:
    """An unbiased estimate of the probability that one of `k` programs passes.

    It is the share of all choices of `k` among the `programs` that hold one of the `passed`; whole
    numbers keep it exact. Source: arXiv:2107.03374, section 2.1.
    """
    return 1.0 - comb(programs - passed, k) / comb(programs, k)


def _ks(settings: Evaluate) -> list[int]:
    return sorted(settings.pass_at)


def _metric(k: int, settings: Evaluate) -> str:
    return f"pass@{k}" if settings.sandbox.mode == "bubblewrap" else f"pass@{k} (rlimit)"


def _cluster(row: Row) -> str:
    return str(row.get("cluster") or row["id"])


def definition(rows: Sequence[Row], settings: Evaluate) -> str:
    """A hash of how programs are asked for and judged, within which limits, and of the items."""
    drawn = [settings.samples, settings.temperature, settings.seed]
    said = [FORM, STOPS, rows, settings.new_tokens, asdict(settings.sandbox),
            *(drawn if settings.samples > 1 else [])]  # fmt: skip
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
