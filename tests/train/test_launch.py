"""A stage on two ranks, started as a user starts it: what it trains, and how it ends."""

import json
import re
import signal
import socket
import sys
from dataclasses import replace
from functools import partial

import pytest

from hornbook.train.train import train
from tests.train.conftest import SETTINGS, SHAPE, open_run
from tests.train.workspace import Workspace, is_running, kill, ranks_of

STEPS = 60
TWO = replace(SETTINGS, engine="deepspeed", ranks=2, micro_sequences=1, dtype="bfloat16")


def make(folder, name, settings=TWO, steps=STEPS):
    return Workspace(open_run(folder, name, steps=steps).root, SHAPE, settings)


@pytest.fixture
def workspace(tmp_path):
    """A function that makes a workspace with its settings."""
    return partial(make, tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run on two ranks, with what it said."""
    one = make(tmp_path_factory.mktemp("ranks"), "whole")
    return one, one.run()


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_two_ranks_train_what_one_process_trains(whole, start):
    workspace, said = whole
    assert said.count("done -> artifacts/train/toy") == 1
    alone = start("alone", steps=STEPS, dtype="bfloat16")
    train(alone)
    one, two = metrics_of(alone.out), metrics_of(workspace.out)
    assert two["digest"] == one["digest"]
    assert two["tokens"] == one["tokens"]
    assert two["loss"] == pytest.approx(one["loss"], rel=0.02)
    assert two["eval_loss"] == pytest.approx(one["eval_loss"], rel=0.02)


def test_a_run_that_was_ended_in_three_ways_is_the_uninterrupted_one(whole, workspace):
    ended = workspace("ended")
    stage = ended.start(HORNBOOK_CHECKPOINT_SECONDS="0")
    ended.await_step(stage, 5)
    team = ranks_of(stage)
    assert sorted(team) == [0, 1]
    stage.send_signal(signal.SIGTERM)
    _, complained = stage.communicate(timeout=120)
    assert stage.returncode == 2
    assert "train@toy was stopped by SIGTERM after step" in complained
    assert not any(is_running(pid) for pid in team.values())

    stage = ended.start(HORNBOOK_CHECKPOINT_SECONDS="0")
    ended.await_step(stage, 20)
    team = ranks_of(stage)
    kill(team[1])
    said, complained = stage.communicate(timeout=120)
    assert stage.returncode == 2
    assert "resuming after step" in said
    assert complained.startswith("rank 1 was killed by SIGKILL")
    assert "rank 1 of 2 ended, and with it the others" in complained
    assert not any(is_running(pid) for pid in team.values())

    newest = ended.checkpoints()[-1]
    damaged = newest / "state-00001-of-00002.safetensors"
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    said = ended.run()
    assert f"{newest.name} is damaged (ValueError: checksum of {damaged.name})" in said
    assert ended.files() == whole[0].files()


def test_ranks_end_when_the_process_that_started_them_is_killed(workspace):
    orphaned = workspace("a", steps=100_000)
    stage = orphaned.start(HORNBOOK_CHECKPOINT_SECONDS="0")
    orphaned.await_step(stage, 2)
    team = ranks_of(stage)
    kill(stage.pid)
    stage.wait()
    orphaned.await_end(team.values())
    assert len(orphaned.checkpoints()) == 2


def test_torchrun_starts_the_stage_as_well(workspace, start):
    settings = replace(TWO, dtype="float32")
    joined = workspace("joined", settings, steps=12)
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d",
                "--rdzv-endpoint=127.0.0.1:0", "-m", "hornbook", "train", "toy"]  # fmt: skip
    joined.run(sys.executable, *torchrun)
    alone = start("alone", steps=12)
    train(alone)
    one, two = metrics_of(alone.out), metrics_of(joined.out)
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-4)
    assert two["digest"] == one["digest"]


@pytest.mark.parametrize(
    ("settings", "environment", "message"),
    [
        (
            TWO,
            {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "4", "MASTER_ADDR": "127.0.0.1",
             "MASTER_PORT": "1"},
            r"train\.ranks=2, but the launcher started 4; start 2, or compose train\.ranks=4",
        ),
        (
            TWO,
            {"HORNBOOK_LAUNCHER": "deepspeed"},
            r"runtime\.hostfile=None: runtime\.launcher=deepspeed needs a file",
        ),
        (
            TWO,
            {"HORNBOOK_LAUNCHER": "slurm"},
            r"runtime\.launcher=slurm, but this is no Slurm allocation; submit the script",
        ),
    ],
    ids=["world", "hostfile", "slurm"],
)  # fmt: skip
def test_ranks_that_cannot_start_say_what_to_change(workspace, settings, environment, message):
    refused = workspace("a", settings).start(**environment)
    _, complained = refused.communicate(timeout=120)
    assert refused.returncode == 2
    assert re.search(message, complained), complained


def test_a_port_in_use_is_named_with_the_setting(workspace):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = workspace("a").start(HORNBOOK_MASTER_PORT=str(port))
        _, complained = refused.communicate(timeout=120)
    assert refused.returncode == 2
    assert f"127.0.0.1:{port}: the port is in use; set runtime.master_port" in complained
