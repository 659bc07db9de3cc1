"""A temporary checkout in which one experiment runs, and from which it becomes a DVC experiment.

`dvc exp run --temp` writes the values into the user's own work tree for a moment and hands them on
through one stash for all, where two that start together can take each other's; so the checkout is
made here: a clone that shares git's objects and DVC's cache, in which DVC runs the stages. The
experiment is a commit under the references that DVC keeps experiments in.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hornbook.artifacts import write_text
from hornbook.compose import render
from hornbook.composed import settle
from hornbook.errors import ConfigError, StageError
from hornbook.experiment.git import forget, git, git_environment, identity, reference
from hornbook.experiment.points import Point
from hornbook.lineage.cache import cache_folder, cache_option
from hornbook.lineage.inputs import DATA
from hornbook.lineage.leftovers import WORKSPACES
from hornbook.lineage.manifest import parse_yaml
from hornbook.lineage.processes import dvc_environment
from hornbook.lineage.workspace import Hasher
from hornbook.runtime import load_runtime

PENDING = Path(".hornbook", "pending")  # what an interrupted stage goes on from
LOCAL = Path("conf", "runtime", "local.yaml")
OVERRIDES = "Overrides: "  # begins the line of a commit's message that has them as JSON
TAIL = 12  # lines of a failed run that its error repeats
END_SECONDS = 15  # for a run to release DVC's locks, after its stages have ended


@dataclass
class Workspace:
    """The checkout at `folder` of `root`, with the values of one experiment."""

    root: Path
    folder: Path
    point: Point
    baseline: str
    process: "subprocess.Popen[str] | None" = field(default=None, init=False)
    is_ended: bool = field(default=False, init=False)

    def make(self) -> None:
        """The work tree as it is, with uncommitted changes and its own `data/`, and the values."""
        git(self.root, "clone", "--quiet", "--shared", "--no-checkout", ".", str(self.folder))
        git(self.folder, "checkout", "--quiet", "--detach", self.baseline)
        edits = git(self.root, "diff", "--binary", "--no-ext-diff", "HEAD")
        if edits:
            git(self.folder, "apply", "--whitespace=nowarn", "-", text=edits)
        # the filter of dvc.lock may show git another record than the one of this machine (D-002)
        for path in (Path("dvc.lock"), LOCAL):
            if (self.root / path).exists():
                shutil.copyfile(self.root / path, self.folder / path)
        write_text(self.folder / "params.yaml", render(self.point.values))
        settle(self.folder)
        self._share_cache()
        self._dvc("checkout", "--force", "--allow-missing")
        self._take_data()

    def _share_cache(self) -> None:
        self._dvc("config", "--local", "cache.dir", str(cache_folder(self.root).resolve()))
        kind = cache_option(self.root, "type")
        if kind:
            self._dvc("config", "--local", "cache.type", kind)

    def _take_data(self) -> None:
        """Inputs that are not what `data.dvc` records are the experiment's too."""
        if not (self.root / DATA).exists() or not (self.root / "data").exists():
            return
        recorded = parse_yaml((self.root / DATA).read_text("utf-8"))["outs"][0]["md5"]
        if Hasher(self.root).hash("data") != recorded:
            shutil.rmtree(self.folder / "data", ignore_errors=True)
            shutil.copytree(self.root / "data", self.folder / "data")
            self._dvc("commit", "--quiet", "--force", DATA)

    def _dvc(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            told = done.stderr.partition("Having any troubles?")[0].strip()
            raise StageError(f"dvc {' '.join(arguments)} failed: {told[-800:]}")

    def _environment(self) -> dict[str, str]:
        """Our processes; stores and measurements are those of the checkout, the code is its own."""
        paths = ["src", *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            **git_environment(dvc_environment()),
            "DVC_ROOT": str(self.root.resolve()),
            "DVC_SITE_CACHE_DIR": str((self.folder / ".dvc" / "tmp" / "site").resolve()),
            "PYTHONPATH": os.pathsep.join(paths),
        }

    def run(
        self, stages: Sequence[str], *, jobs: int, workers: int | None, say: Callable[[str], None]
    ) -> None:
        """Bring stages up to date, all of them where none is named.

        `jobs` of them side by side, with as many processes each as `workers` says; None leaves
        that to the runtime.

        Raises:
            StageError: A stage failed; the last lines are in the message.
        """
        environment = self._environment()
        if workers is not None:
            environment["HORNBOOK_WORKERS"] = str(workers)
        if self.is_ended:
            raise StageError(f"experiment {self.point.name} was ended")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "hornbook", "run", *stages, "--jobs", str(jobs)),
                *("--experiment", self.point.name),
            ],
            cwd=self.folder,
            env=environment,
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to hand on
        )
        assert self.process.stdout is not None
        tail: list[str] = []
        for raw in self.process.stdout:
            line = raw.rstrip()
            tail = [*tail, line][-TAIL:]
            say(line)
        if self.process.wait():
            raise StageError("\n".join(tail))

    def end(self) -> None:
        """End what runs here, however deep: first as Ctrl-C does, then whoever is left."""
        self.is_ended = True
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=load_runtime(self.root).stop_seconds + END_SECONDS)
        for process in inside(self.folder):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def publish(self) -> str:
        """The revision of the experiment, which has taken its name."""
        files = ("params.yaml", "dvc.lock", DATA)
        git(self.folder, "add", "--update")
        git(self.folder, "add", "--", *(one for one in files if (self.folder / one).exists()))
        given = list(self.point.overrides)
        message = f"experiment {self.point.name}: {' '.join(given)}\n\n"
        message += f"{OVERRIDES}{json.dumps(given)}\n"
        commit = ("commit", "--quiet", "--no-verify", "--allow-empty", "-F", "-")
        git(self.folder, *identity(self.root), *commit, text=message)
        ref = reference(self.baseline, self.point.name)
        git(
            self.root, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
            str(self.folder), f"+HEAD:{ref}",
        )  # fmt: skip
        forget(self.root, self.point.name, but=ref)
        return git(self.root, "rev-parse", ref).strip()


