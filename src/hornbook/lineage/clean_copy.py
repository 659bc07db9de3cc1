"""A clean copy of the checkout in which one recorded stage can be made again.

Code, values and conf are those of the work tree; inputs are the recorded ones, linked from DVC's
cache and checked by their hashes. Nothing of earlier runs is in it: no journal, no store, no
cache of answers or scores. The teacher's answers come from the record (`replay`), or from the
embedded teacher; no endpoint is called, and no key is passed on.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hornbook.artifacts import write_text
from hornbook.errors import ArtifactError, StageError
from hornbook.lineage.cache import cached_file
from hornbook.lineage.manifest import LockEntry, Stage
from hornbook.lineage.processes import dvc_environment
from hornbook.lineage.repro import is_chatter
from hornbook.lineage.workspace import Hasher
from hornbook.runtime import load_runtime
from hornbook.stage import CLEAN_COPY

COPIES = Path(".hornbook", "verify")
HELD = "held"  # locked by the process that uses a copy, beside it
FOLDERS = ("src", "conf")
FILES = ("dvc.yaml", "dvc.lock", "params.yaml", "*.dvc")
TAIL = 12  # lines of a failed stage that its error repeats


@dataclass(frozen=True)
class CleanCopy:
    """The copy at `root` of the checkout `source`, for one stage as `entry` records it."""

    source: Path
    root: Path
    stage: Stage
    entry: LockEntry

    @property
    def out(self) -> Path:
        """Where the artifact is made again."""
        return self.root / self.stage.out

    def make(self) -> None:
        """Code, values and checked inputs.

        Raises:
            ArtifactError: A recorded input is not here, or its copy in the cache is damaged.
        """
        for name in FOLDERS:
            if (self.source / name).is_dir():
                shutil.copytree(self.source / name, self.root / name, ignore=_NO_BYTECODE)
        files = [file for pattern in FILES for file in self.source.glob(pattern)]
        files += [self.source / path for path in self.stage.code]
        for file in files:
            target = self.root / file.relative_to(self.source)
            if file.is_dir() and file.name != ".dvc":
                shutil.copytree(file, target, ignore=_NO_BYTECODE, dirs_exist_ok=True)
            elif file.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
        hasher = Hasher(self.root)
        for path in (*self.stage.sources, *self.stage.inputs):
            self._link(path, self.entry.deps[path], hasher)
        hasher.save()
        write_text(self.root / CLEAN_COPY, f"{self.stage.name}\n")

    def _link(self, path: str, digest: str, hasher: Hasher) -> None:
        if path.startswith(".."):
            raise ArtifactError(
                f"{self.stage.name} reads {path}, which means another place in a clean copy; give "
                f"its whole path (hornbook compose data...=/...) to verify the stage"
            )
        if not path.startswith("/"):
            files = recorded_files(self.source, path, digest) or {}
            for name, file in files.items():
                link(file, self.root / path / name if name else self.root / path)
        found = hasher.hash(path)
        if found == "missing":
            raise ArtifactError(
                f"{self.stage.name} was made from {path} with hash {digest}, which is neither in "
                f"DVC's cache nor in the work tree; dvc pull {path} gets it from a remote"
            )
        if found != digest:
            raise ArtifactError(
                f"{self.stage.name} was made from {path} with hash {digest}; what is here has "
                f"{found}: {_damaged(self.source, path, digest)}"
            )

    def run(self, say: Callable[[str], None], is_enough: Callable[[], bool] | None = None) -> bool:
        """Run the stage's command; whether it ran to its end.

        Where `is_enough` becomes true it is ended, and nobody waits for its artifact.

        Raises:
            StageError: The stage failed; its last lines are in the message.
        """
        tail: list[str] = []
        log = self.root / ".hornbook" / "output.txt"
        with log.open("wb") as told, log.open("r", encoding="utf-8", errors="replace") as lines:
            process = subprocess.Popen(  # noqa: S602 - as DVC runs it
                self.entry.cmd,
                shell=True,
                cwd=self.root,
                env=environment(self.source),
                stdout=told,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                while process.poll() is None:
                    if is_enough and is_enough():
                        return False
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=0.2)
                    tail = [*tail, *_told(lines, say)][-TAIL:]
            finally:
                _end(process)
            tail = [*tail, *_told(lines, say)][-TAIL:]
        if process.returncode:
            raise StageError(f"{self.stage.name} failed in a clean copy:\n" + "\n".join(tail))
        return True


_NO_BYTECODE = shutil.ignore_patterns("__pycache__", "*.pyc")


def _told(lines: Iterator[str], say: Callable[[str], None]) -> list[str]:
    found = [line.rstrip() for line in lines]
    found = [line for line in found if line and not is_chatter(line)]
    for line in found:
        say(line)
    return found


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a command and what it started in its session; ranks end with the one that did."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def environment(source: Path) -> dict[str, str]:
    """The environment of a stage in a clean copy: our processes, no endpoint, no key."""
    runtime = load_runtime(source) if (source / "conf" / "runtime").is_dir() else None
    keys: set[str] = set()
    if runtime is not None:
        keys = {runtime.teacher_key_env, *(one.key_env or "" for one in runtime.endpoints)}
    found = {
        name: value
        for name, value in dvc_environment().items()
        if name not in {*keys, "DVC_ROOT", "PYTHONPATH"} and not name.startswith("HORNBOOK_TEACHER")
    }
    return {
        **found,
        "HORNBOOK_TEACHER_URL": "null",
        "HORNBOOK_ENDPOINTS": "[]",
        "HORNBOOK_TRANSPORT": "chat",
    }


def recorded_files(root: Path, path: str, digest: str) -> dict[str, Path] | None:
    """The files of a recorded file (under the name "") or folder, in the cache or the work tree.

    None where neither has them; those of the work tree only where they have that hash.
    """
    stored = cached_file(root, digest)
    if stored.exists() and not digest.endswith(".dir"):
        return {"": stored}
    if stored.exists():
        try:
            rows: list[Mapping[str, str]] = json.loads(stored.read_text("utf-8"))
            files = {row["relpath"]: cached_file(root, row["md5"]) for row in rows}
        except (ValueError, KeyError, TypeError):
            files = {}
        if files and all(file.exists() for file in files.values()):
            return files
    full = root / path
    if not full.exists() or Hasher(root).hash(path) != digest:
        return None
    if full.is_file():
        return {"": full}
    return {str(file.relative_to(full)): file for file in sorted(full.rglob("*")) if file.is_file()}


def link(file: Path, target: Path) -> None:
    """The file under another name, by a hard link; copied where there can be none.

    Not by a symbolic link: readers of source code leave those out, as they may lead anywhere.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(file)
    except OSError:
        shutil.copyfile(file, target)


