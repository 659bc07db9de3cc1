"""git, as experiments need it: commands with their errors, and the references that DVC reads."""

import os
import re
import shutil
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from hornbook.artifacts import write_text
from hornbook.errors import ConfigError, StageError
from hornbook.lineage.holding import held
from hornbook.lineage.leftovers import WORKSPACES, held_file, remove_workspace
from hornbook.lineage.processes import git_says

_CLONE = "tmp-clone-"
_OTHER_CHECKOUT = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"}
_CREDENTIALS = re.compile(r"://[^/@\s]+@")


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
        encoding="utf-8",
        errors="surrogateescape",  # a diff has the bytes of its files, whatever their encoding
        check=False,
    )
    if done.returncode:
        told = without_secrets(
            f"git {' '.join(arguments[:4])} failed: {done.stderr.strip()[-500:]}"
        )
        raise StageError(told)
    return done.stdout


def without_secrets(text: str) -> str:
    """A text without the names and passwords of the addresses in it."""
    return _CREDENTIALS.sub("://", text)


def git_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment without what a git hook says of the checkout that it is called for."""
    return {name: value for name, value in environment.items() if name not in _OTHER_CHECKOUT}


def head(root: Path) -> str:
    """The commit that is checked out.

    Raises:
        ConfigError: There is none yet.
    """
    found = git_says(root, "rev-parse", "--quiet", "--verify", "HEAD^{commit}")
    if not found and not git_says(root, "rev-parse", "--git-dir"):
        raise ConfigError(
            "this is no git repository, in whose commits experiments begin and end: "
            "git init && git add -A && git commit -m 'the first state'"
        )
    if not found:
        raise ConfigError(
            "the repository has no commit yet, at which an experiment could begin: "
            "git add -A && git commit -m 'the first state'"
        )
    return found


def clone(root: Path, folder: Path, revision: str) -> None:
    """A clone with the files of a revision, which shares the objects."""
    git(root, "clone", "--quiet", "--shared", "--no-checkout", ".", str(folder))
    shared = folder / ".git" / "objects" / "info" / "alternates"
    if not shared.exists():  # of a shallow clone git copies what its branches need, and no more
        write_text(
            shared, git(root, "rev-parse", "--path-format=absolute", "--git-path", "objects")
        )
    git(folder, "checkout", "--quiet", "--detach", revision)


@contextmanager
def clone_at(root: Path, revision: str) -> Generator[Path]:
    """A clone for as long as it is needed; what killed processes left of theirs goes as well."""
    for left in (root / WORKSPACES).glob(f"{_CLONE}*"):
        if left.is_dir():
            remove_workspace(left)
    (root / WORKSPACES).mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix=_CLONE, dir=root / WORKSPACES))
    with held(held_file(folder)):
        try:
            clone(root, folder, revision)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


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
