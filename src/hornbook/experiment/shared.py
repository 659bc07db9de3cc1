"""What the points of a sweep will take, and which stages several of them would run alike."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hornbook.experiment.points import Point
from hornbook.lineage.forecast import Step, forecast, own_cores
from hornbook.lineage.manifest import Graph, load_graph, load_lock
from hornbook.lineage.run import select
from hornbook.lineage.volume import DEVICES
from hornbook.lineage.workspace import Hasher


@dataclass(frozen=True)
class Work:
    """What one point runs.

    `first` are stages that later points would run alike, and `after` the points, by their place,
    that run such stages before this one. `seconds` are of the clock, `cpu_seconds` of all cores
    together; None where nothing of it ever ran here.
    """

    point: Point
    steps: Sequence[Step]
    first: Sequence[str]
    after: Sequence[int]
    seconds: float | None
    cpu_seconds: float | None
    threads: int  # of the largest training
    is_on_gpu: bool

    @property
    def unknown(self) -> int:
        """The stages that never ran here."""
        return sum(step.takes.seconds is None for step in self.steps)


def work(root: Path, points: Sequence[Point], targets: Sequence[str]) -> list[Work]:
    """What each point runs, in the order of the points.

    DVC restores a stage that has run on the same inputs, but does not know of one that is running.
    So what several points share is run by the first of them, before the others begin.

    Raises:
        ConfigError: A target is no stage.
    """
    hasher, lock, owners = Hasher(root), load_lock(root), dict[str, int]()
    graphs = [load_graph(root, params=point.values) for point in points]
    plans: list[list[Step]] = []
    shared: list[dict[str, int]] = [{} for _ in points]  # stage -> who runs it first
    for place, graph in enumerate(graphs):
        steps = forecast(graph, lock, hasher, root, select(graph, targets))
        recipes = _recipes(graph, hasher)
        plans.append(steps)
        for step in steps:
            if step.action != "restore":
                owner = owners.setdefault(recipes[step.stage], place)
                if owner != place:
                    shared[place][step.stage] = owner
    hasher.save()
    # what no other point runs first
    owned = [
        [step.takes for step in steps if step.stage not in others]
        for steps, others in zip(plans, shared, strict=True)
    ]
    return [
        Work(
            point=point,
            steps=plans[place],
            first=[
                step.stage
                for step in plans[place]
                if any(later.get(step.stage) == place for later in shared)
            ],
            after=sorted(set(shared[place].values())),
            seconds=_sum(takes.seconds for takes in owned[place]),
            cpu_seconds=_sum(takes.cpu_seconds for takes in owned[place]),
            threads=int(graphs[place].params.get("train", {}).get("threads", 1)),
            is_on_gpu=_is_on_gpu(graphs[place], plans[place]),
        )
        for place, point in enumerate(points)
    ]


def _recipes(graph: Graph, hasher: Hasher) -> dict[str, str]:
    """A hash of all that goes into a stage, through everything that it reads."""
    found: dict[str, str] = {}
    for name, stage in graph.stages.items():
        files = {path: hasher.hash(path) for path in (*stage.code, *stage.sources)}
        made = {path: found[producer] for path, producer in stage.inputs.items()}
        text = json.dumps(
            [stage.cmd, graph.param_values(stage), files, made], sort_keys=True, default=str
        )
        found[name] = hashlib.sha256(text.encode()).hexdigest()
    return found


def _sum(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    listed = list(values)
    known = [value for value in listed if value is not None]
    return sum(known) if known or not listed else None


def _is_on_gpu(graph: Graph, steps: Sequence[Step]) -> bool:
    sections = {DEVICES.get(graph.stages[step.stage].family) for step in steps}
    return any(_device(graph.params, name).startswith("cuda") for name in sections if name)


def _device(params: Mapping[str, Any], section: str) -> str:
    return str(params.get(section, {}).get("device", ""))


def side_by_side(works: Sequence[Work], asked: int | None, jobs: int) -> int:
    """How many of the points run at once.

    Never more than stages may run here, nor than leave each training its threads.
    """
    if asked is not None:
        return min(asked, max(1, len(works)))
    threads = max((one.threads for one in works), default=1)
    return max(1, min(len(works), jobs, own_cores() // max(1, threads)))
