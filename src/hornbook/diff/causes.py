"""Why two states of the graph differ: first causes, what followed, what changed without effect.

Works from `dvc.lock` alone: no data, no recomputation.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hornbook.diff.revisions import State, read_state
from hornbook.errors import ConfigError
from hornbook.lineage.manifest import Graph, LockEntry, load_graph
from hornbook.lineage.workspace import CODE, flatten

Kind = Literal["parameter", "environment", "code", "input", "command", "upstream"]
Verdict = Literal["first cause", "followed", "no effect", "not deterministic", "added", "removed"]
ORDER: tuple[Verdict, ...] = (
    "first cause",
    "added",
    "removed",
    "not deterministic",
    "followed",
    "no effect",
)
_KINDS: tuple[Kind, ...] = ("parameter", "code", "input", "environment", "command", "upstream")
_ENVIRONMENT = "environment."  # versions of libraries, which `hornbook compose` writes
_DIGITS = 8  # of a hash, for a person
_LONGEST, _BEFORE = 110, 30  # characters of a value, and of those before where it differs


@dataclass(frozen=True)
class Change:
    """One difference in what a stage reads; `what` is a parameter, a path or a producer.

    `before` and `after` are values as JSON or whole DVC hashes, "absent" where there is none.
    """

    kind: Kind
    what: str
    before: str
    after: str

    def __str__(self) -> str:
        """A line for a person."""
        return f"{self.kind} {self.what}: {self.values}"

    @property
    def values(self) -> str:
        """Both values on a line."""
        return " -> ".join(self.shown)

    @property
    def shown(self) -> tuple[str, str]:
        """Both values for a person: hashes by their first digits, long ones where they differ."""
        if self.kind in {"code", "input", "upstream"}:
            return self.before[:_DIGITS], self.after[:_DIGITS]
        return _short(self.before, self.after), _short(self.after, self.before)


@dataclass(frozen=True)
class StageDiff:
    """What became of one stage between A and B."""

    stage: str
    verdict: Verdict
    changes: tuple[Change, ...]

    @property
    def upstream(self) -> tuple[str, ...]:
        """The stages whose artifacts it reads and that wrote other bytes."""
        names = (change.what for change in self.changes if change.kind == "upstream")
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Cause:
    """A change with the stages that it is a change of.

    `alone` are those that wrote other bytes while nothing they read from other stages had changed;
    `beside` had other inputs too; `without` wrote the same bytes all the same.
    """

    change: Change
    alone: tuple[str, ...]
    beside: tuple[str, ...]
    without: tuple[str, ...]


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
            kind = "environment" if key.startswith(_ENVIRONMENT) else "parameter"
            found.append(Change(kind, key, x, y))
    for path in sorted({*a.deps, *b.deps}):
        x, y = a.deps.get(path, "absent"), b.deps.get(path, "absent")
        if x != y:
            made = next((p for out, p in producers.items() if is_below(path, out)), None)
            kind = "upstream" if made else "code" if path.startswith(CODE) else "input"
            found.append(Change(kind, made or path, x, y))
    return found


def is_below(path: str, out: str) -> bool:
    """Whether a path is that of an artifact or of something in it."""
    return path == out or path.startswith(f"{out}/")


def _verdict(a: LockEntry, b: LockEntry, changes: Sequence[Change]) -> Verdict:
    if not changes:
        return "not deterministic"
    if a.outs == b.outs:
        return "no effect"
    return "first cause" if any(change.kind != "upstream" for change in changes) else "followed"


def causes(found: Iterable[StageDiff]) -> list[Cause]:
    """Each change once, with all its stages: what is a cause by itself first, without effect last.

    Changes of artifacts that other stages wrote are none: they have causes of their own.
    """
    stages: dict[Change, tuple[list[str], list[str], list[str]]] = {}
    for one in found:
        place = 2 if one.verdict == "no effect" else 1 if one.upstream else 0
        for change in one.changes:
            if change.kind != "upstream":
                stages.setdefault(change, ([], [], []))[place].append(one.stage)
    every = [Cause(change, *map(tuple, of)) for change, of in stages.items()]
    return sorted(every, key=_rank)


def _rank(cause: Cause) -> tuple[int, int, str]:
    place = 0 if cause.alone else 1 if cause.beside else 2
    return place, _KINDS.index(cause.change.kind), cause.change.what


def alike(found: Iterable[Cause]) -> list[list[Cause]]:
    """Causes with the same effects together: of what is one by itself first, and far reaching."""
    groups: dict[tuple[tuple[str, ...], ...], list[Cause]] = {}
    for one in found:
        groups.setdefault((one.alone, one.beside, one.without), []).append(one)
    return sorted(groups.values(), key=_reach)


def _reach(causes: Sequence[Cause]) -> tuple[bool, bool, int]:
    """Of causes by themselves values come first; then by the number of stages."""
    first = causes[0]
    is_value = bool(first.alone) and first.change.kind == "parameter"
    return not first.alone, not is_value, -len(first.alone) - len(first.beside)


def diff(root: Path, a: str, b: str, stage: str | None = None) -> list[StageDiff]:
    """The differences between two named states, of one stage and its ancestors where given.

    Raises:
        ConfigError: A name or the stage is unknown.
    """
    return compare(load_graph(root), read_state(root, a), read_state(root, b), stage)


def compare(graph: Graph, a: State, b: State, stage: str | None = None) -> list[StageDiff]:
    """The differences between two states, of one stage and its ancestors where given.

    Raises:
        ConfigError: The stage is unknown.
    """
    known = list(dict.fromkeys([*graph.stages, *a.lock, *b.lock]))
    if stage is not None and stage not in known:
        raise ConfigError(f"no stage {stage!r}; the stages are {', '.join(known)}")
    found = explain(graph, a.lock, b.lock)
    if stage is None:
        return found
    wanted = made_with(stage, a.lock, b.lock)
    return [one for one in found if one.stage in wanted]


def made_with(stage: str, *locks: Mapping[str, LockEntry]) -> set[str]:
    """A stage and what it was made from when it was recorded, whatever the work tree has."""
    return {stage}.union(*(_upstream(lock, stage) for lock in locks))


def _upstream(lock: Mapping[str, LockEntry], stage: str) -> set[str]:
    read = read_from(lock)
    todo, seen = [stage], set[str]()
    while todo:
        for name in read.get(todo.pop(), ()):
            if name not in seen:
                seen.add(name)
                todo.append(name)
    return seen


def read_from(lock: Mapping[str, LockEntry]) -> dict[str, tuple[str, ...]]:
    """The stages that each recorded stage read artifacts of, sorted."""
    made = {out: name for name, entry in lock.items() for out in entry.outs}
    return {
        name: tuple(
            sorted({made[out] for path in entry.deps for out in made if is_below(path, out)})
        )
        for name, entry in lock.items()
    }


def as_json(found: Sequence[StageDiff]) -> list[dict[str, Any]]:
    """The stages for a program."""
    return [
        {"stage": one.stage, "verdict": one.verdict, "changes": [vars(c) for c in one.changes]}
        for one in found
    ]


def _short(value: str, other: str) -> str:
    """A value, of a long one the part where it differs from the other."""
    if len(value) <= _LONGEST:
        return value
    pairs = enumerate(zip(value, other, strict=False))
    same = next((place for place, (a, b) in pairs if a != b), min(len(value), len(other)))
    start = max(0, same - _BEFORE) if same > _LONGEST - _BEFORE else 0
    cut = value[start : start + _LONGEST]
    return f"{'...' if start else ''}{cut}{'...' if start + _LONGEST < len(value) else ''}"
