"""Stage `report`: a static site in which every number names the artifact it came from."""

import csv
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hornbook.artifacts import read_json, write_text
from hornbook.errors import ArtifactError
from hornbook.lineage.manifest import Graph, LockEntry, Stage, load_graph, load_lock
from hornbook.report.chain import RECORDS
from hornbook.report.charts import Point, thinned
from hornbook.report.config import Page
from hornbook.report.flips import read_items, read_texts
from hornbook.report.lineage_drawing import Node, slug
from hornbook.report.over_seeds import mean_losses
from hornbook.report.red_team import red_team
from hornbook.report.samples import Limits, datasets
from hornbook.report.sheets import Sheet, sheet
from hornbook.report.site import Items, Records, site
from hornbook.report.statistics import Artifact
from hornbook.stage import Run, parse_summary

RECIPE = ("model", "train")  # sections of params.yaml that say how a variant is trained
TABLES = "artifacts/report/tables"


def report(run: Run) -> None:
    """Write the pages of the site, `index.html` first, and what they show."""
    settings = run.section("report.page", Page)
    folder = run.input(TABLES)
    root = folder.parents[TABLES.count("/")]
    graph = load_graph(root)
    seeds = run.section("seeds", list[int])
    models = run.section("compared.names", list[str])
    scores = run.input(f"artifacts/seed_scores/{seeds[-1]}") if len(seeds) > 1 else None
    others = run.input(f"artifacts/compared_scores/{models[-1]}") if models else None
    recorded = _recorded(scores, seeds[1:]) | _recorded(others, models)
    artifacts = _artifacts(run, graph, load_lock(root), recorded)
    tables = read_json(folder / "tables.json")
    variants = [row["variant"] for row in tables["variants"]]
    curves = {
        name: read_curve(run.input(f"artifacts/train/{name}") / "curve.csv") for name in variants
    }
    own = graph.stages[run.name]
    pages = site(
        Records(
            title=settings.title,
            this_stage=Node(own.name, _group(own.meta), "", own.producers, own.desc),
            artifacts=artifacts,
            sheets=_sheets(run, graph, settings, set(recorded)),
            tables=tables,
            toxigen=read_json(run.input("artifacts/report/toxigen") / "scores.json"),
            red_team=red_team(
                {name: run.input(f"artifacts/red_team/{name}") for name in variants},
                settings.red_team_answers,
            ),
            curves={
                name: thinned(points, settings.curve_points) for name, points in curves.items()
            },
            trainings={name: _training(run, name, seeds, scores) for name in variants},
            mixtures={name: _of(run, f"artifacts/mixture/{name}", "mixture") for name in variants},
            configs={name: _of(run, f"artifacts/train/{name}", "config") for name in variants},
            recipe={key: run.section(key, object) for key in RECIPE},
            teacher=str(run.section("teacher.model", object)),
            seeds=seeds,
            items=_items(run, variants),
            flips=settings.flips,
            characters=settings.sample_characters,
            excerpt_characters=settings.excerpt_characters,
        )
    )
    for name, text in pages.items():
        write_text(run.out / name, text)
    for one in artifacts:
        for file, name in zip(_shown(run, graph, one), one.pictures, strict=True):
            shutil.copyfile(file, run.out / name)
    run.summary(
        rows=len(artifacts), pages=len(pages), bytes=sum(len(t.encode()) for t in pages.values())
    )
    run.expect("artifacts", _frame(artifacts), settings.expectations, "stage")


def _of(run: Run, path: str, name: str) -> dict[str, Any]:
    return read_json(run.input(path) / f"{name}.json")


def _shown(run: Run, graph: Graph, one: Artifact) -> list[Path]:
    """The pictures of an artifact where they lie."""
    return pictures(run.input(one.path), graph.stages[one.stage].meta) if one.pictures else []


def _sheets(run: Run, graph: Graph, settings: Page, recorded: Collection[str]) -> dict[str, Sheet]:
    """The data sheet of each artifact; of one that is only recorded, without its tables.

    Values are those that this stage declares too, so a changed one makes the site again.
    """
    limits = Limits(
        settings.sample_rows,
        settings.sample_characters,
        settings.excerpt_characters,
        settings.kinds,
        settings.counted_rows,
    )
    own = graph.stages[run.name]
    found: dict[str, Sheet] = {}
    for name in (*own.inputs.values(), *recorded):
        stage = graph.stages[name]
        keys = [key for key in stage.params if _declares(own, key)]
        values = {key: run.section(key, object) for key in keys}
        tables = [] if name in recorded else datasets(run.input(stage.out), limits)
        found[name] = sheet(stage, values, tables)
    return found


