"""DVC's cache, read without checking anything out: files of recorded artifacts, past runs."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as BrokenConfig
from contextlib import suppress
from pathlib import Path
from typing import Any

from yaml import YAMLError

from hornbook.artifacts import write_text
from hornbook.errors import ConfigError
from hornbook.lineage.manifest import LockEntry, Stage, load_lock, parse_entry
from hornbook.lineage.processes import git_says
from hornbook.lineage.workspace import flatten

USERS = "hornbook.users"  # a file for each checkout, in a cache that is not inside of it


def cache_folder(root: Path) -> Path:
    """Where DVC's cache of a checkout is: where its configuration says, else `.dvc/cache`."""
    folder = cache_option(root, "dir")
    return _dvc_folder(root) / (folder or "cache")


def cache_option(root: Path, name: str) -> str | None:
    """What DVC's configuration of a checkout says of its cache; None where it says nothing."""
    for file in ("config.local", "config"):
        found = ConfigParser(interpolation=None)
        try:
            found.read(_dvc_folder(root) / file, "utf-8")
            if found.has_option("cache", name):
                return found.get("cache", name)
        except (BrokenConfig, UnicodeDecodeError):
            continue  # DVC says what is wrong with it
    return None


def is_own_cache(root: Path) -> bool:
    """Whether the cache of a checkout is inside of it."""
    return cache_folder(root).resolve() == (root / ".dvc" / "cache").resolve()


def note_user(root: Path) -> None:
    """Say in a cache that is elsewhere that this checkout uses it, so that `hornbook gc` sees it.

    Not of a workspace of an experiment, which ends before anything is freed.
    """
    if is_own_cache(root) or "DVC_ROOT" in os.environ:
        return
    place = str(root.resolve())
    file = cache_folder(root) / USERS / hashlib.sha256(place.encode()).hexdigest()[:16]
    if not file.exists():
        with suppress(OSError):
            write_text(file, place)


def users(root: Path) -> list[Path]:
    """Other checkouts that are known to use the cache: work trees of git, and who said so."""
    folder = cache_folder(root).resolve()
    listed = git_says(root, "worktree", "list", "--porcelain").splitlines()
    places = [line.removeprefix("worktree ") for line in listed if line.startswith("worktree ")]
    places += [_text(file) for file in sorted((folder / USERS).glob("[0-9a-f]*"))]
    found = dict.fromkeys(Path(place).resolve() for place in places if place)
    return [
        one
        for one in found
        if one != root.resolve()
        and (one / ".dvc").is_dir()
        and cache_folder(one).resolve() == folder
    ]


def _dvc_folder(root: Path) -> Path:
    return Path(os.environ.get("DVC_ROOT", root)) / ".dvc"


def cached_file(root: Path, digest: str) -> Path:
    """Where DVC's local cache keeps an object, whether it is there or not."""
    return cache_folder(root) / "files" / "md5" / digest[:2] / digest[2:]


def cached_text(root: Path, out_hash: str, name: str) -> str | None:
    """The text of a file inside an artifact folder; None where the cache lacks it."""
    file = cached_member(root, out_hash, name)
    return file.read_text("utf-8") if file else None


def cached_member(root: Path, out_hash: str, name: str) -> Path | None:
    """The cached copy of a file inside an artifact folder; None where the cache lacks it."""
    digest = (cached_files(root, out_hash) or {}).get(name)
    file = cached_file(root, digest) if digest else None
    return file if file and file.exists() else None


def cached_files(root: Path, out_hash: str) -> dict[str, str] | None:
    """The hash of each file of an artifact folder by its path in it; None without a listing."""
    listing = cached_file(root, out_hash)
    if not out_hash.endswith(".dir") or not listing.exists():
        return None
    try:
        return {row["relpath"]: row["md5"] for row in json.loads(listing.read_text("utf-8"))}
    except (ValueError, KeyError, TypeError):
        return None  # cut off by a full disk or a crash


class RunCache:
    """Runs that DVC remembers: a stage with the same inputs is restored instead of run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_command: dict[str, list[Path]] | None = None

    def find(
        self, stage: Stage, deps: Mapping[str, str], params: Mapping[str, Any]
    ) -> LockEntry | None:
        """The newest run of the stage on these inputs whose artifact is still in the cache."""
        for file in self._files().get(_words(stage.cmd), ()):
            entry = _read(file)
            is_it = (
                entry is not None
                and dict(entry.deps) == dict(deps)
                and flatten(entry.params) == flatten(params)
                and list(entry.outs) == [stage.out]
            )
            if is_it and entry is not None and is_cached(self.root, entry.out_hash):
                return entry
        return None

    def entries(self) -> Iterator[LockEntry]:
        """All runs, the newest of a command first."""
        for files in self._files().values():
            for file in files:
                if (entry := _read(file)) is not None:
                    yield entry

    def _files(self) -> dict[str, list[Path]]:
        """The files of the run cache by the command they record, newest first."""
        if self._by_command is None:
            found: dict[str, list[Path]] = {}
            for file in _newest((cache_folder(self.root) / "runs").glob("*/*/[!.]*")):
                head = _text(file).partition("\ndeps:")[0]
                found.setdefault(_words(head.removeprefix("cmd:")), []).append(file)
            self._by_command = found
        return self._by_command


def _newest(files: Iterable[Path]) -> list[Path]:
    """Files by age; DVC may take one away meanwhile."""
    ages: list[tuple[int, Path]] = []
    for file in files:
        with suppress(OSError):
            ages.append((-file.stat().st_mtime_ns, file))
    return [file for _, file in sorted(ages)]


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _read(file: Path) -> LockEntry | None:
    """A remembered run; None where the file is damaged, which DVC mends when it meets it."""
    try:
        return parse_entry(_text(file))
    except (YAMLError, ValueError, KeyError, TypeError, AttributeError):
        return None


def is_cached(root: Path, digest: str) -> bool:
    """Whether the cache has an artifact whole."""
    listing = cached_file(root, digest)
    if not digest.endswith(".dir") or not listing.exists():
        return listing.exists()
    objects = listing.parent.parent
    try:
        rows = json.loads(listing.read_text("utf-8"))
        return all((objects / row["md5"][:2] / row["md5"][2:]).exists() for row in rows)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def unkept(root: Path, names: Iterable[str] | None = None) -> list[str]:
    """Stages whose recorded artifact is on disk and not whole in the cache; a full disk does so.

    DVC records a stage although it could not copy what it made.
    """
    try:
        lock = load_lock(root)
    except ConfigError:
        return []
    return [
        name
        for name in (lock if names is None else names)
        if name in lock
        and len(lock[name].outs) == 1
        and (root / next(iter(lock[name].outs))).exists()
        and not is_cached(root, lock[name].out_hash)
    ]


def _words(command: str) -> str:
    """A command without line breaks, where YAML folds it, and without YAML's quotes."""
    return " ".join(command.split()).strip("'\"")
