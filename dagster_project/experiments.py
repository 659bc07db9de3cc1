"""Experiments in the UI: one job that runs one, and a partition for each that there is.

An experiment is a set of overrides with a name. DVC keeps it as a git reference beside the
branches, so the work tree and `git status` stay as they are, whoever made it.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from dagster_project.failure import own_message
from dagster_project.manifest import ROOT
from dagster_project.metadata import flat_numbers
from dagster_project.pools import TAG, pool_of
from hornbook.diff.revisions import experiments as known_experiments
from hornbook.experiment.records import TABLES, Record, describe
from hornbook.lineage.cache import cached_text
from hornbook.lineage.manifest import Graph, parse_yaml
from hornbook.lineage.processes import dvc_environment
from hornbook.runtime import Runtime, load_runtime

KEY = dg.AssetKey("experiments")
CLEARING_SECONDS = 20  # after a stage has ended: its workspace goes, an older result comes back
AT_ONCE = 4  # described in one tick of the sensor; the others follow in the next
EXAMPLE = {"name": "strict-web", "overrides": ["web.filter.threshold=4"], "targets": [TABLES]}
experiment_names = dg.DynamicPartitionsDefinition(name="experiment")


class ExperimentConfig(dg.Config):
    """What an experiment changes, and how far it runs."""

    overrides: list[str] = Field(
        default=[],
        description="Hydra overrides against conf/, e.g. web.filter.threshold=4 or scale=smoke; "
        "web.filter.threshold=2,3,4 is a sweep. None are those that the experiment of this name "
        "had, on the code of today.",
    )
    targets: list[str] = Field(
        default=[TABLES],
        description="Stages of dvc.yaml at which it stops; none is the whole graph.",
    )


class NamedExperiment(ExperimentConfig):
    """The same with its name."""

    name: str = Field(description="Letters, digits, '_', '.' and '-'; the partition's name.")


def run_aside(
    context: dg.OpExecutionContext | dg.AssetExecutionContext, name: str, config: ExperimentConfig
) -> None:
    """`hornbook experiment run`, line by line into the log; a cancelled run ends all behind it.

    Raises:
        dg.Failure: It failed, or there is nothing to override.
    """
    overrides = config.overrides or own_values(ROOT, name)
    if not overrides:
        raise dg.Failure(
            f"{name} is no experiment yet and has no overrides: give some in the Launchpad, such "
            f"as web.filter.threshold=4",
            allow_retries=False,
        )
    command = [sys.executable, "-m", "hornbook", "experiment", "run", name, *overrides]
    for target in config.targets:
        command += ["--target", target]
    lines: list[str] = []
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dvc_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        for line in process.stdout or ():
            context.log.info(line.rstrip())
            lines.append(line.rstrip())
        if process.wait():
            raise dg.Failure(
                own_message(lines),
                metadata={"experiment": name, "last lines": "\n".join(lines[-40:])},
                allow_retries=False,
            )
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End it as Ctrl-C does, which lets a training write its checkpoint; by force only then."""
    seconds = load_runtime(ROOT).stop_seconds + CLEARING_SECONDS
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            continue


def own_values(root: Path, name: str) -> list[str]:
    """What an experiment was run with; of one of DVC's own, the values that it changed."""
    revision = known_experiments(root).get(name)
    if revision is None:
        return []
    one = Record(root, name, revision)
    return one.overrides if one.overrides is not None else one.changed()


def told_of(root: Path, name: str) -> dict[str, Any]:
    """What an experiment is and what came of it: values, tables, scores, difference to HEAD."""
    told = describe(root, name)
    return {
        "revision": told.revision,
        "overrides": ", ".join(own_values(root, name)) or "none of its own",
        "tables": dg.MetadataValue.md(told.tables),
        "difference": dg.MetadataValue.md(told.difference),
        "keep it": f"hornbook experiment promote {name}",
        **_scores(root, Record(root, name, told.revision)),
    }


def _scores(root: Path, one: Record) -> dict[str, int | float]:
    """The scores of its tables, which the UI draws over the experiments."""
    tables = one.lock[TABLES].out_hash if one.has(TABLES) else None
    text = cached_text(root, tables, "metrics.json") if tables else None
    return flat_numbers(parse_yaml(text)) if text else {}


