"""What interrupted and finished work has left in `.hornbook` and in DVC's temporary folder."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hornbook.errors import ConfigError
from hornbook.lineage.clean_copy import COPIES
from hornbook.lineage.manifest import load_graph
from hornbook.lineage.workspace import Hasher, identity
from hornbook.stage import HELD

PENDING = Path(".hornbook", "pending")
STORE = Path(".hornbook", "store")
WORKSPACES = Path(".dvc", "tmp", "exps", "standalone")
RWLOCK = Path(".dvc", "tmp", "rwlock")
# an experiment that is being set up works elsewhere until its files are there
SETUP_SECONDS = 600


@dataclass(frozen=True)
class Leftover:
    """A folder, whether it can go, and why or why not."""

    kind: str
    path: Path
    bytes: int
    is_free: bool
    reason: str


def leftovers(root: Path, *, has_scores: bool) -> list[Leftover]:
    """Everything that is kept beside artifacts; of the scores of items only with `has_scores`."""
    return [
        *_pending(root),
        *_workspaces(root),
        *_copies(root),
        *_stores(root, has_scores=has_scores),
    ]


def remove(one: Leftover) -> None:
    """Free a folder, unless somebody has begun to use it."""
    if one.kind != "store" and _is_held(one.path):
        return
    shutil.rmtree(one.path, ignore_errors=True)


def _pending(root: Path) -> Iterator[Leftover]:
    """Interrupted stages: those that would go on from here, and those that nothing leads to."""
    folders = sorted(path for path in (root / PENDING).glob("*") if path.is_dir())
    if not folders:
        return
    graph, hasher = load_graph(root), Hasher(root)
    for folder in folders:
        name, _, digest = folder.name.rpartition("-")
        stage = graph.stages.get(name)
        is_free = False
        if _is_held(folder):
            reason = f"{name} runs"
        elif stage is None:
            is_free, reason = True, f"dvc.yaml has no {name} with these values"
        elif missing := [path for path in stage.deps if hasher.hash(path) == "missing"]:
            reason = f"may be of {name} as it is: {missing[0]} is missing, which would say"
        elif identity(stage, graph, hasher) == digest:
            reason = f"{name} goes on from here when it runs"
        else:
            is_free = True
            reason = f"begun by {name} with other values, code or inputs than those of now"
        yield Leftover("interrupted stage", folder, num_bytes(folder), is_free, reason)
    hasher.save()


def _workspaces(root: Path) -> Iterator[Leftover]:
    for folder in _workspace_folders(root):
        user = _user(folder)
        reason = f"an experiment runs in it ({user})" if user else "its experiment has ended"
        yield Leftover("experiment workspace", folder, num_bytes(folder), user is None, reason)


def _workspace_folders(root: Path) -> list[Path]:
    """Temporary checkouts of experiments; beside them are DVC's own records."""
    found = (root / WORKSPACES).glob("*")
    return sorted(one for one in found if one.is_dir() and one.name.startswith("tmp"))


def _copies(root: Path) -> Iterator[Leftover]:
    for folder in sorted((root / COPIES).glob("*")):
        is_held = _is_held(folder)
        reason = f"{folder.name} is being verified" if is_held else "its verification was cut off"
        yield Leftover("clean copy", folder, num_bytes(folder), not is_held, reason)


def _stores(root: Path, *, has_scores: bool) -> Iterator[Leftover]:
    kept = {
        "teacher": (False, "answers of the teacher, which may have been paid for"),
        "scores": (has_scores, "scores of items, computed again when asked for: --scores frees it"),
    }
    for folder in sorted((root / STORE).glob("*")):
        is_free, reason = kept.get(folder.name, (False, "of no kind that is known here"))
        yield Leftover("store", folder, num_bytes(folder), is_free, reason)


def num_bytes(folder: Path) -> int:
    """The bytes of all files; what another process removes meanwhile counts nothing.

    Files with other names elsewhere (hard links) free nothing and count nothing.
    """
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                stat = Path(base, name).lstat()
                total += stat.st_size if stat.st_nlink == 1 else 0
    return total


def _is_held(folder: Path) -> bool:
    """Whether a process has said that it works in a folder, and lives."""
    try:
        with (folder / HELD).open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def stages_running(root: Path) -> list[str]:
    """Stages that DVC runs in a checkout now, as its lock file says."""
    try:
        locks = json.loads((root / RWLOCK).read_text("utf-8"))
    except (OSError, ValueError):
        return []
    infos = [*locks.get("write", {}).values()]
    infos += [one for readers in locks.get("read", {}).values() for one in readers]
    alive = {info["pid"]: info["cmd"] for info in infos if Path("/proc", str(info["pid"])).exists()}
    return [f"process {pid} ({command})" for pid, command in sorted(alive.items())]


def experiments_running(root: Path) -> list[str]:
    """Experiments that run now, each with the process that was seen."""
    return [user for folder in _workspace_folders(root) if (user := _user(folder)) is not None]


def _user(folder: Path) -> str | None:
    """Who works in a temporary workspace; None where nobody does."""
    own = folder.resolve()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            place = (process / "cwd").readlink()
            if place == own or own in place.parents:
                return f"process {process.name}"
    with suppress(OSError):
        age = time.time() - folder.stat().st_mtime
        if age < SETUP_SECONDS:
            return f"made {age:.0f} s ago"
    return None


def require_checkout(root: Path) -> None:
    """Refuse to look for leftovers elsewhere.

    Raises:
        ConfigError: There is no checkout at `root`.
    """
    if not (root / ".dvc").is_dir():
        raise ConfigError(f"{root} is no checkout: no .dvc is in it; cd to its top folder")
