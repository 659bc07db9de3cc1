"""`hornbook experiment run`: the plan of one experiment or a sweep, the runs, and a summary."""

from collections.abc import Callable, Sequence
from pathlib import Path

from hornbook.diff.revisions import experiments
from hornbook.errors import ConfigError, StageError
from hornbook.experiment.git import git
from hornbook.experiment.points import Point, points
from hornbook.experiment.records import Record, shown, unmade
from hornbook.experiment.records import changed as changed_values
from hornbook.experiment.schedule import Ended, Schedule, printer
from hornbook.experiment.shared import Work, side_by_side, work
from hornbook.experiment.snapshot import snapshot
from hornbook.lineage.forecast import duration, own_cores
from hornbook.lineage.holding import using_tree
from hornbook.lineage.inputs import pull_inputs
from hornbook.lineage.manifest import load_graph, parse_yaml
from hornbook.lineage.run import select
from hornbook.runtime import load_runtime


def run(
    root: Path,
    name: str,
    overrides: Sequence[str],
    targets: Sequence[str],
    *,
    jobs: int | None,
    tell: Callable[[str], None],
) -> list[str]:
    """Run an experiment, or all points of a sweep; the names of those that are there afterwards.

    The work tree stays as it is.

    Raises:
        ConfigError: The name or the overrides are not valid, or change nothing.
        StageError: At least one experiment failed; the others have run.
    """
    with using_tree(root, tell):
        tree, found = snapshot(root), points(root, name, overrides)
        is_sweep = len(found) > 1
        todo, there = _missing(root, found, targets, is_sweep=is_sweep, tell=tell)
        if not todo:
            if is_sweep and there:
                tell("nothing to run")
                return there
            raise ConfigError(f"{' '.join(overrides) or 'no overrides'}: nothing differs from HEAD")
        pull_inputs(root)
        works, runtime = work(root, todo, targets), load_runtime(root)
    side = side_by_side(works, jobs, runtime.jobs)
    for line in plan_lines(works, side):
        tell(line)
    say = printer([one.point.name for one in works])
    ended = Schedule(root, tree, works, targets, side, runtime, say).run()
    if is_sweep:
        for line in summary(root, ended):
            tell(line)
    failed = [one for one in ended if one.failure is not None]
    if failed:
        raise StageError(_failures(failed, is_sweep=is_sweep))
    return [*there, *(one.name for one in ended)]


def _missing(
    root: Path,
    found: Sequence[Point],
    targets: Sequence[str],
    *,
    is_sweep: bool,
    tell: Callable[[str], None],
) -> tuple[list[Point], list[str]]:
    """The points to run, and the names of those of a sweep that are there as they would become."""
    written = parse_yaml((root / "params.yaml").read_text("utf-8"))
    is_edited = bool(git(root, "status", "--porcelain", "--untracked-files=no").strip())
    head, known = git(root, "rev-parse", "HEAD").strip(), experiments(root)
    todo: list[Point] = []
    there: list[str] = []
    for one in found:
        if not changed_values(written, one.values):
            if is_sweep:
                tell(f"{one.name}: nothing differs from HEAD, left out")
        elif (
            is_sweep
            and not is_edited
            and one.name in known
            and _is_there(root, Record(root, one.name, known[one.name]), one, head, targets)
        ):
            tell(f"{one.name}: is there ({known[one.name][:10]}), not run again")
            there.append(one.name)
        else:
            if one.name in known:
                old = Record(root, one.name, known[one.name])
                tell(f"{one.name}: takes the place of {old.revision[:10]}, {shown(old.changed())}")
            todo.append(one)
    return todo, there


def _is_there(root: Path, one: Record, point: Point, head: str, targets: Sequence[str]) -> bool:
    """Whether an experiment is what running the point would make, as far as commits tell."""
    if one.baseline != head or changed_values(one.values, point.values):
        return False
    graph = load_graph(root, params=point.values)
    return not unmade(one.lock, one.values, select(graph, targets))


def plan_lines(works: Sequence[Work], side: int) -> list[str]:
    """What is about to run, and how long it takes by earlier runs."""
    lines: list[str] = []
    for one in works:
        counts = [sum(s.action == a for s in one.steps) for a in ("run", "may run", "restore")]
        words = ("to run", "more if what they read changes", "from the run cache")
        parts = [f"{n} {word}" for n, word in zip(counts, words, strict=True) if n]
        if one.seconds is not None and one.steps:
            parts.append(f"about {duration(one.seconds)}")
        if one.unknown:
            parts.append(f"{one.unknown} never ran here")
        lines.append(f"{one.point.name}: {', '.join(parts) or 'every stage is up to date'}")
        if one.first:
            lines.append(f"    first, for the others too: {shown(list(one.first))}")
    if len(works) > 1:
        known = [one.seconds for one in works if one.seconds is not None]
        busy = sum(one.cpu_seconds or 0.0 for one in works) / own_cores()
        longest = max([sum(known) / side, busy, *known])
        about = f", about {duration(longest)} in all" if known else ""
        lines.append(f"{len(works)} experiments, {side} side by side{about}")
    return lines


def summary(root: Path, ended: Sequence[Ended]) -> list[str]:
    """A line for each experiment: revision or failure, time, and its values."""
    width = max(len(one.name) for one in ended)
    lines = [""]
    for one in ended:
        state = one.revision[:10] if one.revision else "failed"
        values = shown(Record(root, one.name, one.revision).changed()) if one.revision else ""
        took = duration(one.seconds)
        lines.append(f"{one.name:<{width}}  {state:<10}  {took:>10}  {values}".rstrip())
    return lines


def _failures(failed: Sequence[Ended], *, is_sweep: bool) -> str:
    if not is_sweep:
        return (
            f"experiment {failed[0].name} failed (its messages are above):\n{failed[0].failure}\n"
            f"the work tree is untouched and finished stages are cached: run the same command "
            f"again after mending it"
        )
    told = "\n".join(f"{one.name}:\n{one.failure}" for one in failed)
    return (
        f"{len(failed)} of the experiments failed:\n{told}\n"
        f"the work tree is untouched; the same command runs only what failed or is missing"
    )
