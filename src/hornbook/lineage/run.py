"""Bring stages up to date through DVC, independent ones side by side.

DVC decides and records; this only orders `dvc repro --single-item` calls by the graph, which
`dvc repro` alone would run one after another.
"""

import argparse
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from hornbook.composed import composed_anew
from hornbook.errors import ConfigError, HornbookError, StageError
from hornbook.lineage import compared, further_seeds
from hornbook.lineage.cache import unkept
from hornbook.lineage.forecast import Step, duration, forecast, wall_seconds
from hornbook.lineage.holding import using_cache, using_tree
from hornbook.lineage.inputs import pull_inputs, require_sources
from hornbook.lineage.manifest import Graph, load_graph, load_lock
from hornbook.lineage.past import measured
from hornbook.lineage.processes import end_with_starter, sigterm_as_interrupt
from hornbook.lineage.repro import BACK, NotKeptError, Outcome, Repro, keep, remedy, restore
from hornbook.lineage.workspace import Hasher, Reason, stale_stages
from hornbook.runtime import load_runtime

TOLD_SECONDS = 10


def select(graph: Graph, names: Sequence[str]) -> list[str]:
    """The named stages or families with everything upstream, in order.

    Raises:
        ConfigError: A name is neither a stage nor a family.
    """
    found = named(graph, names)
    chosen = {*found, *graph.ancestors(found)}
    return [name for name in graph.stages if name in chosen or not names]


def named(graph: Graph, names: Sequence[str]) -> list[str]:
    """The stages that are named, by themselves or by their family, in order.

    Raises:
        ConfigError: A name is neither a stage nor a family.
    """
    chosen: set[str] = set()
    for name in names:
        found = [s.name for s in graph.stages.values() if name in {s.name, s.family}]
        if not found and name in compared.REPEATED:
            raise ConfigError(
                f"{name} is for models to compare with and models.compare="
                f"{graph.params['models']['compare']} has none; run: hornbook compose "
                f"'models.compare=[FOLDER]'"
            )
        if not found and name in further_seeds.REPEATED:
            raise ConfigError(
                f"{name} is for further seeds of training and seeds={graph.params['seeds']} has "
                f"none; run: hornbook compose 'seeds=[0,1,2]'"
            )
        if not found:
            families = sorted({stage.family for stage in graph.stages.values()})
            near = get_close_matches(name, [*families, *graph.stages], 3)
            meant = f", did you mean {' or '.join(near)}?" if near else ""
            raise ConfigError(f"no stage {name!r}{meant}; the stages are {', '.join(families)}")
        chosen |= {*found}
    return [name for name in graph.stages if name in chosen]


@dataclass
class Outcomes:
    """What became of each stage of a run."""

    done: dict[str, Outcome]
    failed: dict[str, str]
    skipped: list[str]


def run_stages(
    root: Path, names: Sequence[str], *, jobs: int, say: Callable[[str], None]
) -> Outcomes:
    """Bring `names` up to date in the order of the graph, at most `jobs` side by side.

    A failure stops what depends on it; the rest goes on, and the failed stage's last good
    artifact is put back.
    """
    graph = load_graph(root)
    waiting = list(names)
    result = Outcomes({}, {}, [])
    running: dict[Future[Outcome], str] = {}
    repros: dict[str, Repro] = {}
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            while waiting or running:
                for name in _ready(graph, waiting, result, running, jobs):
                    repros[name] = Repro(root, name, say)
                    running[pool.submit(repros[name].run)] = name
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future)
                    _settle(root, graph, name, future, result, say)
        except BaseException:
            _stop(root, graph, repros, say)
            raise
    result.skipped = waiting
    return result


def _stop(
    root: Path, graph: Graph, repros: Mapping[str, Repro], say: Callable[[str], None]
) -> None:
    """End what still runs, and put back what it was about to replace."""

    def tell(line: str) -> None:
        with suppress(OSError):  # a terminal that is gone, a log on a full disk
            say(line)

    seconds = load_runtime(root).stop_seconds
    alive = {name: one for name, one in repros.items() if one.is_alive()}
    for one in repros.values():
        one.interrupt()
    if alive:
        tell(
            f"stopping {', '.join(alive)}, at most {seconds:g} s: a training would write its "
            f"checkpoint first; Ctrl-C again ends it at once"
        )
    until = time.monotonic() + seconds
    for name, one in alive.items():
        try:
            one.kill(max(0.0, until - time.monotonic()))
        except KeyboardInterrupt:
            until = 0.0
        if restore(root, graph.stages[name].out):
            tell(f"{name}: stopped; {BACK}")


def _ready(
    graph: Graph,
    waiting: list[str],
    result: Outcomes,
    running: dict[Future[Outcome], str],
    jobs: int,
) -> list[str]:
    """Take from `waiting` what may start now: the longest chains first, as they are the last."""
    busy = {*waiting, *running.values(), *result.failed}
    free = [n for n in waiting if not busy & graph.ancestors([n])]
    free.sort(key=lambda name: -len(graph.descendants([name])))
    chosen = free[: jobs - len(running)]
    for name in chosen:
        waiting.remove(name)
    return chosen


def _settle(
    root: Path,
    graph: Graph,
    name: str,
    future: Future[Outcome],
    result: Outcomes,
    say: Callable[[str], None],
) -> None:
    try:
        result.done[name] = future.result()
    except NotKeptError as error:
        result.failed[name] = str(error)
        say(f"{name}: ran, but is not in the cache")
    except StageError as error:
        back = restore(root, graph.stages[name].out)
        told = str(error)
        if back:
            told = told.replace(remedy(graph.stages[name].out), BACK)
        result.failed[name] = told
        say(f"{name}: failed{f'; {BACK}' if back else ''}")


