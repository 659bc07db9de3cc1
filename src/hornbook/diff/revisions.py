"""The two sides of a diff: a revision, an experiment or the work tree, with what each recorded."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hornbook.errors import ConfigError
from hornbook.lineage.manifest import LockEntry, load_lock

WORK_TREE = "work tree"
WORK_TREE_NAMES = frozenset({"workspace", "worktree", "work-tree", "."})


@dataclass(frozen=True)
class State:
    """One side: the name that was asked for, its git revision (None: the work tree), its record."""

    name: str
    revision: str | None
    lock: Mapping[str, LockEntry]

    def __str__(self) -> str:
        """The name with the revision that it stands for."""
        if self.revision is None:
            return "the work tree"
        short = self.revision[:7]
        return short if self.revision.startswith(self.name) else f"{self.name} ({short})"

    def as_json(self) -> dict[str, str | None]:
        """Name and revision for a program."""
        return {"name": self.name, "revision": self.revision}


def read_state(root: Path, name: str) -> State:
    """What a name stands for, and what was recorded there.

    Raises:
        ConfigError: Nothing has that name, or its `dvc.lock` is damaged.
    """
    revision = resolve_revision(root, name)
    return State(name, revision, load_lock(root, revision))


def resolve_revision(root: Path, name: str) -> str | None:
    """A git revision for a revision, a branch or an experiment; None is the work tree.

    Raises:
        ConfigError: Nothing has that name.
    """
    if name.lower() in WORK_TREE_NAMES:
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
