"""`python -m hornbook train` as a process: killed at random, and the bytes at the end.

`pytest -s tests/train/test_resume.py` shows the hashes.
"""

import hashlib
import random
import signal
import sys
import time
from dataclasses import replace

import pytest

from hornbook.train.config import Guard, Keep
from tests.train.conftest import SETTINGS, SHAPE
from tests.train.workspace import Workspace

STEPS = 250
GUARD = Guard(window_steps=16, loss_deviations=9.0, norm_deviations=9.0, most_in_a_row=8)


@pytest.fixture
def workspace(start):
    """A function that makes a workspace of a name; all have the same inputs."""

    def make(name, dtype="bfloat16"):
        keep = Keep(every_steps=100, best=True)
        settings = replace(SETTINGS, dtype=dtype, z_loss=1e-4, guard=GUARD, keep=keep)
        return Workspace(start(name, steps=STEPS).root, SHAPE, settings)

    return make


def rows(workspace):
    """How many rows of the curve an unfinished run has shown."""
    journals = workspace.root.glob(".hornbook/pending/*/curve.jsonl")
    return sum(len(file.read_text().splitlines()) for file in journals)


def start_with(workspace, **runtime):
    return workspace.start(**{f"HORNBOOK_{key.upper()}": str(runtime[key]) for key in runtime})


def await_rows(workspace, process, count):
    workspace.await_that(process, lambda: rows(workspace) >= count)


def test_kill_9_and_sigterm_anywhere_with_other_workers_change_no_byte(workspace):
    whole = workspace("whole")
    whole.run()
    hurt = workspace("hurt")
    dice = random.Random(7)
    resumed = []
    for turn, number in enumerate((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)):
        process = start_with(
            hurt, checkpoint_seconds=0, data_workers=turn, checkpoints_kept=1 + turn
        )
        await_rows(hurt, process, rows(hurt) + dice.randint(8, 18))
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
    said = hurt.run(HORNBOOK_DATA_WORKERS="2")
    resumed += [line for line in said.splitlines() if "resuming after step" in line]
    assert len(resumed) == 4, "each start but the first goes on from a checkpoint"
    ours, theirs = hurt.files(), whole.files()
    assert ours.keys() == theirs.keys()
    lines = [
        f"{name:<48} {hashlib.sha256(theirs[name]).hexdigest()[:16]}  "
        f"{'equal' if ours[name] == theirs[name] else 'DIFFERENT'}"
        for name in sorted(theirs)
    ]
    sys.stdout.write("\n".join(["", *lines, *resumed, ""]))
    assert ours == theirs


def test_ctrl_c_saves_as_sigterm_does(workspace):
    one = workspace("one", "float32")
    process = start_with(one, checkpoint_seconds=1e9)
    await_rows(one, process, 10)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "was stopped by SIGINT after step" in said
    (checkpoint,) = one.checkpoints()
    step = int(checkpoint.name.removeprefix("step-"))
    assert f"resuming after step {step} of {STEPS}" in one.run()
