"""Stage `benchmark_tables`: Tables 1 to 4 and the micro-suites beside the paper's figures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hornbook.artifacts import read_json, write_json, write_text
from hornbook.report.assemble import assemble, numbers
from hornbook.report.cells import Cell, read_cells
from hornbook.report.config import Tables
from hornbook.report.figures import load_figures
from hornbook.report.markdown import markdown
from hornbook.report.overlap import (
    CorpusOverlap,
    clean_score,
    overlap_of,
    read_overlap,
    read_scores,
)
from hornbook.stage import Run


def benchmark_tables(run: Run) -> None:
    """Write `tables.json`, `tables.md` and `metrics.json`."""
    settings = run.section("report.tables", Tables)
    mixtures = {variant: _mixture(run, variant) for variant in settings.variants}
    overlap = _overlap(run, settings, mixtures)
    cells: list[Cell] = []
    for variant in settings.variants:
        for suite in settings.suites:
            cells += _cells(run, f"{variant}-{suite}", overlap[variant], settings)
    facts = {variant: _facts(run, mixtures[variant], variant) for variant in settings.variants}
    tables = assemble(
        load_figures(),
        cells,
        variants=settings.variants,
        facts=facts,
        signal_stderrs=settings.signal_stderrs,
        few_items=settings.few_items,
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


def _cells(run: Run, name: str, corpora: Sequence[CorpusOverlap], settings: Tables) -> list[Cell]:
    folder = run.input(f"artifacts/evaluate/{name}")
    scores = read_scores(folder / "items.parquet")
    return [
        replace(
            cell,
            overlap=overlap_of(cell.task, corpora),
            clean=None
            if cell.value is None
            else clean_score(
                cell.task,
                scores.get(cell.task, []),
                corpora,
                most_share=settings.clean_share,
                few_items=settings.few_items,
            ),
        )
        for cell in read_cells(folder / "results.json", f"evaluate@{name}")
    ]


def _mixture(run: Run, variant: str) -> dict[str, Any]:
    return read_json(run.input(f"artifacts/mixture/{variant}") / "mixture.json")


def _overlap(
    run: Run, settings: Tables, mixtures: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[CorpusOverlap]]:
    """What each variant's training text shares with benchmark items, corpus by corpus."""
    known: dict[str, CorpusOverlap] = {}
    for corpus in settings.corpora:
        folder = run.input(f"artifacts/clean/decontaminated/{corpus}")
        known[corpus] = read_overlap(folder / "overlap.parquet")
    return {
        variant: [known[source["corpus"]] for source in mixture["sources"]]
        for variant, mixture in mixtures.items()
    }


def _facts(run: Run, mixture: Mapping[str, Any], variant: str) -> dict[str, Any]:
    """Size of a trained variant and the tokens it drew."""
    metrics = read_json(run.input(f"artifacts/train/{variant}") / "metrics.json")
    return {
        "parameters": metrics["parameters"],
        "budget_tokens": mixture["budget_tokens"],
        "data_tokens": sum(source["available_tokens"] for source in mixture["sources"]),
        "drawn_tokens": {s["corpus"]: s["drawn_tokens"] for s in mixture["sources"]},
    }


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
    ).astype({"value": float, "overlap": float})
