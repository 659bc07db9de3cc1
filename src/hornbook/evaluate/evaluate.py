"""Stage `evaluate@VARIANT-SUITE`: a checkpoint on the benchmarks of a suite."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.artifacts import write_json, write_table
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.scoring import Cell, Scored
from hornbook.stage import Run

if TYPE_CHECKING:
    from hornbook.evaluate.lm import HornbookLM

NO_TASKS = (
    "not run: no benchmark files; choose data=shared, or evaluate=paper with data.benchmarks "
    "naming the folder that holds them"
)


def evaluate(run: Run) -> None:
    """Load the checkpoint, run each benchmark, keep cells and items."""
    variant, _, suite = (run.instance or "").rpartition("-")
    settings = run.section("evaluate", Evaluate)
    tasks = sorted(settings.suites.get(suite, []))  # pyright: ignore[reportArgumentType, reportCallIssue] - a suite of dvc.yaml
    if not tasks:
        _write(run, variant, suite, [], [], reason=NO_TASKS)
        return
    checkpoint = run.input(f"artifacts/train/{variant}")
    benchmarks = run.input(run.section("data.benchmarks", str))
    cells: list[Cell] = []
    scored: list[Scored] = []
    with run.progress(None, "requests", f"{len(tasks)} benchmarks") as progress:
        lm = _load(run, checkpoint, settings)
        lm.advance = progress.advance
        for task in tasks:
            progress.note(task)
            cell, items = _one(suite, task, lm, settings, benchmarks, run.runtime.workers)
            cells.append(cell)
            scored += items
            score = cell.not_run or f"{cell.value} +- {cell.stderr} on {cell.items} items"
            run.log(f"{task}: {score}")
    _write(run, variant, suite, cells, scored, reason=None)


def _one(
    suite: str, task: str, lm: "HornbookLM", settings: Evaluate, benchmarks: Path, workers: int
) -> tuple[Cell, list[Scored]]:
    if suite == "code":
        from hornbook.evaluate.programs import run_programs_task

        return run_programs_task(task, lm, settings, benchmarks, workers)
    from hornbook.evaluate.harness import run_task

    return run_task(task, lm, settings, benchmarks)


def _load(run: Run, checkpoint: Path, settings: Evaluate) -> "HornbookLM":
    import torch

    from hornbook.evaluate.lm import HornbookLM
    from hornbook.evaluate.memory import Memory
    from hornbook.model.checkpoint import load_model
    from hornbook.tokens.encoder import Encoder

    torch.set_num_threads(settings.threads)
    model = load_model(
        checkpoint,
        settings.device,
        getattr(torch, settings.dtype),
        attention=settings.attention,
    )
    digest = hashlib.sha256((checkpoint / "model.safetensors").read_bytes()).hexdigest()
    how = {"dtype": settings.dtype, "attention": settings.attention, "device": settings.device}
    return HornbookLM(
        model,
        Encoder.load(checkpoint),
        memory=Memory(run.store("scores"), digest, how),
        rows=settings.batch_rows,
        new_tokens=settings.new_tokens,
        advance=lambda _: None,
    )


def _write(
    run: Run,
    variant: str,
    suite: str,
    cells: list[Cell],
    scored: list[Scored],
    *,
    reason: str | None,
) -> None:
    import pyarrow as pa

    names = ("task", "item", "cluster", "score", "detail")
    columns = {name: [getattr(one, name) for one in scored] for name in names}
    types = [(n, pa.float64() if n == "score" else pa.string()) for n in names]
    table = pa.table(columns, schema=pa.schema(types))
    if scored:
        import pandas as pd

        settings = run.section("evaluate", Evaluate)
        frame = pd.DataFrame({"key": columns["item"], "score": columns["score"]})
        run.expect("items", frame, settings.expectations, key="key")
    write_table(run.out / "items.parquet", table)
    results = {"variant": variant, "suite": suite, "reason": reason,
               "cells": [cell.as_json() for cell in cells]}  # fmt: skip
    write_json(run.out / "results.json", results)
    flat = {cell.task: cell.value for cell in cells if cell.value is not None}
    write_json(run.out / "metrics.json", flat)
    run.summary(rows=len(scored), benchmarks=len(cells), reason=reason, **flat)
