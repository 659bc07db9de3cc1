"""Stage `evaluate@VARIANT-SUITE`: a checkpoint on the benchmarks of a suite."""

from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import write_json, write_table
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.loading import load_lm
from hornbook.evaluate.scoring import Cell, Scored
from hornbook.stage import Run

if TYPE_CHECKING:
    from hornbook.evaluate.lm import LM
    from hornbook.progress import Progress

NO_TASKS = (
    "not run: no benchmark files; choose data=shared, or evaluate=paper with data.benchmarks "
    "naming the folder that holds them"
)


def evaluate(run: Run) -> None:
    """Load the checkpoint, run each benchmark, keep cells and items."""
    variant, _, suite = (run.instance or "").rpartition("-")
    settings = run.section("evaluate", Evaluate)
    tasks = tasks_of(settings, suite)
    if not tasks:
        write_suite(run, variant, suite, [], [], reason=NO_TASKS)
        return
    with run.progress(None, "requests", f"{len(tasks)} benchmarks") as progress:
        lm = load_lm(run, run.input(f"artifacts/train/{variant}"), settings, progress)
        cells, scored = run_suite(run, suite, lm, settings, progress)
    write_suite(run, variant, suite, cells, scored, reason=None)


def tasks_of(settings: Evaluate, suite: str) -> list[str]:
    """The benchmarks of a suite, sorted."""
    return sorted(settings.suites.get(suite, []))  # pyright: ignore[reportArgumentType, reportCallIssue] - a suite of dvc.yaml


def run_suite(
    run: Run, suite: str, lm: "LM", settings: Evaluate, progress: "Progress"
) -> tuple[list[Cell], list[Scored]]:
    """The cells of a suite and the items behind them."""
    benchmarks = run.input(run.section("data.benchmarks", str))
    cells: list[Cell] = []
    scored: list[Scored] = []
    for task in tasks_of(settings, suite):
        progress.note(task)
        found, items = _one(suite, task, lm, settings, benchmarks, run.runtime.workers)
        cells += found
        scored += items
        for cell in found:
            score = cell.not_run or f"{cell.value} +- {cell.stderr} on {cell.items} items"
            if cell.shortened:
                score += (
                    f"; {cell.shortened} requests lost their beginning: the context is too short"
                )
            run.log(f"{task} {cell.metric}: {score}")
    return cells, scored


def _one(
    suite: str, task: str, lm: "LM", settings: Evaluate, benchmarks: Path, workers: int
) -> tuple[list[Cell], list[Scored]]:
    if suite == "code":
        from hornbook.evaluate.programs import run_programs_task

        return run_programs_task(task, lm, settings, benchmarks, workers)
    from hornbook.evaluate.harness import run_task

    return run_task(task, lm, settings, benchmarks)


def write_suite(
    run: Run,
    variant: str,
    suite: str,
    cells: list[Cell],
    scored: list[Scored],
    *,
    reason: str | None,
) -> None:
    """The results of a stage that runs one suite."""
    save_results(run.out, variant, suite, cells, scored, reason=reason)
    if scored:
        expect_items(run, "items", scored)
    flat = numbers(cells)
    write_json(run.out / "metrics.json", flat)
    asked = len({cell.task for cell in cells})
    run.summary(rows=len(scored), benchmarks=asked, reason=reason, **flat)


def numbers(cells: list[Cell]) -> dict[str, float]:
    """Every score by task and metric."""
    known = {f"{cell.task}/{cell.metric}": cell.value for cell in cells}
    return {key: value for key, value in known.items() if value is not None}


def save_results(
    folder: Path,
    variant: str,
    suite: str,
    cells: list[Cell],
    scored: list[Scored],
    *,
    reason: str | None,
) -> None:
    """`results.json` and `items.parquet` of a suite."""
    import pyarrow as pa

    names = ("task", "metric", "item", "cluster", "score", "detail")
    columns = {name: [getattr(one, name) for one in scored] for name in names}
    types = [(n, pa.float64() if n == "score" else pa.string()) for n in names]
    table = pa.table(columns, schema=pa.schema(types))
    write_table(folder / "items.parquet", table)
    results = {"variant": variant, "suite": suite, "reason": reason,
               "cells": [cell.as_json() for cell in cells]}  # fmt: skip
    write_json(folder / "results.json", results)


def expect_items(run: Run, dataset: str, scored: list[Scored]) -> None:
    """Gate the items of a suite."""
    import pandas as pd

    frame = pd.DataFrame({"key": [f"{one.item} {one.metric}" for one in scored],
                          "score": [one.score for one in scored]})  # fmt: skip
    run.expect(dataset, frame, run.section("evaluate", Evaluate).expectations, key="key")
