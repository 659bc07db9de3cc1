"""`hornbook plan`: what a run would do, why, and what it will take. Nothing is made or changed."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hornbook.composed import uncomposed
from hornbook.lineage.cells import Touched, touched
from hornbook.lineage.forecast import Action, Step, duration, forecast, wall_seconds
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.past import GPU, NEWEST, Takes
from hornbook.lineage.run import select
from hornbook.lineage.shortfall import shortfalls
from hornbook.lineage.workspace import Hasher, stale_stages
from hornbook.plain import json_text, tell
from hornbook.report.statistics import size

SIGNS = {"run": "+", "may run": "?", "restore": "="}
MOST_CAUSES = 3


@dataclass(frozen=True)
class Planned:
    """The steps of a run, the stages that become stale beside it, and its time on the clock.

    `again` are stages out of date only by an artifact that is put back as it was recorded;
    `refused` says which mixtures would not have their tokens.
    """

    steps: list[Step]
    beside: list[str]
    stages: int  # that were selected
    cells: Mapping[str, Touched]  # of stages that evaluate
    jobs: int
    seconds: float
    again: Sequence[str] = ()
    refused: Sequence[str] = ()


def plan(
    root: Path,
    overrides: Sequence[str] = (),
    names: Sequence[str] = (),
    device: str | None = None,
) -> Planned:
    """What `hornbook run NAMES` would do, with the values that the overrides compose to.

    `device` is what trains where the GPU that conf asks for is not here.

    Raises:
        ConfigError: The overrides do not compose, or a name is no stage.
    """
    from hornbook.runtime import load_runtime

    params: Mapping[str, Any] | None = None
    if overrides:
        from hornbook.compose import compose

        params = compose(root, overrides)
    elif found := uncomposed(root):
        params = found.values  # what a run would take up
    graph, lock, hasher = load_graph(root, params=params), load_lock(root), Hasher(root)
    everything = forecast(graph, lock, hasher, root, graph.stages, device)
    chosen = set(select(graph, names))
    steps = [step for step in everything if step.stage in chosen]
    beside = [step.stage for step in everything if step.stage not in chosen]
    jobs = load_runtime(root).jobs
    actions: dict[str, Action] = {step.stage: step.action for step in everything}
    cells = {
        step.stage: found
        for step in steps
        if (found := touched(step, actions, graph, hasher, is_recorded=step.stage in lock))
    }
    named = {step.stage for step in everything}
    again = [one for one in stale_stages(graph, lock, hasher, chosen) if one not in named]
    hasher.save()
    seconds = wall_seconds(graph, steps, jobs)
    refused = shortfalls(graph, lock, [step.stage for step in steps])
    return Planned(steps, beside, len(chosen), cells, jobs, seconds, again, refused)


def lines(found: Planned) -> list[str]:
    """The plan for a terminal."""
    width = max((len(step.stage) for step in found.steps), default=0)
    told = [
        line for step in found.steps for line in _step(step, width, found.cells.get(step.stage))
    ]
    if not found.steps:
        told.append(f"all {found.stages} stages are up to date: nothing would run")
    else:
        told += ["", *_summary(found), *found.refused]
    if found.again:
        told.append(f"as recorded again, once that is back: {_some(found.again)}")
    if found.beside:
        told.append(f"becomes stale, not selected: {_some(found.beside)}")
    return told


def _some(stages: Sequence[str]) -> str:
    more = f" and {len(stages) - 12} more" if len(stages) > 12 else ""
    return f"{', '.join(stages[:12])}{more}"


def _step(step: Step, width: int, cells: Touched | None) -> list[str]:
    head = f"{SIGNS[step.action]} {step.stage:<{width}}  {step.action:<8} {takes_text(step.takes)}"
    way = " <- ".join(step.chain[1:])
    causes = [str(cause) for cause in step.causes[:MOST_CAUSES]]
    further = len(step.causes) - MOST_CAUSES
    why = "; ".join(causes) + (f"; and {further} more" if further > 0 else "")
    told = [head.rstrip(), f"    {'because ' + way + ': ' if way else 'because '}{why}"]
    if cells is not None:
        told.append(f"    cells that may change: {cells}")
    return told


def takes_text(takes: Takes) -> str:
    """Time, GPU-hours, dollars, bytes, as far as they are known."""
    parts = ["time unknown" if takes.seconds is None else duration(takes.seconds)]
    if takes.gpu_hours:
        parts.append(_gpu_hours(takes.gpu_hours))
    if takes.cost_usd:
        parts.append(f"up to ${takes.cost_usd:,.2f}")
    if takes.bytes:
        parts.append(size(takes.bytes))
    if takes.seconds is None or takes.basis != NEWEST:
        parts.append(f"({takes.basis})")
    return "  ".join(parts)


def _gpu_hours(hours: float) -> str:
    return f"{hours:,.0f} GPU-hours" if hours >= 10 else f"{hours:.2g} GPU-hours"


def _summary(found: Planned) -> list[str]:
    counts = {action: sum(step.action == action for step in found.steps) for action in SIGNS}
    run, may, restore = counts["run"], counts["may run"], counts["restore"]
    parts = [f"{run} to run"]
    parts += [f"{may} more if what they read changes"] if may else []
    parts += [f"{restore} from the run cache"] if restore else []
    parts += [f"{len(found.again)} as recorded again"] if found.again else []
    parts.append(f"{found.stages - len(found.steps) - len(found.again)} unchanged")
    unknown = sum(step.takes.seconds is None for step in found.steps)
    near = f"about {duration(found.seconds)}" if found.seconds >= 1 else duration(found.seconds)
    # what is left out makes it no bound
    about = f"at most {near}" if may and not unknown and found.seconds >= 1 else near
    is_known = unknown < len(found.steps)
    total = [f"{about} on the clock, {found.jobs} side by side" if is_known else "time unknown"]
    total += [f"without {unknown} whose time is unknown"] if unknown and is_known else []
    gpu = sum(step.takes.gpu_hours or 0 for step in found.steps)
    total += [_gpu_hours(gpu)] if gpu else []
    cost = sum(step.takes.cost_usd or 0 for step in found.steps)
    total += [f"up to ${cost:,.2f}"] if cost else []
    total.append(size(sum(step.takes.bytes or 0 for step in found.steps)) + " written")
    return [", ".join(parts), ", ".join(total)]


def as_json(found: Planned) -> dict[str, Any]:
    """The plan for programs."""
    steps = [
        {
            "stage": step.stage,
            "action": step.action,
            "chain": list(step.chain),
            "causes": [asdict(cause) | {"text": str(cause)} for cause in step.causes],
            "cells": asdict(found.cells[step.stage]) if step.stage in found.cells else None,
            **asdict(step.takes),
        }
        for step in found.steps
    ]
    return {
        "steps": steps,
        "again": list(found.again),
        "beside": found.beside,
        "seconds": found.seconds,
        "jobs": found.jobs,
        "refused": list(found.refused),
    }


def main(arguments: Sequence[str]) -> int:
    """`hornbook plan [OVERRIDES] [--stage S] [--json]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook plan",
        description="What `hornbook run` would do, and why: + runs, = is restored from DVC's run "
        "cache, ? runs if what it reads turns out to be other bytes. Time, dollars and bytes are "
        "those of the newest run here, scaled where a stage will do more or less. Nothing is made "
        "or changed.",
        epilog="examples: hornbook plan; hornbook plan web.filter.threshold=3; "
        "hornbook plan --stage train@phi-1_5 train.optim.lr=0.004; hornbook plan scale=paper "
        "teacher=openai --device H100-80G",
    )
    parser.add_argument("overrides", nargs="*", help="Hydra overrides: web.filter.threshold=4")
    parser.add_argument(
        "--stage", action="append", default=[], help="only this stage or family, and what it reads"
    )
    parser.add_argument(
        "--device",
        metavar="NAME",
        help=f"what trains where conf asks for a GPU on which nothing ran here (default: {GPU}, "
        "the paper's); `hornbook train plan --help` names them",
    )
    parser.add_argument("--json", action="store_true", help="machine-readable")
    options = parser.parse_args(list(arguments))
    found = plan(Path.cwd(), options.overrides, options.stage, options.device)
    if options.json:
        print(json_text(as_json(found)))  # noqa: T201
        return 0
    for line in lines(found):
        tell(line)
    return 0
