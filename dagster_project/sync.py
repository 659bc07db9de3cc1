"""What changed outside Dagster reaches it as runless events, so that 'unsynced' is always true."""

import hashlib
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.checks import check_evaluation
from dagster_project.dead_runs import end_dead_runs
from dagster_project.experiments import experiment_updates
from dagster_project.manifest import (
    ROOT,
    entry_hash,
    graph_of,
    lock_of,
    op_name,
    recorded_code_version,
    source_key,
    stage_key,
)
from dagster_project.metadata import materialisation_metadata
from dagster_project.plan import current_plan
from dagster_project.watch import Looked, look_at_data
from hornbook.lineage.manifest import Graph, LockEntry, Stage
from hornbook.lineage.repro import worked_on
from hornbook.lineage.workspace import Hasher

Event = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation
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


def sync_events(
    instance: dg.DagsterInstance, root: Path = ROOT, running: Collection[str] = ()
) -> list[Event]:
    """Events for everything on disk and in `dvc.lock` that Dagster has not seen yet.

    What the steps `running` write is left to them: they are in the middle of it.
    """
    graph, lock, hasher = graph_of(root), lock_of(root), Hasher(root)
    events: list[Event] = [*_source_events(instance, graph, hasher)]
    for stage in graph.stages.values():
        if op_name(stage.name) in running:
            continue
        event = _stage_event(instance, root, stage, lock, hasher)
        if event is not None:
            events.append(event)
            if stage.meta.get("datasets") and (root / stage.out).exists():
                events.append(check_evaluation(root, stage))
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


@dataclass
class Seen:
    """What the last look saw that found nothing new; it lives as long as the code server.

    Looking costs little and is asked for all the time, so it also keeps count of itself: over a
    long time it takes one hundredth of a core at most, however many files there are.
    """

    looked: Looked | None = None
    running: frozenset[str] = frozenset()
    looked_at: float = 0.0
    synced_at: float = 0.0
    cost: float = 0.0

    def is_soon(self, running: frozenset[str], now: float) -> bool:
        """Whether it is too early for another look."""
        rest = min(MOST_REST_SECONDS, self.cost * 100)
        return running == self.running and now - self.looked_at < rest

    def is_same(self, looked: Looked, running: frozenset[str], now: float) -> bool:
        """Whether nothing happened since; now and then Dagster's own record is asked anyway."""
        is_recent = now - self.synced_at < ASK_AGAIN_SECONDS
        return is_recent and running == self.running and looked == self.looked


SEEN = Seen()
MOST_REST_SECONDS = 10.0
LOOK_SECONDS = 15  # a look is 70 ms of Dagster's own work for 10 of ours
ASK_AGAIN_SECONDS = 600.0  # somebody may have wiped an asset in the UI


@dg.sensor(
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports what happened outside Dagster: dvc repro, git checkout, dvc pull, "
    "edited inputs and artifacts, experiments made or removed. Starts no run.",
)
def dvc_sync(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Runless events for what Dagster has not seen."""
    for run_id in end_dead_runs(context.instance):
        context.log.info(f"run {run_id} has no process any more and is failed")
    running, started = running_steps(context.instance) | worked_on_outside(), time.monotonic()
    if SEEN.is_soon(running, started):
        return dg.SkipReason("there are many files: the next look is soon")
    looked = look_at_data()
    SEEN.looked_at, SEEN.cost = started, time.monotonic() - started
    if SEEN.is_same(looked, running, started):
        return dg.SkipReason("nothing changed")
    events = sync_events(context.instance, running=running)
    requests: list[Any] = []
    if not running & {"run_experiment", "experiments"}:  # which report for themselves
        requests, made = experiment_updates(context.instance)
        events += made
    events += current_plan(context.instance)
    if events or requests:
        SEEN.looked = None  # known when the next look finds nothing to report
        return dg.SensorResult(asset_events=events, dynamic_partitions_requests=requests)
    SEEN.looked, SEEN.running, SEEN.synced_at = looked, running, started
    return dg.SkipReason("all of it is known")


def worked_on_outside(root: Path = ROOT) -> frozenset[str]:
    """The steps of stages that DVC runs now, whoever started it."""
    outs = worked_on(root)
    if not outs:
        return frozenset()
    return frozenset(op_name(one.name) for one in graph_of(root).stages.values() if one.out in outs)


def running_steps(instance: dg.DagsterInstance) -> frozenset[str]:
    """The steps that are in the middle of replacing artifacts now."""
    busy = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    return frozenset(
        step.step_key
        for run in instance.get_run_ids(filters=dg.RunsFilter(statuses=busy))
        for step in instance.get_run_step_stats(run)
        if step.status is None or step.status.value == "IN_PROGRESS"
    )