def main(arguments: Sequence[str]) -> int:
    """`hornbook run [STAGE ...]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook run",
        description="Bring stages, with everything upstream of them, up to date through DVC. "
        "What has not changed costs nothing; what was interrupted resumes.",
        epilog="examples: hornbook run; hornbook run train@phi-1_5; hornbook run report --jobs 1",
    )
    parser.add_argument("stages", nargs="*", help="a stage (train@phi-1_5) or a family (train)")
    parser.add_argument("--jobs", type=_count, help="stages side by side (default: runtime.jobs)")
    parser.add_argument(
        "--experiment", help="what MLflow calls it; hornbook experiment run gives its name"
    )
    options = parser.parse_args(list(arguments))
    end_with_starter()
    with using_tree(Path.cwd(), print):
        return _run(Path.cwd(), options)


def _run(root: Path, options: argparse.Namespace) -> int:
    if anew := composed_anew(root):
        print(anew)  # noqa: T201
    graph = load_graph(root)
    names = select(graph, options.stages)
    pull_inputs(root)
    hasher = Hasher(root)
    stale = stale_stages(graph, load_lock(root), hasher, names)
    hasher.save()
    if left := unkept(root, [name for name in names if name not in stale]):
        with using_cache(root, print):
            keep(root, left)
        print(f"in the cache now, as there was no room before: {', '.join(left)}")  # noqa: T201
    if not stale:
        print(f"all {len(names)} stages are up to date: nothing to do")  # noqa: T201
        return 0
    require_sources(graph, stale)
    jobs = options.jobs or load_runtime(root).jobs
    result = _bring_up_to_date(root, graph, hasher, stale, len(names), jobs)
    _track(root, graph, result, options.experiment)
    return _report(result)


def _bring_up_to_date(
    root: Path,
    graph: Graph,
    hasher: Hasher,
    stale: Mapping[str, Sequence[Reason]],
    selected: int,
    jobs: int,
) -> Outcomes:
    """Run stale stages between what is predicted and how it turned out."""
    steps = forecast(graph, load_lock(root), hasher, root, stale)
    predicted = wall_seconds(graph, steps, jobs)
    unknown = sum(step.takes.seconds is None for step in steps)
    may = any(step.action == "may run" for step in steps)
    most = "at most about" if may and not unknown else "about"
    about = f", {most} {duration(predicted)} by their last runs" if unknown < len(steps) else ""
    left_out = f" without {unknown} whose time is unknown" if about and unknown else ""
    print(  # noqa: T201
        f"{len(stale)} of {selected} stages to bring up to date{about}{left_out} "
        f"(hornbook plan says why)"
    )
    started = time.monotonic()
    with sigterm_as_interrupt():
        result = run_stages(root, list(stale), jobs=jobs, say=_printer())
    took = time.monotonic() - started
    for line in (
        _beside(root, steps, result, predicted, took) if about and not result.failed else ()
    ):
        print(line)  # noqa: T201
    return result


def _track(root: Path, graph: Graph, result: Outcomes, experiment: str | None) -> None:
    """Runs of MLflow for the models and scores that are new; a store that is away stops nothing."""
    from hornbook.track.runs import FAMILIES, track

    names = [name for name in result.done if graph.stages[name].family in FAMILIES]
    try:
        if names:
            track(root, stages=names, experiment=experiment)
    except HornbookError as error:
        print(f"not in MLflow yet: {error}; later: hornbook track", file=sys.stderr)  # noqa: T201


def _count(text: str) -> int:
    """A number of jobs."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of stages; 1 or more")
    return int(text)


def _beside(
    root: Path, steps: Sequence[Step], result: Outcomes, predicted: float, took: float
) -> list[str]:
    """What was predicted beside what it took, for stages of some length and in all."""
    lines: list[str] = []
    for step in steps:
        if result.done.get(step.stage) != "executed" or step.takes.seconds is None:
            continue
        actual = measured(root, step.stage).get("seconds")
        if actual is not None and max(actual, step.takes.seconds) >= TOLD_SECONDS:
            told = f"predicted {duration(step.takes.seconds)}, took {duration(actual)}"
            lines.append(f"  {step.stage:<28} {told}")
    return [*lines, f"in all predicted {duration(predicted)}, took {duration(took)}"]


def _printer() -> Callable[[str], None]:
    started, lock = time.monotonic(), threading.Lock()

    def say(line: str) -> None:
        seconds = round(time.monotonic() - started)
        with lock:
            sys.stdout.write(f"{seconds // 60:>3}:{seconds % 60:02d}  {line}\n")
            sys.stdout.flush()

    return say


def _report(result: Outcomes) -> int:
    counts = {kind: list(result.done.values()).count(kind) for kind in ("executed", "run cache")}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    many = f"{len(result.done)} {'stage' if len(result.done) == 1 else 'stages'} done"
    if not result.failed:
        print(f"{many} ({told or 'all unchanged'})")  # noqa: T201
        return 0
    done = f"{many} ({told})" if told else many
    print(f"{done}, {len(result.failed)} failed")  # noqa: T201
    for message in result.failed.values():
        print(f"hornbook: {message}", file=sys.stderr)  # noqa: T201
    if result.skipped:
        print(f"not run because of it: {', '.join(result.skipped)}", file=sys.stderr)  # noqa: T201
    return 2
