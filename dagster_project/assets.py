"""One asset per DVC stage, derived from `dvc.yaml`; DVC executes, Dagster observes."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.checks import check_result, check_spec
from dagster_project.manifest import (
    ROOT,
    current_code_version,
    op_name,
    source_key,
    stage_key,
)
from dagster_project.metadata import materialisation_metadata
from dagster_project.sync import provenance_tags
from hornbook.errors import HornbookError, StageError
from hornbook.lineage.manifest import Graph, Stage, load_graph, load_lock
from hornbook.lineage.repro import Repro, restore
from hornbook.lineage.workspace import Hasher, compare, require_fresh
from hornbook.runtime import load_runtime


class StageConfig(dg.Config):
    """What the Launchpad offers for a stage."""

    force: bool = False  # run even when nothing changed


def asset_spec(stage: Stage, graph: Graph, hasher: Hasher) -> dg.AssetSpec:
    """A stage as the UI shows it."""
    meta = stage.meta
    deps = {*map(stage_key, stage.producers), *map(source_key, stage.sources)}
    return dg.AssetSpec(
        stage_key(stage.name),
        deps=sorted(deps),
        description=f"{stage.desc}\n\n```\n{stage.cmd}\n```",
        group_name=meta.get("group", stage.family),
        kinds={"dvc", *meta.get("kinds", [])},
        owners=[meta["owner"]] if "owner" in meta else None,
        code_version=current_code_version(stage, graph, hasher),
        tags={"hornbook/stage": stage.family}
        | ({"hornbook/instance": stage.instance} if stage.instance else {}),
        metadata={
            "dvc/stage": stage.name,
            "dvc/out": stage.out,
            "dvc/params": dg.MetadataValue.json(graph.param_values(stage)),
            "dvc/code": dg.MetadataValue.json(list(stage.code)),
        },
        automation_condition=outdated(),
    )


def outdated() -> dg.AutomationCondition[dg.AssetKey]:
    """When an automation that is switched on re-runs a stage.

    Not `eager()`: that fires when an input was materialised again to the same bytes.
    """
    when: Any = dg.AutomationCondition  # its type parameters do not compose for a type checker
    why = (
        when.code_version_changed()
        | when.any_deps_match(when.data_version_changed())
        | when.newly_missing()
    )
    idle = ~when.any_deps_missing() & ~when.in_progress() & ~when.any_deps_in_progress()
    return why.since_last_handled() & idle


def stage_asset(stage: Stage, graph: Graph, hasher: Hasher) -> dg.AssetsDefinition:
    """The asset of one stage; its op runs `dvc repro --single-item`."""
    key = stage_key(stage.name)
    guarded = bool(stage.meta.get("datasets"))

    @dg.multi_asset(
        name=op_name(stage.name),
        specs=[asset_spec(stage, graph, hasher)],
        check_specs=[check_spec(key)] if guarded else None,
        op_tags={"hornbook/stage": op_name(stage.name)},
        pool=stage.meta.get("pool"),
    )
    def run_stage(
        context: dg.AssetExecutionContext, config: StageConfig
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        started = time.time()
        try:
            outcome = repro(context, stage.name, force=config.force)
        except StageError as error:
            if guarded and (failed := check_result(ROOT, stage.name, key, since=started)):
                yield failed
            raise _failure(stage, str(error)) from error
        yield from materialised(context, stage.name, outcome)
        if guarded and (result := check_result(ROOT, stage.name, key)):
            yield result

    return run_stage


def _failure(stage: Stage, message: str) -> dg.Failure:
    back = restore(ROOT, stage.out)
    told = "its last good artifact is back in place" if back else "it had no artifact before"
    return dg.Failure(
        f"{message}\n{told}",
        metadata={"dvc/stage": stage.name, "remedy": f"dvc checkout {stage.out}"},
        allow_retries=False,
    )


def repro(context: dg.AssetExecutionContext, name: str, *, force: bool) -> str:
    """Bring a stage up to date; a cancelled step ends DVC and the stage process behind it.

    Raises:
        dg.Failure: An input is stale or edited, so the record would be false.
        StageError: The stage failed.
    """
    graph, lock, hasher = load_graph(ROOT), load_lock(ROOT), Hasher(ROOT)
    try:
        require_fresh(graph, lock, hasher, graph.stages[name])
        is_same = not compare(graph.stages[name], lock.get(name), graph, hasher)
    except HornbookError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    finally:
        hasher.save()
    if is_same and not force:
        context.log.info(f"{name} is what dvc.lock records: unchanged")
        return "unchanged"  # what DVC would say, without the second that asking it costs
    one = Repro(ROOT, name, say=context.log.info, force=force)
    try:
        return one.run()  # waits where another process works on the same artifacts
    finally:
        one.kill(load_runtime(ROOT).stop_seconds)


def materialised(
    context: dg.AssetExecutionContext, name: str, outcome: str
) -> Iterator[dg.MaterializeResult[Any]]:
    """The event of a stage that is up to date now, with all that its artifact tells."""
    entry = load_lock(ROOT)[name]
    stage = load_graph(ROOT).stages[name]
    metadata = materialisation_metadata(ROOT, stage, entry, outcome, context.run_id)
    yield dg.MaterializeResult(
        stage_key(name),
        data_version=dg.DataVersion(entry.out_hash),
        metadata=metadata,
        tags={"dvc/lock": provenance_tags(stage, load_lock(ROOT))["dvc/lock"]},
    )


def source_asset(path: str) -> dg.SourceAsset:
    """A tracked input; observing it reads the hash of what is on disk now."""

    @dg.observable_source_asset(
        key=source_key(path),
        group_name="data",
        description=f"Input `{path}`, tracked by DVC; docs/data.md says what it holds.",
        metadata={"path": path},
        tags={"dagster/kind/dvc": ""},
    )
    def observe() -> dg.DataVersion:
        hasher = Hasher(ROOT)
        version = hasher.hash(path)
        hasher.save()
        return dg.DataVersion(version)

    return observe


def build_assets(root: Path = ROOT) -> list[dg.AssetsDefinition | dg.SourceAsset]:
    """All assets of the graph: its inputs and one per stage."""
    graph, hasher = load_graph(root), Hasher(root)
    sources = sorted({path for stage in graph.stages.values() for path in stage.sources})
    stages = [stage_asset(stage, graph, hasher) for stage in graph.stages.values()]
    hasher.save()
    return [*map(source_asset, sources), *stages]
