"""Stage `benchmark_tables`: Tables 1 to 4 and the micro-suites beside the paper's figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hornbook.artifacts import read_json, write_json, write_text
from hornbook.errors import ArtifactError
from hornbook.report.assemble import assemble, numbers
from hornbook.report.cells import Cell, read_cells
from hornbook.report.config import Tables
from hornbook.report.document import document
from hornbook.report.figures import load_figures
from hornbook.report.flat import flat
from hornbook.report.markup import RENDERINGS
from hornbook.report.over_seeds import REMEDY, clean_over_seeds, mean_items, over_seeds
from hornbook.report.overlap import (
    Clean,
    CorpusOverlap,
    ItemScore,
    clean_score,
    overlap_of,
    read_overlap,
    read_scores,
)
from hornbook.report.paired import BY_SEED, Settings, differences
from hornbook.report.perplexity import note, perplexity_rows
from hornbook.stage import Run


def benchmark_tables(run: Run) -> None:
    """Write the tables as JSON, CSV, Markdown, LaTeX and HTML, and `metrics.json`."""
    settings = run.section("report.tables", Tables)
    mixtures = {variant: _mixture(run, variant) for variant in settings.variants}
    overlap = _overlap(run, settings, mixtures)
    seeds = run.section("seeds", list[int])
    cells: list[Cell] = []
    answers: dict[tuple[str, str], dict[str, BY_SEED]] = {}
    for variant in settings.variants:
        for suite in settings.suites:
            results = {seed: _result(run, variant, suite, seed, seeds[-1]) for seed in seeds}
            found = _cells(results, overlap[variant], settings)
            for cell in found:
                if cell.value is not None:
                    key = (cell.task, cell.metric)
                    asked = {seed: result.scores[key] for seed, result in results.items()}
                    answers.setdefault(key, {})[variant] = asked
            cells += found
    models = run.section("compared.names", list[str])
    compared = [_compared(run, name, models[-1], settings.suites) for name in models]
    facts = {variant: _facts(run, mixtures[variant], variant) for variant in settings.variants}
    read = {
        variant: read_json(run.input(f"artifacts/perplexity/{variant}") / "perplexity.json")
        for variant in settings.variants
    }
    cells += [cell for _, found in compared for cell in found]
    tables = assemble(
        load_figures(),
        cells,
        variants=settings.variants,
        facts=facts,
        compared=[told for told, _ in compared],
        seeds=seeds,
        signal_stderrs=settings.signal_stderrs,
        few_items=settings.few_items,
        differences=differences(
            answers, Settings(settings.significance, settings.flips, settings.flips_seed)
        ),
        significance=settings.significance,
        perplexity=perplexity_rows(
            read,
            {v: [one["corpus"] for one in mixtures[v]["sources"]] for v in settings.variants},
            {v: run.hash_of(f"artifacts/perplexity/{v}") for v in settings.variants},
        ),
    )
    tables["notes"]["perplexity"] = note(read, seeds)
    write_json(run.out / "tables.json", tables)
    write_text(run.out / "tables.csv", flat(tables))
    blocks = document(tables)
    for ending, rendered in RENDERINGS.items():
        write_text(run.out / f"tables.{ending}", rendered(blocks))
    write_json(run.out / "metrics.json", numbers(tables, cells))
    run.summary(
        rows=len(cells),
        measured=sum(cell.value is not None for cell in cells),
        not_run=sum(cell.not_run is not None for cell in cells),
    )
    run.expect("cells", _frame(cells), settings.expectations, "cell")


@dataclass(frozen=True)
class _Result:
    """What the evaluation of one model has of one suite."""

    stage: str
    cells: Mapping[tuple[str, str], Cell]  # by task and metric, in their order
    scores: Mapping[tuple[str, str], Sequence[ItemScore]]  # likewise


def _result(run: Run, variant: str, suite: str, seed: int, last: int) -> _Result:
    """The result of a seed; those of the further ones are where the last of them is."""
    if seed == 0:
        stage = f"evaluate@{variant}-{suite}"
        artifact = f"artifacts/evaluate/{variant}-{suite}"
        folder = run.input(artifact)
    else:
        stage = f"evaluate_seed@{variant}-{seed}"
        artifact = f"artifacts/seed_scores/{last}"
        folder = run.input(artifact) / str(seed) / variant / suite
    cells = read_cells(folder / "results.json", stage, run.hash_of(artifact))
    by_task = {(cell.task, cell.metric): cell for cell in cells}
    return _Result(stage, by_task, read_scores(folder / "items.parquet"))


def _compared(
    run: Run, name: str, last: str, suites: Sequence[str]
) -> tuple[dict[str, Any], list[Cell]]:
    """What a model that was not trained here is, and its cells.

    Nothing is known of what its training text shares with the items.
    """
    artifact = f"artifacts/compared_scores/{last}"
    folder, dvc_hash = run.input(artifact) / name, run.hash_of(artifact)
    cells = [
        cell
        for suite in suites
        for cell in read_cells(
            folder / suite / "results.json", f"evaluate_compared@{name}", dvc_hash
        )
    ]
    return read_json(folder / "model.json"), cells


def _cells(
    results: Mapping[int, _Result], corpora: Sequence[CorpusOverlap], settings: Tables
) -> list[Cell]:
    found: list[Cell] = []
    for key in results[0].cells:
        for result in results.values():
            if key not in result.cells:
                raise ArtifactError(f"{result.stage} has no {' '.join(key)}; {REMEDY}")
        asked = {seed: result.scores.get(key, ()) for seed, result in results.items()}
        cells = {seed: result.cells[key] for seed, result in results.items()}
        found.append(
            replace(
                over_seeds(cells, asked),
                overlap=overlap_of(key[0], corpora),
                clean=_clean(cells, asked, corpora, settings),
            )
        )
    return found


def _clean(
    cells: Mapping[int, Cell],
    asked: Mapping[int, Sequence[ItemScore]],
    corpora: Sequence[CorpusOverlap],
    settings: Tables,
) -> Clean | None:
    """The score over the clean items, its error over items and seeds."""
    if cells[0].value is None:
        return None
    most, few = settings.clean_share, settings.few_items
    by_seed = [
        clean_score(cells[0].task, scores, corpora, most_share=most, few_items=few)
        for scores in asked.values()
    ]
    if len(by_seed) == 1:
        return by_seed[0]
    means = mean_items(cells, asked)
    pooled = clean_score(cells[0].task, means, corpora, most_share=most, few_items=few)
    return clean_over_seeds(pooled, by_seed)


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
