"""What a run would do, known before it: which stages, why, from where, and what they take.

A stage runs when something of its own changed or an input will be other bytes. Where DVC remembers
a run on the same inputs it restores that artifact, whose hash is known, so what follows can be
followed too; what a stage that really runs will write is known to nobody.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hornbook.lineage.cache import RunCache, is_cached
from hornbook.lineage.manifest import Graph, LockEntry, Stage
from hornbook.lineage.past import Past, Takes
from hornbook.lineage.workspace import Hasher, Reason, compare

AROUND = 3.0  # seconds that DVC and the start of Python take for a stage, or to restore one
Action = Literal["run", "restore", "may run"]


@dataclass(frozen=True)
class Step:
    """What becomes of one stage.

    `chain` leads from the stage through what it reads to the one that has the first cause, and
    `causes` are the reasons of that one.
    """

    stage: str
    action: Action
    chain: tuple[str, ...]
    causes: tuple[Reason, ...]
    takes: Takes


def forecast(
    graph: Graph,
    lock: Mapping[str, LockEntry],
    hasher: Hasher,
    root: Path,
    names: Iterable[str],
    device: str | None = None,
) -> list[Step]:
    """The steps of a run of `names` (with what they read), in the order of the graph.

    `device` is what trains where the GPU that conf asks for is not here.
    """
    found: dict[str, _Fate] = {}
    past, runs, wanted = Past(graph, lock, root, device), RunCache(root), set(names)
    for name, stage in graph.stages.items():
        if name in wanted:
            fate = _fate(graph, stage, lock.get(name), hasher, found, runs)
            if fate is not None:
                found[name] = fate
    steps: list[Step] = []
    for name, fate in found.items():
        chain = _chain(name, found)
        takes = past.restored(name) if fate.action == "restore" else past.takes(name)
        steps.append(Step(name, fate.action, chain, found[chain[-1]].own, takes))
    return steps


@dataclass(frozen=True)
class _Fate:
    action: Action
    own: tuple[Reason, ...]
    follows: tuple[str, ...]  # producers whose artifact will or may be another
    out_hash: str | None  # after the run; None is unknown


def _fate(
    graph: Graph,
    stage: Stage,
    entry: LockEntry | None,
    hasher: Hasher,
    found: Mapping[str, _Fate],
    runs: RunCache,
) -> _Fate | None:
    made = {p: found[producer] for p, producer in stage.inputs.items() if producer in found}
    reasons = compare(stage, entry, graph, hasher)
    own = tuple(one for one in reasons if not (one.kind == "input" and one.what in made))
    # below an artifact there may be files that stay the same: nobody knows
    after = {p: fate.out_hash if p in _outs(graph, stage) else None for p, fate in made.items()}
    known = entry.deps if entry else {}
    others = [path for path, digest in after.items() if digest is None or digest != known.get(path)]
    if not own and not others:
        return None
    is_sure = bool(own) or any(after[path] is not None for path in others)
    follows = tuple(dict.fromkeys(stage.inputs[path] for path in others))
    is_as_recorded = entry is not None and not others and all(r.kind == "output" for r in own)
    if entry and is_as_recorded and is_cached(runs.root, entry.out_hash):
        # but for the artifact, which DVC takes from its cache by the record alone
        return _Fate("restore", own, follows, entry.out_hash)
    if None not in after.values():
        deps = {path: hasher.hash(path) for path in stage.deps}
        deps |= {path: digest for path, digest in after.items() if digest is not None}
        cached = runs.find(stage, deps, graph.param_values(stage))
        if cached is not None:
            return _Fate("restore", own, follows, cached.out_hash)
    return _Fate("run" if is_sure else "may run", own, follows, None)


def _outs(graph: Graph, stage: Stage) -> set[str]:
    return {graph.stages[producer].out for producer in stage.producers}


def _chain(name: str, found: Mapping[str, _Fate]) -> tuple[str, ...]:
    """The shortest way from a stage to one that has a reason of its own."""
    ways: list[tuple[str, ...]] = [(name,)]
    while ways:
        way = ways.pop(0)
        if found[way[-1]].own or not found[way[-1]].follows:
            return way
        ways += [(*way, producer) for producer in found[way[-1]].follows]
    return (name,)


def expected(graph: Graph, lock: Mapping[str, LockEntry], root: Path) -> dict[str, Takes]:
    """What each stage is expected to take when it runs."""
    past = Past(graph, lock, root)
    return {name: past.takes(name) for name in graph.stages}


def wall_seconds(
    graph: Graph,
    steps: Sequence[Step],
    jobs: int,
    cores: int | None = None,
    around: float = AROUND,
) -> float:
    """How long the steps take with `jobs` side by side, each as soon as what it reads is there.

    Steps that ask for more than the `cores` (default: those of this process) take turns there,
    and trainings on GPUs have them one after the other. Each step takes the seconds `around` it
    beside its own; what is unknown counts as nothing.
    """
    cores = cores or own_cores()
    takes = {step.stage: step.takes for step in steps}
    left = [step.stage for step in steps]
    running: dict[str, float] = {}  # the seconds that each still needs when it is alone
    now = 0.0
    while left or running:
        busy = {*left, *running}
        free = [name for name in left if not busy & graph.ancestors([name])]
        free.sort(key=lambda name: (-len(graph.descendants([name])), name))
        for name in free:
            is_taken = any(takes[other].gpu_hours for other in running)
            if len(running) < jobs and not (takes[name].gpu_hours and is_taken):
                left.remove(name)
                running[name] = around + (takes[name].seconds or 0.0)
        if not running:
            break  # no job may run
        share = min(1.0, cores / max(sum(_cores(takes[name]) for name in running), 1e-9))
        first = min(running, key=lambda name: running[name])
        alone = running.pop(first)
        now += alone / share
        running = {name: seconds - alone for name, seconds in running.items()}
    return now


def _cores(takes: Takes) -> float:
    """How many cores a step keeps busy; one where that is not known."""
    if takes.cpu_seconds is None or not takes.seconds:
        return 1.0
    return takes.cpu_seconds / takes.seconds


def own_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def duration(seconds: float) -> str:
    """A time for people."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h"
