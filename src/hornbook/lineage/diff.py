"""Why two states of the graph differ: first causes, what followed, what changed without effect.

Works from `dvc.lock` alone: no data, no recomputation.
"""

import argparse
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hornbook.errors import ConfigError
from hornbook.lineage.cells import TABLES, Moved, moved, table_cells
from hornbook.lineage.manifest import Graph, LockEntry, load_graph, load_lock
from hornbook.lineage.workspace import CODE, flatten

Verdict = Literal["first cause", "followed", "no effect", "not deterministic", "added", "removed"]
WORK_TREE = "work tree"
MOST_NUMBERS = 40


@dataclass(frozen=True)
class Change:
    """One difference in what a stage reads; `what` is a parameter, a path or a producer."""

    kind: str
    what: str
    before: str
    after: str

    def __str__(self) -> str:
        """A line for a person."""
        return f"{self.kind} {self.what}: {self.before} -> {self.after}"


@dataclass(frozen=True)
class StageDiff:
    """What became of one stage between A and B."""

    stage: str
    verdict: Verdict
    changes: tuple[Change, ...]


def resolve_revision(root: Path, name: str) -> str | None:
    """A git revision for a revision, a branch or an experiment; None is the work tree.

    Raises:
        ConfigError: Nothing has that name.
    """
    if name.lower() in {"workspace", "worktree", "work-tree", "."}:
        return None
    known = subprocess.run(
        ["git", "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if known.returncode == 0:
        return known.stdout.strip()
    named = experiments(root)
    if name in named:
        return named[name]
    told = ", ".join(sorted(named)) or "none yet"
    raise ConfigError(
        f"{name!r} is neither a git revision nor an experiment (experiments: {told}); "
        f"`workspace` names the work tree"
    )


def experiments(root: Path) -> dict[str, str]:
    """The revision of each experiment by its name."""
    listed = subprocess.run(
        ["git", "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    pairs = (line.split(" ", 1) for line in listed.splitlines())
    # before the name are the digits of the commit that it began at; other references are DVC's own
    return {
        parts[-1]: revision
        for revision, ref in pairs
        if len(parts := ref.split("/")) == 5 and len(parts[2]) == 2
    }


def explain(
    graph: Graph, before: Mapping[str, LockEntry], after: Mapping[str, LockEntry]
) -> list[StageDiff]:
    """Every stage that differs, in the order of the graph."""
    order = [*graph.stages, *sorted({*before, *after} - set(graph.stages))]
    producers = {
        out: name for lock in (before, after) for name, e in lock.items() for out in e.outs
    }
    found: list[StageDiff] = []
    for name in order:
        a, b = before.get(name), after.get(name)
        if a is None and b is None:
            continue
        if a is None or b is None:
            found.append(StageDiff(name, "added" if a is None else "removed", ()))
            continue
        changes = _changes(a, b, producers)
        if changes or a.outs != b.outs:
            found.append(StageDiff(name, _verdict(a, b, changes), tuple(changes)))
    return found


def _changes(a: LockEntry, b: LockEntry, producers: Mapping[str, str]) -> list[Change]:
    found: list[Change] = []
    if a.cmd != b.cmd:
        found.append(Change("command", "", a.cmd, b.cmd))
    old, new = flatten(a.params), flatten(b.params)
    for key in sorted({*old, *new}):
        x, y = (json.dumps(v[key]) if key in v else "absent" for v in (old, new))
        if x != y:
            found.append(Change("parameter", key, x, y))
    for path in sorted({*a.deps, *b.deps}):
        x, y = a.deps.get(path, "absent"), b.deps.get(path, "absent")
        if x != y:
            made = next((p for out, p in producers.items() if _is_below(path, out)), None)
            kind = "upstream" if made else "code" if path.startswith(CODE) else "input"
            found.append(Change(kind, made or path, x[:8], y[:8]))
    return found


def _is_below(path: str, out: str) -> bool:
    return path == out or path.startswith(f"{out}/")


def _verdict(a: LockEntry, b: LockEntry, changes: Sequence[Change]) -> Verdict:
    if not changes:
        return "not deterministic"
    if a.outs == b.outs:
        return "no effect"
    return "first cause" if any(change.kind != "upstream" for change in changes) else "followed"


def diff(root: Path, a: str, b: str, stage: str | None = None) -> list[StageDiff]:
    """The differences between two named states, of one stage and its ancestors where given.

    Raises:
        ConfigError: A name or the stage is unknown.
    """
    graph = load_graph(root)
    before, after = (load_lock(root, resolve_revision(root, name)) for name in (a, b))
    known = list(dict.fromkeys([*graph.stages, *before, *after]))
    if stage is not None and stage not in known:
        raise ConfigError(f"no stage {stage!r}; the stages are {', '.join(known)}")
    found = explain(graph, before, after)
    if stage is None:
        return found
    wanted = {stage, *_upstream(before, stage), *_upstream(after, stage)}
    return [one for one in found if one.stage in wanted]


def changed_numbers(root: Path, a: str, b: str) -> list[Moved] | None:
    """The cells of the tables that differ; None where the cache lacks the tables of a side.

    Raises:
        ConfigError: A name is unknown.
    """
    locks = [load_lock(root, resolve_revision(root, name)) for name in (a, b)]
    if len({lock[TABLES].out_hash if TABLES in lock else None for lock in locks}) == 1:
        return []
    before, after = (table_cells(root, lock) for lock in locks)
    return moved(before, after) if before and after else None


def _upstream(lock: Mapping[str, LockEntry], stage: str) -> set[str]:
    """What a stage was made from when it was recorded, whatever stages the work tree has."""
    made = {out: name for name, entry in lock.items() for out in entry.outs}
    todo, seen = [stage], set[str]()
    while todo:
        entry = lock.get(todo.pop())
        for path in entry.deps if entry else ():
            name = next((made[out] for out in made if _is_below(path, out)), None)
            if name is not None and name not in seen:
                seen.add(name)
                todo.append(name)
    return seen


ORDER: tuple[Verdict, ...] = (
    "first cause",
    "added",
    "removed",
    "not deterministic",
    "followed",
    "no effect",
)


def as_markdown(found: Sequence[StageDiff], numbers: Sequence[Moved] | None = None) -> str:
    """The differences as tables: numbers, then stages with causes first."""
    if not found:
        return "No difference."
    lines: list[str] = []
    if numbers:
        lines += ["| cell | metric | before | after |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(one.columns())} |" for one in numbers] + [""]
    lines += ["| verdict | stage | why |", "|---|---|---|"]
    for one in sorted(found, key=lambda d: ORDER.index(d.verdict)):
        why = "<br>".join(str(change) for change in one.changes[:6])
        lines.append(f"| {one.verdict} | {one.stage} | {why} |")
    return "\n".join(lines)


def lines(found: Sequence[StageDiff], numbers: Sequence[Moved] | None) -> list[str]:
    """The differences for a terminal: numbers of the tables first, then causes."""
    if not found:
        return ["no difference"]
    told: list[str] = []
    if numbers is None:
        told += [
            f"numbers of the tables: not in the cache here; dvc fetch {TABLES} brings them",
            "",
        ]
    elif numbers:
        told += [f"{len(numbers)} of the tables' numbers differ"]
        told += [f"    {one}" for one in numbers[:MOST_NUMBERS]]
        more = len(numbers) - MOST_NUMBERS
        told += [f"    and {more} more: --json has all", ""] if more > 0 else [""]
    for one in sorted(found, key=lambda d: ORDER.index(d.verdict)):
        told.append(f"{one.verdict:<18} {one.stage}")
        told += [f"    {change}" for change in one.changes]
    return told


def as_json(found: Sequence[StageDiff], numbers: Sequence[Moved] | None) -> dict[str, Any]:
    """The differences for programs; `numbers` is null where the cache lacks the tables."""
    cells = [] if numbers is None else [one.as_json() for one in numbers]
    return {
        "numbers": None if numbers is None else cells,
        "stages": [
            {"stage": d.stage, "verdict": d.verdict, "changes": [vars(c) for c in d.changes]}
            for d in found
        ],
    }


def main(arguments: Sequence[str]) -> int:
    """`hornbook diff A B [--stage S] [--json]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook diff",
        description="Why two revisions, experiments or the work tree differ: the numbers of the "
        "tables that changed, then first causes, what followed, what changed without effect, what "
        "is not deterministic.",
        epilog="example: hornbook diff HEAD workspace; hornbook diff main web-lr --stage report",
    )
    parser.add_argument("a", help="a git revision, an experiment, or `workspace`")
    parser.add_argument("b", help="the same")
    parser.add_argument("--stage", help="only this stage and what it reads")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    options = parser.parse_args(list(arguments))
    found = diff(Path.cwd(), options.a, options.b, options.stage)
    has_numbers = options.stage in {None, TABLES}
    numbers = changed_numbers(Path.cwd(), options.a, options.b) if has_numbers else []
    if options.json:
        print(json.dumps(as_json(found, numbers), indent=1))  # noqa: T201
        return 0
    for line in lines(found, numbers):
        print(line)  # noqa: T201
    return 0