def inside(folder: Path) -> list[int]:
    """The processes that work in a folder."""
    own, found = folder.resolve(), list[int]()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            place = (process / "cwd").readlink()
            if place == own or own in place.parents:
                found.append(int(process.name))
    return sorted(found)


@contextmanager
def workspace(root: Path, point: Point) -> Generator[Workspace]:
    """A workspace that goes when it is done with.

    Of one whose run failed or was cut off the begun stages stay, where the next run of the name
    goes on and `hornbook gc` sees them.

    Raises:
        ConfigError: Another process runs an experiment of this name.
    """
    parent = root / WORKSPACES
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"tmp-{point.name}"
    baseline = git(root, "rev-parse", "HEAD").strip()
    with (parent / f"{point.name}.held").open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"experiment {point.name} is being run by another process; wait for it, or give "
                f"this one another name"
            ) from error
        begun = _empty(folder)
        one = Workspace(root, folder, point, baseline)
        try:
            one.make()
            if begun is not None:
                (folder / PENDING).parent.mkdir(exist_ok=True)
                begun.rename(folder / PENDING)
            yield one
        except BaseException:
            one.end()
            begun = _empty(folder)
            if begun is not None:
                (folder / PENDING).parent.mkdir(parents=True)
                begun.rename(folder / PENDING)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> Path | None:
    """Remove a workspace; its begun stages move beside it, None where it has none."""
    beside = folder.with_name(f"{folder.name}.begun")
    if (folder / PENDING).exists() and any((folder / PENDING).iterdir()):
        shutil.rmtree(beside, ignore_errors=True)
        (folder / PENDING).rename(beside)
    for _ in range(20):  # a process that was killed may still be writing its last file
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
        time.sleep(0.1)
    return beside if beside.exists() else None
