"""A temporary checkout in which one experiment runs, and from which it becomes a DVC experiment.

`dvc exp run --temp` writes the values into the user's own work tree for a moment and hands them on
through one stash for all, where two that start together can take each other's; so the checkout is
made here: a clone that shares git's objects and DVC's cache, in which DVC runs the stages. The
experiment is a commit under the references that DVC keeps experiments in.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hornbook.artifacts import write_bytes, write_text
from hornbook.compose import render
from hornbook.composed import settle
from hornbook.errors import ConfigError, StageError
from hornbook.experiment.git import clone, forget, git, git_environment, identity, reference
from hornbook.experiment.points import Point
from hornbook.experiment.snapshot import Snapshot
from hornbook.lineage.cache import cache_folder, cache_option, unkept
from hornbook.lineage.holding import held, holders, using_cache
from hornbook.lineage.inputs import DATA
from hornbook.lineage.leftovers import PENDING, WORKSPACES, held_file, inside
from hornbook.lineage.processes import ENDS_WITH, dvc_environment
from hornbook.lineage.repro import keep
from hornbook.lineage.workspace import Hasher
from hornbook.runtime import load_runtime

OVERRIDES = "Overrides: "  # begins the line of a commit's message that has them as JSON
# variables that name a folder; hydra's ${oc.env:...} in conf/ reads the first
FOLDERS = ("HORNBOOK_SHARED_DATA",)
TAIL = 12  # lines of a failed run that its error repeats
END_SECONDS = 15  # for a run to release DVC's locks, after its stages have ended


@dataclass
class Workspace:
    """The checkout at `folder` of the work tree `tree`, with the values of one experiment."""

    root: Path
    folder: Path
    point: Point
    tree: Snapshot
    process: "subprocess.Popen[str] | None" = field(default=None, init=False)
    is_ended: bool = field(default=False, init=False)

    def make(self) -> None:
        """The work tree as it was, with uncommitted changes and its own `data/`, and the values."""
        clone(self.root, self.folder, self.tree.baseline)
        if self.tree.edits:
            git(self.folder, "apply", "--whitespace=nowarn", "-", text=self.tree.edits)
        for path, content in self.tree.files.items():
            write_bytes(self.folder / path, content)
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
        if self.tree.data is None:
            return
        if Hasher(self.root).hash("data") != self.tree.data:
            raise ConfigError(
                f"data/ was changed while the experiments ran, and {self.point.name} would read "
                f"other inputs than those before it; run the same command again"
            )
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        shutil.copytree(self.root / "data", self.folder / "data")
        self._dvc("commit", "--quiet", "--force", DATA)

    def keep(self) -> None:
        """Put into the cache what an earlier run has made here and there was no room for."""
        if stages := unkept(self.folder):
            keep(self.folder, stages)

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
            **absolute(self.root, os.environ),
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
        environment = {**self._environment(), ENDS_WITH: str(os.getpid())}
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
        end_inside(self.folder, 0.0)

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
        ref = reference(self.tree.baseline, self.point.name)
        git(
            self.root, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
            str(self.folder), f"+HEAD:{ref}",
        )  # fmt: skip
        forget(self.root, self.point.name, but=ref)
        return git(self.root, "rev-parse", ref).strip()


def absolute(root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that name a folder from the user's shell, as they mean it in another folder."""
    return {
        name: str((root / environment[name]).resolve())
        for name in FOLDERS
        if environment.get(name) and not Path(environment[name]).is_absolute()
    }


@contextmanager
def workspace(root: Path, point: Point, tree: Snapshot) -> Generator[Workspace]:
    """A workspace that goes when it is done with.

    Of one whose run failed or was cut off the begun stages stay, where the next run of the name
    goes on and `hornbook gc` sees them. What a killed run has left is ended and removed first.

    Raises:
        ConfigError: Another process runs an experiment of this name.
    """
    folder = root / WORKSPACES / f"tmp-{point.name}"
    with held(held_file(folder)) as is_ours, using_cache(root):
        if not is_ours:
            raise ConfigError(
                f"experiment {point.name} is being run by {holders(held_file(folder))}; wait for "
                f"it, or give this one another name"
            )
        one = Workspace(root, folder, point, tree)
        end_inside(folder, load_runtime(root).stop_seconds)
        one.keep()
        begun = _empty(folder)
        try:
            one.make()
            if begun is not None:
                (folder / PENDING).parent.mkdir(exist_ok=True)
                begun.rename(folder / PENDING)
            yield one
        except BaseException:
            one.end()
            if unkept(folder):
                raise  # it has the only copy of an artifact
            begun = _empty(folder)
            if begun is not None:
                (folder / PENDING).parent.mkdir(parents=True)
                begun.rename(folder / PENDING)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def end_inside(folder: Path, seconds: float) -> None:
    """End what works in a folder although who started it is gone; by force after `seconds`."""
    for process in inside(folder):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGINT)
    until = time.monotonic() + seconds
    while inside(folder) and time.monotonic() < until:
        time.sleep(0.1)
    for process in inside(folder):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


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
