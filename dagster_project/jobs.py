"""What can be launched besides single assets: the whole graph, a branch of it, an experiment."""

import subprocess
import sys
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)
from pydantic import Field

from dagster_project.manifest import ROOT, stage_key
from hornbook.lineage.manifest import load_graph
from hornbook.lineage.processes import dvc_environment
from hornbook.runtime import load_runtime

experiment_names = dg.DynamicPartitionsDefinition(name="experiment")


def executor() -> dg.ExecutorDefinition:
    """Steps forked from a process that holds the definitions: importing costs more than DVC."""
    return dg.multiprocess_executor.configured(
        {
            "max_concurrent": load_runtime(ROOT).jobs,
            "start_method": {"forkserver": {"preload_modules": ["dagster_project.definitions"]}},
        }
    )


def jobs() -> list[UnresolvedAssetJobDefinition]:
    """`everything`, and one job per variant with all that the variant needs."""
    graph = load_graph(ROOT)
    made = [
        dg.define_asset_job(
            "everything",
            selection=dg.AssetSelection.keys(*map(stage_key, graph.stages)),
            description="Bring the whole graph up to date; what has not changed costs a second.",
        )
    ]
    for stage in graph.stages.values():
        if stage.family == "train":
            ends = [s for s in graph.stages.values() if stage.name in s.producers]
            names = {stage.name, *(s.name for s in ends)}
            keys = [stage_key(n) for n in sorted(names | graph.ancestors(names))]
            made.append(
                dg.define_asset_job(
                    str(stage.instance).replace("-", "_"),
                    selection=dg.AssetSelection.keys(*keys),
                    description=f"Train and evaluate {stage.instance} with all that it needs.",
                )
            )
    return made


class ExperimentConfig(dg.Config):
    """An ablation: Hydra overrides against `conf/`, e.g. `web.filter.threshold=4`."""

    overrides: list[str]
    targets: list[str] = Field(default=["benchmark_tables"])


@dg.asset(
    partitions_def=experiment_names,
    group_name="lineage",
    kinds={"dvc", "hydra"},
    description="An experiment is a set of overrides with a name: add a partition with the name, "
    "give the overrides in the Launchpad. It runs in a workspace of its own; the work tree stays "
    "clean, unchanged stages come from the cache, and the result is a DVC experiment.",
)
def experiments(
    context: dg.AssetExecutionContext, config: ExperimentConfig
) -> dg.MaterializeResult[Any]:
    """One `hornbook experiment run` with its tables and its difference to HEAD."""
    name = context.partition_key
    command = [sys.executable, "-m", "hornbook", "experiment", "run", name, *config.overrides]
    for target in config.targets:
        command += ["--target", target]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dvc_environment() | {"PYTHONPATH": "src"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    try:
        for line in process.stdout or ():
            context.log.info(line.rstrip())
            lines.append(line)
        if process.wait():
            raise dg.Failure(f"experiment {name} failed:\n{''.join(lines[-20:])}")
    finally:
        process.kill()
    from hornbook.experiment.commands import describe

    told = describe(ROOT, name)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(told.revision),
        metadata={
            "revision": told.revision,
            "overrides": config.overrides,
            "why it differs from HEAD": dg.MetadataValue.md(told.difference),
            "tables": dg.MetadataValue.md(told.tables),
            "keep it": dg.MetadataValue.text(f"dvc exp branch {name} {name}"),
        },
    )
