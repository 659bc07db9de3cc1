"""What keeps stages from getting in each other's way: the GPU, the endpoint, the cores.

A stage takes a slot of its pool while it runs, over all runs of the Dagster instance. How many
slots there are says `conf/runtime/`, since where something runs is no part of an experiment.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from hornbook.lineage.manifest import Graph, Stage
from hornbook.lineage.workspace import flatten
from hornbook.runtime import Runtime

TAG = "hornbook/pool"


def slots(runtime: Runtime) -> dict[str, int]:
    """The slots of each pool."""
    return {
        "cpu": runtime.jobs,
        "endpoint": runtime.endpoint_jobs,
        "gpu": runtime.gpu_jobs,
    }


def pool_of(stage: Stage, graph: Graph, runtime: Runtime) -> str:
    """The pool of a stage: `meta.pool` where `dvc.yaml` gives one, else by what it uses."""
    if "pool" in stage.meta:
        return str(stage.meta["pool"])
    # a report reads values of training too, and computes nothing with them
    if stage.meta.get("processor") and _is_on_gpu(graph.param_values(stage)):
        return "gpu"
    is_asking = "openai" in stage.meta.get("kinds", ())
    return "endpoint" if is_asking and (runtime.teacher_url or runtime.endpoints) else "cpu"


def _is_on_gpu(values: Mapping[str, Any]) -> bool:
    """Whether a device among the values is one; composing has settled `auto` by then."""
    devices = (str(v) for key, v in flatten(values).items() if key.split(".")[-1] == "device")
    return any(device.startswith("cuda") for device in devices)


def limits(runtime: Runtime) -> list[dict[str, Any]]:
    """The same limits for the executor of one run, which then need not ask the instance again."""
    return [{"key": TAG, "value": pool, "limit": number} for pool, number in slots(runtime).items()]


def set_slots(instance: dg.DagsterInstance, runtime: Runtime) -> None:
    """Write the limits into the instance; the UI shows them under Deployment, Concurrency."""
    for pool, number in slots(runtime).items():
        instance.event_log_storage.set_concurrency_slots(pool, number)
