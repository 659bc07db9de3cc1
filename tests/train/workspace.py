"""A checkout with one stage, `train@toy`, that runs as a user would run it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from hornbook.model.config import Model
from hornbook.train.config import Train

REPOSITORY = Path(__file__).resolve().parents[2]
_STAGE = {
    "cmd": "PYTHONPATH=src python -m hornbook train ${item}",
    "deps": [
        "artifacts/tokens/books",
        "artifacts/tokens/code",
        "artifacts/tokens/tokenizer",
        "artifacts/clean/decontaminated/books",
        "artifacts/mixture/${item}",
    ],
    "params": ["model", "train"],
    "outs": ["artifacts/train/${item}"],
}


class Workspace:
    """`hornbook train toy` in a folder of its own."""

    def __init__(self, root: Path, shape: Model, settings: Train) -> None:
        self.root = root
        self.out = root / "artifacts" / "train" / "toy"
        runtime = root / "conf" / "runtime"
        runtime.mkdir(parents=True, exist_ok=True)
        default = REPOSITORY / "conf" / "runtime" / "default.yaml"
        (runtime / "default.yaml").write_text(default.read_text("utf-8"))
        stages = {"stages": {"train": {"foreach": ["toy"], "do": _STAGE}}}
        (root / "dvc.yaml").write_text(yaml.safe_dump(stages, sort_keys=False))
        self.compose(shape, settings)

    def compose(self, shape: Model, settings: Train) -> None:
        """Write `params.yaml`."""
        values = {
            "model": TypeAdapter(Model).dump_python(shape, mode="json"),
            "train": TypeAdapter(Train).dump_python(settings, mode="json"),
        }
        (self.root / "params.yaml").write_text(yaml.safe_dump(values))

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[str]":
        """The stage, or another command, with what it says piped; not yet awaited."""
        here = str(Path(sys.executable).parent)
        return subprocess.Popen(
            command or (sys.executable, "-m", "hornbook", "train", "toy"),
            cwd=self.root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **{name: value for name, value in os.environ.items() if name not in _UNWANTED},
                "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(REPOSITORY / "src"),
                # importing torch and deepspeed costs seconds without it
                "PYTHONPYCACHEPREFIX": str(REPOSITORY / ".pytest_cache" / "bytecode"),
                **environment,
            },
        )

    def run(self, *command: str, **environment: str) -> str:
        """What a run says that has to end well."""
        process = self.start(*command, **environment)
        said, complained = process.communicate(timeout=240)
        assert process.returncode == 0, said + complained
        return said + complained

    def checkpoints(self) -> list[Path]:
        """Whole checkpoints, oldest first."""
        return sorted(self.root.glob(".hornbook/pending/*/checkpoints/step-*"))

    def await_step(self, process: "subprocess.Popen[str]", step: int) -> None:
        """Until the checkpoint of a step or a later one is there."""
        self.await_that(process, lambda: any(_step(one) >= step for one in self.checkpoints()))

    @staticmethod
    def await_that(process: "subprocess.Popen[str]", is_so: Callable[[], bool]) -> None:
        """Until something is so; the process must not end before."""
        deadline = time.monotonic() + 240
        while not is_so():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "nothing happened for minutes"
            time.sleep(0.01)

    @staticmethod
    def await_end(pids: Iterable[int]) -> None:
        """Until none of the processes runs."""
        deadline = time.monotonic() + 60
        while any(is_running(pid) for pid in pids):
            assert time.monotonic() < deadline, "a process did not end"
            time.sleep(0.05)

    def files(self) -> dict[str, bytes]:
        """The artifact."""
        return {
            str(path.relative_to(self.out)): path.read_bytes()
            for path in sorted(self.out.rglob("*"))
            if path.is_file()
        }


_UNWANTED = {"PYTHONDONTWRITEBYTECODE", "RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR"}


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("step-"))


def ranks_of(process: "subprocess.Popen[str]") -> dict[int, int]:
    """Process ids of the ranks that a stage process started, by rank."""
    found: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            told = (status.parent / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        rank = [one for one in told if re.fullmatch(rb"RANK=\d+", one)]
        if parent == process.pid and rank:
            found[int(rank[0].removeprefix(b"RANK="))] = int(status.parent.name)
    return found


def is_running(pid: int) -> bool:
    """Whether a process is there that is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal."""
    os.kill(pid, number)
