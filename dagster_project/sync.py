"""What changed outside Dagster reaches it as runless events, so that 'unsynced' is always true."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg

from dagster_project.manifest import (
    ROOT,
    entry_hash,
    recorded_code_version,
    source_key,
    stage_key,
)
from dagster_project.metadata import materialisation_metadata
from hornbook.lineage.manifest import Graph, LockEntry, Stage, load_graph, load_lock
from hornbook.lineage.workspace import Hasher

Event = dg.AssetMaterialization | dg.AssetObservation
NULL_POINTER = "NULL"  # Dagster's own word for "no event": compare versions, not times


def provenance_tags(stage: Stage, lock: Mapping[str, LockEntry]) -> dict[str, str]:
    """The provenance that Dagster would have recorded had it run the stage itself.

    Both tags per input are needed: without the pointer Dagster reports a new dependency.
    """
    entry = lock[stage.name]
    tags = {
        "dagster/data_version": entry.out_hash,
        "dagster/data_version_is_user_provided": "true",
        "dagster/code_version": recorded_code_version(stage, entry),
        "dvc/lock": entry_hash(entry),
    }
    versions: dict[dg.AssetKey, str] = {}
    for path, producer in stage.inputs.items():
        upstream = lock.get(producer)
        read = entry.deps.get(path, "")
        is_same = upstream is not None and upstream.outs.get(path, read) == read
        versions[stage_key(producer)] = upstream.out_hash if upstream and is_same else f"dvc-{read}"
    for path in stage.sources:
        versions[source_key(path)] = entry.deps.get(path, "")
    for key, version in versions.items():
        name = key.to_user_string()
        tags[f"dagster/input_data_version/{name}"] = version
        tags[f"dagster/input_event_pointer/{name}"] = NULL_POINTER
    return tags


def sync_events(instance: dg.DagsterInstance, root: Path = ROOT) -> list[Event]:
    """Events for everything on disk and in `dvc.lock` that Dagster has not seen yet."""
    graph, lock, hasher = load_graph(root), load_lock(root), Hasher(root)
    events: list[Event] = [*_source_events(instance, graph, hasher)]
    for stage in graph.stages.values():
        event = _stage_event(instance, root, stage, lock, hasher)
        if event is not None:
            events.append(event)
    hasher.save()
    return events


def _source_events(
    instance: dg.DagsterInstance, graph: Graph, hasher: Hasher
) -> Iterator[dg.AssetObservation]:
    for path in sorted({path for stage in graph.stages.values() for path in stage.sources}):
        key, version = source_key(path), hasher.hash(path)
        known = instance.get_latest_data_version_record(key, is_source=True)
        tags = known.event_log_entry.tags if known else {}
        if (tags or {}).get("dagster/data_version") != version:
            yield dg.AssetObservation(
                key, tags={"dagster/data_version": version}, metadata={"path": path}
            )


def _stage_event(
    instance: dg.DagsterInstance,
    root: Path,
    stage: Stage,
    lock: Mapping[str, LockEntry],
    hasher: Hasher,
) -> dg.AssetMaterialization | None:
    if stage.name not in lock:
        return None
    entry, key = lock[stage.name], stage_key(stage.name)
    latest = instance.get_latest_materialization_event(key)
    seen = (
        (latest.asset_materialization.tags or {}) if latest and latest.asset_materialization else {}
    )
    on_disk = hasher.hash(stage.out)
    tags = provenance_tags(stage, lock)
    if on_disk != entry.out_hash:
        return _dirty_event(stage, tags, seen, on_disk)
    if seen.get("dvc/lock") == tags["dvc/lock"]:
        return None
    metadata = materialisation_metadata(root, stage, entry, "outside Dagster", None)
    return dg.AssetMaterialization(key, tags=tags, metadata=metadata)


def _dirty_event(
    stage: Stage, tags: Mapping[str, str], seen: Mapping[str, str], on_disk: str
) -> dg.AssetMaterialization | None:
    """An artifact that is not what DVC recorded: shown as out of sync, and why."""
    mark = "dirty-" + hashlib.sha256(f"{tags['dvc/lock']}{on_disk}".encode()).hexdigest()[:16]
    if seen.get("dvc/lock") == mark:
        return None
    what = "missing" if on_disk == "missing" else "edited by hand or half-written"
    return dg.AssetMaterialization(
        stage_key(stage.name),
        tags={
            **tags,
            "dagster/data_version": mark,
            "dagster/code_version": "workspace-edited",
            "dvc/lock": mark,
        },
        metadata={
            "outcome": f"{stage.out} is {what}",
            "restore": f"dvc checkout {stage.out}",
            "accept": f"dvc repro {stage.name}",
        },
    )


@dg.sensor(
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports what happened outside Dagster: dvc repro, git checkout, dvc pull, "
    "edited inputs and artifacts. Starts no run.",
)
def dvc_sync(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Runless events for what Dagster has not seen."""
    if _is_running(context.instance):
        return dg.SkipReason("a run is in progress: it reports for itself")
    events = sync_events(context.instance)
    return dg.SensorResult(asset_events=events) if events else dg.SkipReason("all of it is known")


def _is_running(instance: dg.DagsterInstance) -> bool:
    """Whether a run may be in the middle of replacing artifacts."""
    busy = [
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.CANCELING,
    ]
    return bool(instance.get_run_ids(filters=dg.RunsFilter(statuses=busy), limit=1))