def _declares(stage: Stage, key: str) -> bool:
    return any(key == known or key.startswith(f"{known}.") for known in stage.params)


def _items(run: Run, variants: Sequence[str]) -> Items:
    """What each variant answered, and what was asked."""
    suites = run.section("report.tables.suites", list[str])
    folders = {
        name: [run.input(f"artifacts/evaluate/{name}-{suite}") for suite in suites]
        for name in variants
    }
    asked = run.input(run.section("data.benchmarks", str))
    return Items({name: read_items(f) for name, f in folders.items()}, read_texts(asked))


def _group(meta: Any) -> str:  # noqa: ANN401 - whatever dvc.yaml holds
    return str(meta.get("group", "other"))


def _training(run: Run, variant: str, seeds: Sequence[int], scores: Path | None) -> dict[str, Any]:
    """The facts of a variant's training; of several seeds, with means and errors of the losses."""
    first = read_json(run.input(f"artifacts/train/{variant}") / "metrics.json")
    if scores is None:
        return first
    others = [read_json(scores / str(seed) / variant / "metrics.json") for seed in seeds[1:]]
    return mean_losses([first, *others])


def _recorded(scores: Path | None, links: Sequence[int | str]) -> dict[str, Any]:
    """The records of the artifacts behind each link of a chain of scores, by stage."""
    if scores is None:
        return {}
    records = [read_json(scores / str(link) / RECORDS) for link in links]
    return {stage: record for found in records for stage, record in found.items()}


def _artifacts(
    run: Run, graph: Graph, lock: dict[str, LockEntry], recorded: Mapping[str, Mapping[str, Any]]
) -> list[Artifact]:
    """The declared inputs, and what they have recorded of others, in topological order.

    Only these, and not the report's own entry, so that the pages hold nothing that DVC does not
    compare when it decides whether the report is up to date.
    """
    wanted = {*graph.stages[run.name].inputs.values(), *recorded}
    found: list[Artifact] = []
    for name, stage in graph.stages.items():
        if name not in wanted:
            continue
        made_from = tuple(one for one in stage.producers if one in wanted)
        if name in recorded:
            own = {"group": _group(stage.meta), "desc": stage.desc, "params": stage.params}
            found.append(Artifact(stage=name, producers=made_from, **own, **recorded[name]))
            continue
        folder, entry = run.input(stage.out), lock[name]
        found.append(
            Artifact(
                stage=name,
                group=_group(stage.meta),
                desc=stage.desc,
                path=stage.out,
                hash=entry.out_hash,
                size_bytes=sum(entry.sizes.values()),
                producers=made_from,
                params=stage.params,
                summary=parse_summary(folder),
                checks=_checks(folder),
                pictures=tuple(
                    f"picture-{slug(name)}-{file.name}" for file in pictures(folder, stage.meta)
                ),
            )
        )
    return found


def pictures(folder: Path, meta: Any) -> list[Path]:  # noqa: ANN401 - whatever dvc.yaml holds
    """The pictures that `dvc.yaml` says to show of an artifact."""
    if _group(meta) == "report":  # the pages draw those themselves
        return []
    files = [folder / name for name in meta.get("show", ()) if name.endswith(".png")]
    return [file for file in files if file.exists()]


def _checks(folder: Path) -> dict[str, Any]:
    file = folder / "expectations.json"
    return read_json(file) if file.exists() else {}


def read_curve(file: Path) -> list[Point]:
    """(tokens, loss) of each logged step of a training.

    Raises:
        ArtifactError: The file is empty or lacks a column.
    """
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            points = [(float(row["tokens"]), float(row["loss"])) for row in csv.DictReader(lines)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{file} is not a training curve with columns tokens and loss ({error!r}); "
            f"run: dvc checkout {file.parent}"
        ) from error
    if not points:
        raise ArtifactError(f"{file} has no step; run: dvc checkout {file.parent}")
    return points


def _frame(artifacts: Sequence[Artifact]) -> Any:  # noqa: ANN401 - pandas only in the stage
    import pandas as pd

    return pd.DataFrame(
        [{"stage": one.stage, "hash": one.hash, "bytes": one.size_bytes} for one in artifacts]
    )
