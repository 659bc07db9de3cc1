"""What runs of MLflow are called and stand under: models of a graph run, stages of a model."""

from collections.abc import Mapping
from dataclasses import dataclass

from hornbook.lineage.manifest import Graph, LockEntry, Stage
from hornbook.lineage.workspace import flatten
from hornbook.report.lineage_drawing import page_of

TRAININGS = ("train", "train_seed")
SEPARATOR = " / "


@dataclass(frozen=True)
class Occasion:
    """The graph run in which runs are written: `key` finds it again, `title` is its name."""

    key: str
    title: str
    note: str
    tags: Mapping[str, str]
    experiment: str | None = None


def occasion(
    revision: str, *, is_dirty: bool, experiment: str | None, dagster_run_id: str | None
) -> Occasion:
    """The graph run that now is: of an experiment, of a Dagster run, or of a commit."""
    at = f"{revision[:10] or 'no commit'}{'+changes' if is_dirty else ''}"
    tags = {"graph.revision": at}
    if dagster_run_id:
        tags["dagster.run_id"] = dagster_run_id
    if experiment:
        tags["dvc.experiment"] = experiment
        note = (
            f"The experiment `{experiment}`, begun at `{at}`. Why it differs: "
            f"`hornbook diff HEAD {experiment}`; its tables: `hornbook experiment compare "
            f"{experiment}`. What is not below it is unchanged."
        )
        key = f"experiment {experiment} {revision}"
        return Occasion(key, f"exp {experiment}", note, tags, experiment)
    if dagster_run_id:
        note = f"Dagster run `{dagster_run_id}` at `{at}`. What is not below it is unchanged."
        return Occasion(f"dagster {dagster_run_id}", f"Dagster {dagster_run_id[:8]}", note, tags)
    note = f"The graph at `{at}`. Where a score comes from: `hornbook explain TASK@VARIANT`."
    return Occasion(f"revision {at}", f"graph {at}", note, tags)


def model_of(graph: Graph, stage: Stage) -> Stage | None:
    """The training whose model a stage asks; the stage itself where it is one."""
    if stage.family in TRAININGS:
        return stage
    made = [graph.stages[name] for name in stage.producers]
    return next((one for one in made if one.family in TRAININGS), None)


def title(graph: Graph, lock: Mapping[str, LockEntry], stage: Stage, experiment: str | None) -> str:
    """The name of a stage's run: `phi-1_5-web / seed 0 / choice / exp strict-web`."""
    training = model_of(graph, stage)
    own = stage.instance or stage.name
    parts = [own]
    if training is not None and training.name in lock:
        variant, seed = _variant_and_seed(training, lock[training.name])
        parts = [variant, f"seed {seed}"]
        if stage is not training:
            suite = own.removeprefix(training.instance or "").strip("-")
            parts.append(suite or stage.family.removesuffix("_seed"))
    elif training is None:
        parts.append(stage.family.partition("_")[0])
    return SEPARATOR.join([*parts, *([f"exp {experiment}"] if experiment else [])])


def _variant_and_seed(training: Stage, entry: LockEntry) -> tuple[str, str]:
    name = training.instance or training.name
    if training.family == "train_seed":
        variant, _, seed = name.rpartition("-")
        return variant, seed
    return name, str(flatten(entry.params).get("train.seed", 0))


def report_page(graph: Graph, stage: str) -> dict[str, str]:
    """The page of the report about a stage, as a tag; nothing in a graph without a report."""
    if "report" not in graph.stages:
        return {}
    return {"report": f"{graph.stages['report'].out}/{page_of(stage)}"}
