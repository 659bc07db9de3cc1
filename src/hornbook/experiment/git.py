"""git, as experiments need it: commands with their errors, and the references that DVC reads."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hornbook.errors import StageError

_OTHER_CHECKOUT = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"}


def git(root: Path, *arguments: str, text: str | None = None) -> str:
    """What a git command says.

    Raises:
        StageError: It failed; its own words are in the message.
    """
    done = subprocess.run(
        ["git", *arguments],
        cwd=root,
        env=git_environment(),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StageError(f"git {' '.join(arguments[:4])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def git_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment without what a git hook says of the checkout that it is called for."""
    return {name: value for name, value in environment.items() if name not in _OTHER_CHECKOUT}


def identity(root: Path) -> Sequence[str]:
    """Options of a commit: who the checkout says one is, else the project itself."""
    options: list[str] = []
    for key, otherwise in (("user.name", "hornbook"), ("user.email", "hornbook@localhost")):
        found = subprocess.run(
            ["git", "config", "--get", key],
            cwd=root,
            env=git_environment(),
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        options += ["-c", f"{key}={found or otherwise}"]
    return [*options, "-c", "commit.gpgsign=false"]


def reference(baseline: str, name: str) -> str:
    """Where DVC looks for the experiment of a name that began at a commit."""
    return f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}"


def forget(root: Path, name: str, *, but: str | None = None) -> None:
    """Remove every reference of a name, whatever commit it began at, except `but`."""
    listed = git(root, "for-each-ref", "--format=%(refname)", "refs/exps")
    for ref in listed.split():
        if ref.count("/") == 4 and ref.endswith(f"/{name}") and ref != but:
            git(root, "update-ref", "-d", ref)
