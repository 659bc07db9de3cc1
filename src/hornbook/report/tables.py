"""Stage `benchmark_tables`: Tables 1 to 4 and the micro-suites beside the paper's figures."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hornbook.artifacts import read_json, write_json, write_text
from hornbook.report.assemble import assemble, numbers
from hornbook.report.cells import Cell, OverlapCounts, corpora_of, overlap_of, read_cells
from hornbook.report.cells import read_overlap as read_overlap_counts
from hornbook.report.config import Tables
from hornbook.report.figures import load_figures
from hornbook.report.markdown import markdown
from hornbook.stage import Run


def benchmark_tables(run: Run) -> None:
    """Write `tables.json`, `tables.md` and `metrics.json`."""
    settings = run.section("report.tables", Tables)
    overlap = _overlap(run, settings)
    cells: list[Cell] = []
    for variant in settings.variants:
        for suite in settings.suites:
            cells += _cells(run, f"{variant}-{suite}", overlap[variant])
    facts = {variant: _facts(run, variant) for variant in settings.variants}
    tables = assemble(
        load_figures(),
        cells,
        variants=settings.variants,
        facts=facts,
        signal_stderrs=settings.signal_stderrs,
    )
    write_json(run.out / "tables.json", tables)
    write_text(run.out / "tables.md", markdown(tables))
    write_json(run.out / "metrics.json", numbers(tables, cells))
    run.summary(
        rows=len(cells),
        measured=sum(cell.value is not None for cell in cells),
        not_run=sum(cell.not_run is not None for cell in cells),
    )
    run.expect("cells", _frame(cells), settings.expectations, "cell")


def _cells(run: Run, name: str, corpora: Sequence[OverlapCounts]) -> list[Cell]:
    file = run.input(f"artifacts/evaluate/{name}") / "results.json"
    found = read_cells(file, f"evaluate@{name}")
    return [replace(cell, overlap=overlap_of(cell.task, corpora)) for cell in found]


def _overlap(run: Run, settings: Tables) -> dict[str, list[OverlapCounts]]:
    """What each variant's training text shares with benchmark items, corpus by corpus."""
    counts: dict[str, OverlapCounts] = {}
    for corpus in settings.corpora:
        folder = run.input(f"artifacts/clean/decontaminated/{corpus}")
        counts[corpus] = read_overlap_counts(folder / "overlap.parquet")
    found: dict[str, list[OverlapCounts]] = {}
    for variant in settings.variants:
        file = run.input(f"artifacts/mixture/{variant}") / "mixture.json"
        found[variant] = [counts[corpus] for corpus in corpora_of(read_json(file), file)]
    return found


def _facts(run: Run, variant: str) -> dict[str, Any]:
    """Size and tokens of a trained variant."""
    metrics = read_json(run.input(f"artifacts/train/{variant}") / "metrics.json")
    known = ("parameters", "tokens", "data_tokens", "loss")
    return {"stage": f"train@{variant}"} | {key: metrics[key] for key in known if key in metrics}


def _frame(cells: Sequence[Cell]) -> Any:  # noqa: ANN401 - pandas is imported in the stage only
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "cell": f"{cell.stage} {cell.task} {cell.metric}",
                "value": cell.value,
                "overlap": cell.overlap.items if cell.overlap else None,
                "explained": (cell.value is None) == (cell.not_run is not None),
            }
            for cell in cells
        ]
    )
