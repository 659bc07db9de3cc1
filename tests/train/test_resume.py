"""`python -m hornbook train` as a process: killed at random, and the bytes at the end.

`pytest -s tests/train/test_resume.py` shows the hashes.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from hornbook.train.config import Guard, Keep, Train
from tests.made_run import file_bytes
from tests.train.conftest import SETTINGS, SHAPE

REPOSITORY = Path(__file__).resolve().parents[2]
STEPS = 250
DVC_YAML = """
stages:
  train:
    foreach: [toy]
    do:
      cmd: python -m hornbook train ${item}
      deps:
        - artifacts/mixture/${item}
        - artifacts/tokens/books
        - artifacts/tokens/code
        - artifacts/tokens/tokenizer
        - artifacts/clean/decontaminated/books
        - artifacts/clean/decontaminated/code
      params: [model, train]
      outs: ["artifacts/train/${item}"]
"""
GUARD = Guard(window_steps=16, loss_deviations=9.0, norm_deviations=9.0, most_in_a_row=8)


class Workspace:
    """A checkout with inputs of a training and nothing else."""

    def __init__(self, root: Path, dtype: str) -> None:
        self.root = root
        keep = Keep(every_steps=100, best=True)
        settings = replace(SETTINGS, dtype=dtype, z_loss=1e-4, guard=GUARD, keep=keep)
        params = {
            "model": TypeAdapter(type(SHAPE)).dump_python(SHAPE),
            "train": TypeAdapter(Train).dump_python(settings, mode="json"),
        }
        (root / "dvc.yaml").write_text(DVC_YAML)
        (root / "params.yaml").write_text(yaml.safe_dump(params))
        (root / "conf").mkdir()
        shutil.copytree(REPOSITORY / "conf" / "runtime", root / "conf" / "runtime")

    def start(self, **runtime: object) -> subprocess.Popen[str]:
        values = {f"HORNBOOK_{name.upper()}": str(value) for name, value in runtime.items()}
        path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
        return subprocess.Popen(
            [sys.executable, "-m", "hornbook", "train", "toy"],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": path, **values},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def rows(self) -> int:
        """How many rows of the curve an unfinished run has shown."""
        journals = list(self.root.glob(".hornbook/pending/*/curve.jsonl"))
        return sum(len(file.read_text().splitlines()) for file in journals)

    def wait_for(self, rows: int, process: subprocess.Popen[str]) -> None:
        end = time.monotonic() + 120
        while self.rows() < rows and process.poll() is None:
            assert time.monotonic() < end, "no progress"
            time.sleep(0.002)

    def end(self, **runtime: object) -> str:
        process = self.start(**runtime)
        said, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return said

    @property
    def out(self) -> dict[str, bytes]:
        return file_bytes(self.root / "artifacts" / "train" / "toy")


@pytest.fixture
def workspace(start, tmp_path):
    def make(name, dtype="bfloat16"):
        return Workspace(start(name, steps=STEPS).root, dtype)

    return make


def digest(out):
    return hashlib.sha256(b"".join(out[name] for name in sorted(out))).hexdigest()


def test_kill_9_and_sigterm_anywhere_with_other_workers_change_no_byte(workspace):
    whole = workspace("whole")
    whole.end()
    hurt = workspace("hurt")
    dice = random.Random(7)
    resumed = []
    for turn, number in enumerate((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)):
        process = hurt.start(checkpoint_seconds=0, data_workers=turn, checkpoints_kept=1 + turn)
        hurt.wait_for(hurt.rows() + dice.randint(8, 18), process)
        time.sleep(dice.random() * 0.05)
        process.send_signal(number)
        said, errors = process.communicate(timeout=120)
        if number == signal.SIGTERM:
            assert process.returncode == 2
            assert "was stopped by SIGTERM after step" in errors
            assert "the same command goes on from there" in errors
        else:
            assert process.returncode == -signal.SIGKILL, said + errors
        resumed += [line for line in said.splitlines() if "resuming after step" in line]
    said = hurt.end(data_workers=2)
    resumed += [line for line in said.splitlines() if "resuming after step" in line]
    assert len(resumed) == 4, "each start but the first goes on from a checkpoint"
    assert hurt.out.keys() == whole.out.keys()
    lines = [
        f"{name:<48} {hashlib.sha256(whole.out[name]).hexdigest()[:16]}  "
        f"{'equal' if hurt.out[name] == whole.out[name] else 'DIFFERENT'}"
        for name in sorted(whole.out)
    ]
    sys.stdout.write("\n".join(["", *lines, *resumed, ""]))
    assert digest(hurt.out) == digest(whole.out)


def test_ctrl_c_saves_as_sigterm_does(workspace):
    one = workspace("one", "float32")
    process = one.start(checkpoint_seconds=1e9)
    one.wait_for(10, process)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "was stopped by SIGINT after step" in said
    (checkpoint,) = one.root.glob(".hornbook/pending/*/checkpoints/step-*")
    step = int(checkpoint.name.removeprefix("step-"))
    assert f"resuming after step {step} of {STEPS}" in one.end()
