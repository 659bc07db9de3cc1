"""`hornbook track`: MLflow runs written from artifacts and `dvc.lock`, once for each DVC hash.

Nothing is logged while a stage runs, so a fresh clone has the same runs after `dvc pull`, and a
stage that DVC restores from its cache has one too.
"""

import argparse
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from hornbook.errors import ArtifactError, ConfigError
from hornbook.lineage.manifest import Graph, LockEntry, load_graph, load_lock
from hornbook.lineage.workspace import Hasher
from hornbook.track.index import TrackedRun, load, locked, save
from hornbook.track.records import READERS, read_record

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
    root: Path, *, dagster_run_id: str | None = None, stages: Sequence[str] | None = None
) -> list[TrackedRun]:
    """The runs of `stages`, new ones written; without `stages`, of all that is here as recorded.

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
        runs = load(root) | _write(root, graph, lock, present, dagster_run_id)
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


def _write(
    root: Path,
    graph: Graph,
    lock: Mapping[str, LockEntry],
    wanted: Sequence[str],
    dagster_run_id: str | None,
) -> dict[tuple[str, str], TrackedRun]:
    from hornbook.track.store import Store

    store, tags, found = Store(root), _tags(root, graph), dict[tuple[str, str], TrackedRun]()
    known = load(root)
    if dagster_run_id:
        tags["dagster.run_id"] = dagster_run_id
    for name in wanted:
        run = known.get((name, lock[name].out_hash))
        if run is None:
            record = read_record(root, graph.stages[name], lock[name])
            run = store.find(record) or store.write(record, tags)
        if dagster_run_id and not run.dagster_run_id:
            run = store.name_dagster_run(run, dagster_run_id)
        found[name, run.dvc_hash] = run
    return found


def _tags(root: Path, graph: Graph) -> dict[str, str]:
    """What is the same for all runs written now."""
    revision = _git(root, "rev-parse", "HEAD")
    found = {"git.revision": revision, "mlflow.source.git.commit": revision} if revision else {}
    found["git.is_dirty"] = str(bool(_git(root, "status", "--porcelain", "-uno"))).lower()
    if "report" in graph.stages:
        found["report"] = f"{graph.stages['report'].out}/index.html"
    return found | {"mlflow.source.name": "hornbook track", "mlflow.source.type": "LOCAL"}


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def main(arguments: Sequence[str]) -> int:
    """`hornbook track [--stage STAGE]... [--dagster-run ID]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook track",
        description="Write MLflow runs for recorded trainings and evaluations that have none yet.",
    )
    parser.add_argument("--stage", action="append", help="only this one; may be repeated")
    parser.add_argument("--dagster-run", help="the Dagster run that materialised them")
    options = parser.parse_args(list(arguments))
    before = tracked(Path.cwd())
    runs = track(Path.cwd(), dagster_run_id=options.dagster_run, stages=options.stage)
    new = [run for run in runs if before.get(run.stage, {}).get("run_id") != run.run_id]
    for run in new:
        print(f"{run.stage:<32} run {run.run_id}")  # noqa: T201
    print(f"{len(runs)} runs in MLflow, {len(new)} of them new")  # noqa: T201
    return 0
