"""`hornbook track`: MLflow runs written from artifacts and `dvc.lock`, once for each DVC hash.

Nothing is logged while a stage runs, so a fresh clone has the same runs after `dvc pull`, and a
stage that DVC restores from its cache has one too.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from hornbook.errors import ArtifactError, ConfigError
from hornbook.lineage.manifest import Graph, LockEntry, Stage, load_graph, load_lock
from hornbook.lineage.processes import git_says
from hornbook.lineage.workspace import Hasher
from hornbook.track.addresses import dagster_url
from hornbook.track.index import TrackedRun, load, locked, save
from hornbook.track.occasion import model_of, occasion, report_page, title
from hornbook.track.records import READERS, Record, read_record

FAMILIES = tuple(READERS)


class RunLink(TypedDict):
    """Where MLflow has the run of an artifact."""

    run_id: str
    experiment_id: str
    dvc_hash: str


def tracked(root: Path) -> dict[str, RunLink]:
    """The run of each stage's recorded artifact, for those that have one; MLflow is not asked."""
    lock = load_lock(root)
    return {
        stage: RunLink(run_id=run.run_id, experiment_id=run.experiment_id, dvc_hash=dvc_hash)
        for (stage, dvc_hash), run in load(root).items()
        if stage in lock and lock[stage].out_hash == dvc_hash
    }


def track(
    root: Path,
    *,
    dagster_run_id: str | None = None,
    stages: Sequence[str] | None = None,
    experiment: str | None = None,
) -> list[TrackedRun]:
    """The runs of `stages`, new ones written; without `stages`, of all that is here as recorded.

    New runs stand below one for the graph run: of `experiment`, of the Dagster run, or of the
    commit. Evaluations stand below the run of their model, and what is no experiment's gets the
    alias `promoted` in the model registry.

    Raises:
        ConfigError: A stage of `stages` is not in the graph or makes nothing that MLflow shows.
        ArtifactError: An artifact of `stages` is not the recorded one; a file of it is damaged.
        InputError: The tracking store does not answer.
    """
    graph, lock = load_graph(root), load_lock(root)
    wanted = _recorded(graph, lock) if stages is None else _known(graph, lock, stages)
    known = load(root)
    new = [n for n in wanted if not _is_done(known.get((n, lock[n].out_hash)), dagster_run_id)]
    if not new:
        return [known[name, lock[name].out_hash] for name in wanted]
    present = _present(root, graph, lock, new)
    absent = set(new) - set(present)
    if stages is not None and absent:
        outs = " ".join(graph.stages[name].out for name in sorted(absent))
        raise ArtifactError(
            f"{', '.join(sorted(absent))}: the artifact in the workspace is not the recorded one, "
            f"so a run would describe the wrong bytes; run: dvc checkout {outs}"
        )
    with locked(root):
        runs = load(root) | _Writer(root, graph, lock, dagster_run_id, experiment).write(present)
        save(root, runs)
    return [runs[name, lock[name].out_hash] for name in wanted if name not in absent]


def _recorded(graph: Graph, lock: Mapping[str, LockEntry]) -> list[str]:
    return [n for n, stage in graph.stages.items() if stage.family in FAMILIES and n in lock]


def _known(graph: Graph, lock: Mapping[str, LockEntry], stages: Sequence[str]) -> list[str]:
    for name in stages:
        if name not in graph.stages or graph.stages[name].family not in FAMILIES:
            raise ConfigError(
                f"stage {name!r} has no MLflow run; the stages that have one are those of "
                f"{', '.join(FAMILIES)}, such as {FAMILIES[0]}@phi-1_5"
            )
        if name not in lock:
            raise ConfigError(f"stage {name!r} was never run here; run: dvc repro {name}")
    return list(stages)


def _present(
    root: Path, graph: Graph, lock: Mapping[str, LockEntry], names: Sequence[str]
) -> list[str]:
    """Those whose bytes in the workspace are the recorded ones."""
    hasher = Hasher(root)
    found = [name for name in names if hasher.hash(graph.stages[name].out) == lock[name].out_hash]
    hasher.save()
    return found


def _is_done(run: TrackedRun | None, dagster_run_id: str | None) -> bool:
    return run is not None and (dagster_run_id is None or run.dagster_run_id is not None)


