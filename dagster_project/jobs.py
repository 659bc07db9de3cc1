"""What can be launched besides single assets: all that is stale, or a variant with all it needs."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)

from dagster_project.manifest import ROOT, graph_of, stage_key
from hornbook.lineage.manifest import Graph, Stage


def stage_jobs() -> list[UnresolvedAssetJobDefinition]:
    """`rerun_stale`, and one job per variant with all that the variant needs."""
    graph = graph_of(ROOT)
    every = dg.define_asset_job(
        "rerun_stale",
        selection=dg.AssetSelection.assets(*map(stage_key, graph.stages)),
        description="Bring all that is out of date up to date, to the end of the graph, in one "
        "go. What has not changed answers `unchanged` in milliseconds, what DVC has cached is "
        "restored, independent stages run side by side; a failure stops only what reads it. The "
        "job `plan` says before what it would do.",
    )
    trained = [stage for stage in graph.stages.values() if stage.family == "train"]
    return [every, *(_variant_job(graph, stage) for stage in trained)]


def _variant_job(graph: Graph, stage: Stage) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        str(stage.instance).replace("-", "_"),
        selection=dg.AssetSelection.assets(*map(stage_key, _around(graph, stage.name))),
        description=f"Train and evaluate {stage.instance} with all that it needs.",
    )


def _around(graph: Graph, name: str) -> list[str]:
    """A stage, what reads it directly, and all that these need."""
    names = {name, *graph.consumers[name]}
    return sorted(names | graph.ancestors(names))
