"""What interrupted and finished work has left in `.hornbook` and in DVC's temporary folder."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hornbook.errors import ConfigError
from hornbook.lineage.cache import unkept
from hornbook.lineage.clean_copy import COPIES
from hornbook.lineage.holding import held, holders, is_held
from hornbook.lineage.manifest import load_graph
from hornbook.lineage.processes import RWLOCK
from hornbook.lineage.workspace import Hasher, identity
from hornbook.stage import HELD

PENDING = Path(".hornbook", "pending")
STORE = Path(".hornbook", "store")
WORKSPACES = Path(".dvc", "tmp", "exps", "standalone")
WORKSPACE = "experiment workspace"
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


def leftovers(root: Path, *, has_scores: bool, has_begun: bool = False) -> list[Leftover]:
    """Everything that is kept beside artifacts.

    Scores of items can go with `has_scores`, what interrupted experiments would go on from with
    `has_begun`.
    """
    return [
        *_pending(root),
        *_workspaces(root, has_begun=has_begun),
        *_copies(root),
        *_stores(root, has_scores=has_scores),
    ]


def remove(one: Leftover) -> None:
    """Free a folder, unless somebody has begun to use it."""
    if one.kind == WORKSPACE:
        remove_workspace(one.path)
    elif one.kind == "store" or not is_held(one.path / HELD):
        shutil.rmtree(one.path, ignore_errors=True)


def remove_workspace(folder: Path) -> None:
    """Remove a temporary checkout that nobody works in."""
    with held(held_file(folder)) as is_ours:
        if is_ours and _user(folder, is_ours=True) is None:
            shutil.rmtree(folder, ignore_errors=True)


def held_file(folder: Path) -> Path:
    """What the process holds locked that works in a temporary checkout, beside it."""
    name = folder.name.removeprefix("tmp-").removesuffix(".begun")
    return folder.with_name(f"{name}.held")


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
        if is_held(folder / HELD):
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


def _workspaces(root: Path, *, has_begun: bool) -> Iterator[Leftover]:
    for folder in _workspace_folders(root):
        user, is_free = _user(folder), False
        if user:
            reason = f"an experiment runs in it ({user})"
        elif _has_begun(folder) or unkept(folder):
            is_free = has_begun
            name = folder.name.removeprefix("tmp-").removesuffix(".begun")
            reason = f"the experiment {name}, run again, goes on from here: --begun frees it"
        else:
            is_free, reason = True, "its experiment has ended"
        yield Leftover(WORKSPACE, folder, num_bytes(folder), is_free, reason)


def _has_begun(folder: Path) -> bool:
    """Whether a stage that was interrupted would go on from something in a temporary checkout."""
    pending = folder if folder.name.endswith(".begun") else folder / PENDING
    return any(file.is_file() and file.name != HELD for file in pending.rglob("*"))


def _workspace_folders(root: Path) -> list[Path]:
    """Temporary checkouts of experiments; beside them are DVC's own records."""
    found = (root / WORKSPACES).glob("*")
    return sorted(one for one in found if one.is_dir() and one.name.startswith("tmp"))


def _copies(root: Path) -> Iterator[Leftover]:
    for folder in sorted((root / COPIES).glob("*")):
        is_used = is_held(folder / HELD)
        reason = f"{folder.name} is being verified" if is_used else "its verification was cut off"
        yield Leftover("clean copy", folder, num_bytes(folder), not is_used, reason)


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


def _user(folder: Path, *, is_ours: bool = False) -> str | None:
    """Who works in a temporary checkout; None where nobody does, or only the one who asks."""
    if not is_ours and is_held(held_file(folder)):
        return holders(held_file(folder))
    if found := inside(folder):
        return f"process {found[0]}"
    if folder.name.startswith("tmp-"):
        return None  # one of ours, which is held from the beginning
    with suppress(OSError):
        age = time.time() - folder.stat().st_mtime
        if age < SETUP_SECONDS:
            return f"made {age:.0f} s ago"
    return None


def inside(folder: Path) -> list[int]:
    """The processes that work in a folder."""
    own, found = folder.resolve(), list[int]()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            place = (process / "cwd").readlink()
            if place == own or own in place.parents:
                found.append(int(process.name))
    return sorted(found)


def require_checkout(root: Path) -> None:
    """Refuse to look for leftovers elsewhere.

    Raises:
        ConfigError: There is no checkout at `root`.
    """
    if not (root / ".dvc").is_dir():
        raise ConfigError(f"{root} is no checkout: no .dvc is in it; cd to its top folder")
