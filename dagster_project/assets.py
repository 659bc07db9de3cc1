"""One asset per DVC stage, derived from `dvc.yaml`; DVC executes, Dagster observes."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.automation import outdated
from dagster_project.checks import check_result, check_spec, failed_result
from dagster_project.failure import failure
from dagster_project.manifest import (
    ROOT,
    current_code_version,
    entry_hash,
    graph_of,
    lock_of,
    op_name,
    source_key,
    stage_key,
)
from dagster_project.metadata import materialisation_metadata
from dagster_project.pools import TAG, pool_of
from hornbook.errors import HornbookError, StageError
from hornbook.lineage.manifest import Graph, Stage
from hornbook.lineage.repro import Repro
from hornbook.lineage.workspace import Hasher, compare, require_fresh
from hornbook.runtime import Runtime, load_runtime


class StageConfig(dg.Config):
    """What the Launchpad offers for a stage."""

    force: bool = False  # run even when nothing changed


def asset_spec(stage: Stage, graph: Graph, hasher: Hasher) -> dg.AssetSpec:
    """A stage as the UI shows it."""
    meta = stage.meta
    group = meta.get("group", stage.family)
    deps = {*map(stage_key, stage.producers), *map(source_key, stage.sources)}
    return dg.AssetSpec(
        stage_key(stage.name),
        deps=sorted(deps),
        description=stage.desc,  # the catalogue shows all of it in one line
        group_name=group,
        kinds={"dvc", *meta.get("kinds", [])},
        owners=[meta.get("owner", f"team:{group}")],
        code_version=current_code_version(stage, graph, hasher),
        tags=asset_tags(stage),
        metadata={
            "dvc/stage": stage.name,
            "dvc/command": stage.cmd,
            "dvc/out": stage.out,
            "dvc/params": dg.MetadataValue.json(graph.param_values(stage)),
            "dvc/code": dg.MetadataValue.json(list(stage.code)),
        },
        automation_condition=outdated(),
    )


def asset_tags(stage: Stage) -> dict[str, str]:
    """What the catalogue can be searched for: family, instance, and how far its bytes hold."""
    facts = {
        "hornbook/stage": stage.family,
        "hornbook/instance": stage.instance,
        "hornbook/gated": "yes" if stage.meta.get("datasets") else None,
        "hornbook/bytes": "of-this-processor" if stage.meta.get("processor") else "everywhere",
    }
    return {key: value for key, value in facts.items() if value}


def stage_asset(
    stage: Stage, graph: Graph, hasher: Hasher, runtime: Runtime
) -> dg.AssetsDefinition:
    """The asset of one stage; its op runs `dvc repro --single-item`."""
    key = stage_key(stage.name)
    guarded = bool(stage.meta.get("datasets"))
    pool = pool_of(stage, graph, runtime)

    @dg.multi_asset(
        name=op_name(stage.name),
        specs=[asset_spec(stage, graph, hasher)],
        check_specs=[check_spec(key)] if guarded else None,
        op_tags={"hornbook/stage": op_name(stage.name), TAG: pool},
        pool=pool,
    )
    def run_stage(
        context: dg.AssetExecutionContext, config: StageConfig
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        started = time.time()
        try:
            outcome = repro(context, stage.name, force=config.force)
        except StageError as error:
            if guarded and (failed := failed_result(ROOT, stage, started)):
                yield failed
            raise failure(ROOT, stage, str(error)) from None  # it says all of it
        yield from materialised(context, stage.name, *outcome)
        if guarded:
            yield check_result(ROOT, stage)

    return run_stage


def repro(context: dg.AssetExecutionContext, name: str, *, force: bool) -> tuple[str, str]:
    """Bring a stage up to date: what became of it, and why it had to run.

    A cancelled step ends DVC and the stage process behind it.

    Raises:
        dg.Failure: An input is stale or edited, so the record would be false.
        StageError: The stage failed.
    """
    graph, lock, hasher = graph_of(ROOT), lock_of(ROOT), Hasher(ROOT)
    try:
        require_fresh(graph, lock, hasher, graph.stages[name])
        reasons = compare(graph.stages[name], lock.get(name), graph, hasher)
    except HornbookError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    finally:
        hasher.save()
    if not reasons and not force:
        context.log.info(f"{name} is what dvc.lock records: unchanged")
        return "unchanged", ""  # what DVC would say, without the second that asking it costs
    because = "; ".join(map(str, reasons)) or "it was forced"
    context.log.info(f"{name} runs because {because}")
    one = Repro(ROOT, name, say=context.log.info, force=force)
    try:
        return one.run(), because  # waits where another process works on the same artifacts
    finally:
        one.kill(load_runtime(ROOT).stop_seconds)


def materialised(
    context: dg.AssetExecutionContext, name: str, outcome: str, because: str
) -> Iterator[dg.MaterializeResult[Any]]:
    """The event of a stage that is up to date now, with all that its artifact tells."""
    lock, stage = lock_of(ROOT), graph_of(ROOT).stages[name]
    entry = lock[name]
    metadata = materialisation_metadata(ROOT, stage, entry, outcome, context.run_id, because)
    yield dg.MaterializeResult(
        stage_key(name),
        data_version=dg.DataVersion(entry.out_hash),
        metadata=metadata,
        tags={"dvc/lock": entry_hash(entry)},
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
    graph, hasher, runtime = graph_of(root), Hasher(root), load_runtime(ROOT)
    sources = sorted({path for stage in graph.stages.values() for path in stage.sources})
    stages = [stage_asset(stage, graph, hasher, runtime) for stage in graph.stages.values()]
    hasher.save()
    return [*map(source_asset, sources), *stages]
