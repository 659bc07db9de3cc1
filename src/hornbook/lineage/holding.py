"""Who works here now: files that living processes hold locked.

The kernel lets go of a lock when its process ends, however it ended, so a dead one leaves none.
Work on a cache or a checkout shares its lock; what may not happen meanwhile, freeing the cache or
moving HEAD, takes it alone.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from hornbook.errors import StageError
from hornbook.lineage.cache import cache_folder, note_user

CACHE = "hornbook.held"  # in the cache itself, as several checkouts may share one
TREE = Path(".dvc", "tmp", "hornbook.held")
LEAST_BYTES = 1 << 20
LOOK_SECONDS = 0.5  # between two tries to take what another process holds
_Say = Callable[[str], None]


def _silent(_line: str) -> None:
    """Say nothing."""


@contextmanager
def using_cache(root: Path, say: _Say = _silent) -> Generator[int | None]:
    """Work in which nothing of the cache may be freed; waits for a `hornbook gc --yes`.

    Gives the lock's file descriptor: who inherits it holds the lock as well. None on a file
    system without locks.

    Raises:
        StageError: The cache cannot be written, so that the work would be lost at its end.
    """
    folder = cache_folder(root)
    require_writable(folder)
    require_room(root, folder)
    note_user(root)
    with _shared(folder / CACHE, say, "frees what nothing refers to in the cache") as held:
        yield held


@contextmanager
def using_tree(root: Path, say: _Say = _silent) -> Generator[None]:
    """Work on the files of a checkout; waits for a `hornbook experiment promote`."""
    with _shared(root / TREE, say, "makes an experiment the next commit"):
        yield


@contextmanager
def cache_alone(root: Path) -> Generator[None]:
    """The cache while nobody works with it.

    Raises:
        StageError: Somebody does.
    """
    require_writable(cache_folder(root))
    with _alone(cache_folder(root) / CACHE) as who:
        if who is not None:
            raise StageError(
                f"DVC's cache was left as it is: in use: {who}; when that has ended, run the "
                f"same command again"
            )
        yield


@contextmanager
def tree_alone(root: Path, otherwise: str) -> Generator[None]:
    """The files of a checkout while nobody works on them.

    Raises:
        StageError: Somebody does; `otherwise` is what can be done instead of waiting.
    """
    with _alone(root / TREE) as holders:
        if holders is not None:
            raise StageError(
                f"{holders} works on this checkout; wait until it ends, or {otherwise}"
            )
        yield


def require_writable(folder: Path) -> None:
    """Refuse a cache that nothing could be put into.

    Raises:
        StageError: It is read-only, or somebody else's.
    """
    there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    objects = folder / "files" / "md5"
    for one in (there, objects):
        if one.is_dir() and not os.access(one, os.W_OK | os.X_OK):
            raise StageError(
                f"DVC's cache cannot be written, and what is made could not be kept: {one} "
                f"({_owner(one)}). Make it writable (of a shared one: dvc config cache.shared "
                f"group), or use one of your own: dvc cache dir --local PATH"
            )


def require_room(*folders: Path) -> None:
    """Refuse a full disk: on one without any room DVC waits for its own database for ever.

    Raises:
        StageError: A disk has less than `LEAST_BYTES` left.
    """
    for folder in folders:
        there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
        free = shutil.disk_usage(there).free
        if free < LEAST_BYTES:
            raise StageError(
                f"the disk of {there} is full ({free / 1e6:.1f} MB are free); free some space "
                f"(`hornbook gc` says what can go) and run the same command again"
            )


def _owner(folder: Path) -> str:
    """Whose folder it is, or that nobody can write there."""
    stat = folder.stat()
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return "on a read-only file system"
    if stat.st_uid == os.geteuid():
        return f"yours, with mode {stat.st_mode & 0o777:o}"
    return f"of user {stat.st_uid}, with mode {stat.st_mode & 0o777:o}"


@contextmanager
def _shared(file: Path, say: _Say, what: str) -> Generator[int | None]:
    held = _open(file)
    if held is None:
        yield None
        return
    try:
        is_told = False
        while not _lock(held, fcntl.LOCK_SH):
            if not is_told:
                say(f"waits: {holders(file)} {what}")
                is_told = True
            time.sleep(LOOK_SECONDS)
        yield held
    finally:
        os.close(held)


@contextmanager
def _alone(file: Path) -> Generator[str | None]:
    """Gives who holds the file locked, None where it is ours now."""
    held = _open(file)
    if held is None:
        yield None
        return
    try:
        yield None if _lock(held, fcntl.LOCK_EX) else holders(file)
    finally:
        os.close(held)


def _open(file: Path) -> int | None:
    """A descriptor to lock, which others of a shared cache can open too."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.open(file, os.O_RDONLY | os.O_CREAT, 0o666)
    return None


def _lock(held: int, kind: int) -> bool:
    """Take a lock; True as well where the file system has none."""
    try:
        fcntl.flock(held, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def held(file: Path) -> Generator[bool]:
    """Whether a file could be locked; it is gone afterwards where it was ours."""
    is_ours, descriptor = False, None
    while descriptor is None:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        is_ours = _lock_soon(descriptor)
        if is_ours and not _is_at(descriptor, file):
            os.close(descriptor)  # who held it took it away before it was ours
            descriptor = None
    try:
        yield is_ours
    finally:
        if is_ours:
            file.unlink(missing_ok=True)
        os.close(descriptor)


def _lock_soon(descriptor: int) -> bool:
    """Take a lock alone, also where somebody just now looks whether it is held."""
    for _ in range(5):
        if _lock(descriptor, fcntl.LOCK_EX):
            return True
        time.sleep(0.02)
    return False


def _is_at(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def is_held(file: Path) -> bool:
    """Whether a living process holds a file locked."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def holders(file: Path) -> str:
    """Who holds a file locked, as far as the system says."""
    found: list[str] = []
    with suppress(OSError, ValueError, IndexError):
        inode = file.stat().st_ino
        for line in Path("/proc/locks").read_text("utf-8").splitlines():
            words = line.replace("->", " ").split()
            if words[1] == "FLOCK" and int(words[5].rpartition(":")[2]) == inode:
                command = Path("/proc", words[4], "cmdline").read_bytes().split(b"\0")
                told = b" ".join(command[1:]).decode("utf-8", "replace").strip()
                found.append(f"process {words[4]} ({told[:60]})")
    return ", ".join(dict.fromkeys(found)) or "another process"