def pool(graph: Graph, runtime: Runtime) -> str:
    """An experiment takes the place of what it may run: a training on the GPU, or the cores."""
    used = {pool_of(stage, graph, runtime) for stage in graph.stages.values()}
    return "gpu" if "gpu" in used else "cpu"


def partitioned(pool: str) -> dg.AssetsDefinition:
    """The asset that shows every experiment, and runs one again."""

    @dg.asset(
        key=KEY,
        partitions_def=experiment_names,
        group_name="lineage",
        kinds={"dvc", "hydra"},
        op_tags={TAG: pool},
        pool=pool,
        description="A partition for each experiment, wherever it was made (the job `experiment`, "
        "`hornbook experiment run`), with its tables, scores and difference to HEAD. Materialise "
        "a partition to run it again on the code of today.",
    )
    def experiments(
        context: dg.AssetExecutionContext, config: ExperimentConfig
    ) -> dg.MaterializeResult[Any]:
        name = context.partition_key
        run_aside(context, name, config)
        metadata = told_of(ROOT, name)
        version = dg.DataVersion(metadata["revision"])
        return dg.MaterializeResult(data_version=version, metadata=metadata)

    return experiments


def launchpad_job(pool: str) -> dg.JobDefinition:
    """The job that runs an experiment by its name and overrides."""

    @dg.op(pool=pool, tags={TAG: pool})
    def run_experiment(context: dg.OpExecutionContext, config: NamedExperiment) -> None:
        """Run it, and show what came of it as partitions of `experiments`: a sweep's are many."""
        run_aside(context, config.name, config)
        for name in unseen(context.instance, ROOT):
            context.instance.add_dynamic_partitions(str(experiment_names.name), [name])
            context.log_event(materialisation(ROOT, name))

    @dg.job(
        name="experiment",
        config={"ops": {"run_experiment": {"config": EXAMPLE}}},
        description="Run an experiment from the Launchpad: a name, and overrides of conf/. It runs "
        "in a workspace of its own, unchanged stages come from the cache, the work tree stays as "
        "it is. Its tables and its difference to HEAD are the partition of that name of "
        "`experiments`.",
    )
    def experiment() -> None:
        run_experiment()

    return experiment


def materialisation(root: Path, name: str) -> dg.AssetMaterialization:
    """The event that shows an experiment."""
    metadata = told_of(root, name)
    return dg.AssetMaterialization(
        KEY,
        partition=name,
        metadata=metadata,
        tags={
            "dagster/data_version": metadata["revision"],
            "dagster/data_version_is_user_provided": "true",
        },
    )


def experiment_updates(
    instance: dg.DagsterInstance, root: Path = ROOT
) -> tuple[list[Any], list[dg.AssetMaterialization]]:
    """Partitions to add and to remove, and what experiments of elsewhere came to.

    A partition that somebody added by hand stays until it has been run once.
    """
    known = set(instance.get_dynamic_partitions(str(experiment_names.name)))
    there = known_experiments(root)
    gone = [name for name in sorted(known - set(there)) if _seen(instance, name)]
    new = unseen(instance, root)[:AT_ONCE]
    requests: list[Any] = []
    if added := [name for name in new if name not in known]:
        requests.append(experiment_names.build_add_request(added))
    if gone:
        requests.append(experiment_names.build_delete_request(gone))
    return requests, [materialisation(root, name) for name in new]


def unseen(instance: dg.DagsterInstance, root: Path) -> list[str]:
    """The experiments whose revision Dagster has not seen."""
    there = known_experiments(root)
    return [name for name, revision in sorted(there.items()) if _seen(instance, name) != revision]


def _seen(instance: dg.DagsterInstance, name: str) -> str | None:
    """The revision that Dagster last saw under a name."""
    filters = dg.AssetRecordsFilter(asset_key=KEY, asset_partitions=[name])
    records = instance.fetch_materializations(filters, limit=1).records
    event = records[0].asset_materialization if records else None
    return (event.tags or {}).get("dagster/data_version") if event else None