class _Writer:
    """Writes the runs of one graph run."""

    def __init__(
        self,
        root: Path,
        graph: Graph,
        lock: Mapping[str, LockEntry],
        dagster_run_id: str | None,
        experiment: str | None,
    ) -> None:
        from hornbook.track.store import Store

        self.root, self.graph, self.lock = root, graph, lock
        self.dagster_run_id = dagster_run_id
        self.tags = _tags(root, dagster_run_id, experiment)
        self.when = occasion(
            self.tags.get("git.revision", ""),
            is_dirty=self.tags["git.is_dirty"] == "true",
            experiment=experiment,
            dagster_run_id=dagster_run_id,
        )
        self.store = Store(root)
        self.found: dict[tuple[str, str], TrackedRun] = {}

    def write(self, wanted: Sequence[str]) -> dict[tuple[str, str], TrackedRun]:
        """The runs of the stages, found or made; models before what asks them."""
        order = list(self.graph.stages)
        for name in sorted(wanted, key=order.index):
            self._one(name)
        if self.when.experiment is None:
            self._promote(wanted)
        return self.found

    def _one(self, name: str) -> TrackedRun:
        key = name, self.lock[name].out_hash
        if key in self.found:
            return self.found[key]
        run = load(self.root).get(key)
        if run is None:
            record = read_record(self.root, self.graph.stages[name], self.lock[name])
            run = self.store.find(record) or self._new(name, record)
        if self.dagster_run_id and not run.dagster_run_id:
            run = self.store.name_dagster_run(run, self.dagster_run_id)
        self.found[key] = run
        return run

    def _new(self, name: str, record: Record) -> TrackedRun:
        stage = self.graph.stages[name]
        model = self._model_run(stage)
        parent = model.run_id if model else self.store.graph_run(self.when, self.tags)
        called = title(self.graph, self.lock, stage, self.when.experiment)
        tags = {**self.tags, **report_page(self.graph, name)}
        run = self.store.write(record, tags, title=called, parent=parent)
        if model:
            self.store.score(model.run_id, record)
        return run

    def _model_run(self, stage: Stage) -> TrackedRun | None:
        """The run of the model that a stage asks, where its bytes are here or have one."""
        training = model_of(self.graph, stage)
        if training is None or training is stage or training.name not in self.lock:
            return None
        known = load(self.root).get((training.name, self.lock[training.name].out_hash))
        if known or _present(self.root, self.graph, self.lock, [training.name]):
            return self._one(training.name)
        return None

    def _promote(self, wanted: Sequence[str]) -> None:
        """What the work tree records is what people mean by a variant without another word."""
        for name in wanted:
            stage = self.graph.stages[name]
            if stage.family == "train":  # further seeds are versions beside it
                self.store.promote(str(stage.instance), self.lock[name].out_hash)


def promote(root: Path) -> None:
    """Move the alias `promoted` to the models that `dvc.lock` records, after a change of it."""
    lock, graph = load_lock(root), load_graph(root)
    names = [n for n, stage in graph.stages.items() if stage.family == "train" and n in lock]
    known = load(root)
    if any((name, lock[name].out_hash) in known for name in names):
        from hornbook.track.store import Store

        with locked(root):
            store = Store(root)
            for name in names:
                store.promote(str(graph.stages[name].instance), lock[name].out_hash)


def _tags(root: Path, dagster_run_id: str | None, experiment: str | None) -> dict[str, str]:
    """What is the same for all runs written now."""
    revision = git_says(root, "rev-parse", "HEAD")
    found = {"git.revision": revision, "mlflow.source.git.commit": revision} if revision else {}
    found["git.is_dirty"] = str(bool(git_says(root, "status", "--porcelain", "-uno"))).lower()
    if dagster_run_id:
        found["dagster.run_id"] = dagster_run_id
        found["dagster.url"] = f"{dagster_url()}/runs/{dagster_run_id}"
    if experiment:
        found["dvc.experiment"] = experiment
    return found | {"mlflow.source.name": "hornbook track", "mlflow.source.type": "LOCAL"}


def main(arguments: Sequence[str]) -> int:
    """`hornbook track [--stage STAGE]... [--dagster-run ID]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook track",
        description="Write MLflow runs for recorded trainings and evaluations that have none yet.",
    )
    parser.add_argument("--stage", action="append", help="only this one; may be repeated")
    parser.add_argument("--dagster-run", help="the Dagster run that materialised them")
    parser.add_argument("--experiment", help="the experiment whose workspace this is")
    options = parser.parse_args(list(arguments))
    before = tracked(Path.cwd())
    runs = track(
        Path.cwd(),
        dagster_run_id=options.dagster_run,
        stages=options.stage,
        experiment=options.experiment,
    )
    new = [run for run in runs if before.get(run.stage, {}).get("run_id") != run.run_id]
    for run in new:
        print(f"{run.stage:<32} run {run.run_id}")  # noqa: T201
    print(f"{len(runs)} runs in MLflow, {len(new)} of them new")  # noqa: T201
    return 0