def _damaged(root: Path, path: str, digest: str) -> str:
    """Which object of the cache is not what its name says."""
    for name, file in (recorded_files(root, path, digest) or {}).items():
        if is_damaged(root, file):
            return (
                f"the cache's copy of {name or path} ({file}) is damaged; remove that file and "
                f"get it again (dvc pull {path}), or make it again (hornbook run)"
            )
    return f"put back what was recorded: dvc checkout {path}"


def is_damaged(root: Path, file: Path) -> bool:
    """Whether an object of the cache is not what its name says; false of any other file."""
    name = f"{file.parent.name}{file.name}"
    return cached_file(root, name) == file and Hasher(root).hash(str(file)) != name


@contextmanager
def clean_copy(source: Path, stage: Stage, entry: LockEntry) -> Generator[CleanCopy]:
    """A copy that goes when it is done with; what a killed process left is removed first.

    Raises:
        ArtifactError: Another process verifies the stage now, or an input is not to be had.
    """
    folder = source / COPIES / stage.name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / HELD).open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArtifactError(f"{stage.name} is being verified by another process") from error
        copy = CleanCopy(source, folder / "copy", stage, entry)
        shutil.rmtree(copy.root, ignore_errors=True)
        copy.root.mkdir()
        try:
            (copy.root / ".hornbook").mkdir()
            copy.make()
            yield copy
        finally:
            shutil.rmtree(folder, ignore_errors=True)
