"""What an experiment is, read from its commit: where it began, its values, what came of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hornbook.diff.causes import diff
from hornbook.diff.markdown import as_markdown
from hornbook.diff.numbers import changed_numbers
from hornbook.diff.revisions import experiments, resolve_revision
from hornbook.errors import ConfigError
from hornbook.experiment.git import git
from hornbook.experiment.workspace import OVERRIDES
from hornbook.lineage.cache import cached_text
from hornbook.lineage.manifest import LockEntry, git_show, load_lock, lookup, parse_yaml
from hornbook.lineage.workspace import flatten

TABLES = "benchmark_tables"
SHOWN = 6  # values of an experiment in a list


@dataclass(frozen=True)
class Record:
    """A revision with its values and artifacts, under the name that was asked for."""

    root: Path
    name: str
    revision: str

    @cached_property
    def baseline(self) -> str:
        """The commit that the experiment began at."""
        return git(self.root, "rev-parse", f"{self.revision}^").strip()

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """The values of `params.yaml`."""
        return parse_yaml(git_show(self.root, self.revision, "params.yaml") or "") or {}

    @cached_property
    def lock(self) -> Mapping[str, LockEntry]:
        """What was recorded of each stage."""
        return load_lock(self.root, self.revision)

    @cached_property
    def overrides(self) -> list[str] | None:
        """What the experiment was run with; None where `dvc exp run` itself made it."""
        message = git(self.root, "log", "-1", "--format=%B", self.revision)
        for line in message.splitlines():
            if line.startswith(OVERRIDES):
                return json.loads(line.removeprefix(OVERRIDES))
        return None

    def changed(self) -> list[str]:
        """The values that are not those of the commit that it began at, as KEY=VALUE."""
        return changed(Record(self.root, "", self.baseline).values, self.values)

    def has(self, stage: str) -> bool:
        """Whether the artifact of a stage was made with these values, and all that it read too.

        An experiment that stopped at a target keeps what HEAD recorded of the stages behind it.
        """
        return not unmade(self.lock, self.values, [stage])


def unmade(
    lock: Mapping[str, LockEntry], values: Mapping[str, Any], stages: Iterable[str]
) -> list[str]:
    """The stages, with those that they read, whose record is of other values or inputs."""
    makers = {out: name for name, entry in lock.items() for out in entry.outs}
    seen: dict[str, bool] = {}

    def is_made(name: str) -> bool:
        if name not in seen:
            seen[name] = name in lock and _has_values(lock[name], values)
            read = lock[name].deps if seen[name] else {}
            seen[name] = seen[name] and all(
                _is_of(lock, makers, path, digest) for path, digest in read.items()
            )
            for path in read:
                if path in makers and not is_made(makers[path]):
                    seen[name] = False
        return seen[name]

    for name in stages:
        is_made(name)
    return [name for name, made in seen.items() if not made]


def _is_of(
    lock: Mapping[str, LockEntry], makers: Mapping[str, str], path: str, digest: str
) -> bool:
    return path not in makers or lock[makers[path]].outs[path] == digest


def _has_values(entry: LockEntry, values: Mapping[str, Any]) -> bool:
    try:
        return all(lookup(values, key) == value for key, value in entry.params.items())
    except ConfigError:
        return False


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The values that differ, as KEY=VALUE; null where `after` has none."""
    was, now = flatten(before), flatten(after)
    return [
        f"{key}={json.dumps(now.get(key), default=str)}"
        for key in sorted({*was, *now})
        if was.get(key) != now.get(key)
    ]


def record(root: Path, name: str) -> Record:
    """An experiment, or a revision of git.

    Raises:
        ConfigError: There is neither of this name.
    """
    revision = resolve_revision(root, name)
    if revision is None:
        raise ConfigError("`workspace` is not an experiment")
    return Record(root, name, revision)


def known_experiment(root: Path, name: str) -> Record:
    """An experiment by its name.

    Raises:
        ConfigError: There is none; those known are named.
    """
    known = experiments(root)
    if name not in known:
        told = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"no experiment {name!r}; there are: {told}")
    return Record(root, name, known[name])


@dataclass(frozen=True)
class Described:
    """An experiment as it is shown: revision, what differs from HEAD, its tables."""

    revision: str
    difference: str
    tables: str


def describe(root: Path, name: str) -> Described:
    """What an experiment changed and what came of it.

    Raises:
        ConfigError: There is no such experiment.
    """
    one = record(root, name)
    tables = cached_text(root, one.lock[TABLES].out_hash, "tables.md") if one.has(TABLES) else None
    differs = as_markdown(diff(root, "HEAD", name), changed_numbers(root, "HEAD", name))
    return Described(one.revision, differs, tables or "not run")


def listing(root: Path) -> list[str]:
    """A line for each experiment: its name, its revision, and the values that are its own."""
    lines: list[str] = []
    for name, revision in sorted(experiments(root).items()):
        lines.append(f"{name:<28} {revision[:10]}  {shown(Record(root, name, revision).changed())}")
    return lines or ["no experiment yet; hornbook experiment run NAME OVERRIDES makes one"]


def shown(changes: Sequence[str]) -> str:
    """The first changes, and how many more there are."""
    more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
    return ", ".join(changes[:SHOWN]) + more
