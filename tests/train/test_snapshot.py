"""Checkpoints that were damaged in every way, and those that fill the disk."""

import errno
import os
import shutil
import threading

import pytest
import torch

from hornbook.errors import StageError
from hornbook.train.background import Background
from hornbook.train.snapshot import Snapshot, found, load_snapshot, on_host, save_snapshot
from hornbook.train.train import train
from tests.made_run import file_bytes


def snapshot(step):
    generator = torch.Generator().manual_seed(step)
    tensors = {"a": torch.rand(64, generator=generator), "b": torch.full((2, 2), float(step))}
    return Snapshot(step, f"digest {step}", {"rows": [step]}, tensors)


def empty(path):
    for file in path.iterdir():
        file.unlink()


def cut(path):
    file = path / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-5])


def flip(path):
    file = path / "state.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 4
    file.write_bytes(content)


def edit(path):
    file = path / "state.json"
    file.write_text(file.read_text().replace("digest 2", "digest 7"))


DAMAGES = {
    "empty folder": empty,
    "no weights": lambda path: (path / "state.safetensors").unlink(),
    "no facts": lambda path: (path / "state.json").unlink(),
    "no checksums": lambda path: (path / "checksums.json").unlink(),
    "cut": cut,
    "a bit flipped": flip,
    "facts edited": edit,
    "checksums are no JSON": lambda path: (path / "checksums.json").write_text("{"),
    "checksums of nothing": lambda path: (path / "checksums.json").write_text("{}"),
    "checksums are a list": lambda path: (path / "checksums.json").write_text("[]"),
    "a file in its place": lambda path: (shutil.rmtree(path), path.write_text("")),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_newest_checkpoint_falls_back_with_a_warning(tmp_path, damage):
    for step in (1, 2):
        save_snapshot(tmp_path, snapshot(step), kept=2)
    damage(tmp_path / "step-000000002")
    said = []
    got = load_snapshot(tmp_path, said.append)
    assert got is not None
    assert (got.step, got.digest, got.facts) == (1, "digest 1", {"rows": [1]})
    assert torch.equal(got.tensors["a"], snapshot(1).tensors["a"])
    assert len(said) == 1
    assert "step-000000002 is damaged" in said[0]
    assert [path.name for path in found(tmp_path)] == ["step-000000001"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO], ids=["permission", "disk"])
def test_a_checkpoint_that_cannot_be_read_now_stays_and_is_said(tmp_path, monkeypatch, number):
    for step in (1, 2):
        save_snapshot(tmp_path, snapshot(step), kept=2)

    def fail(file):
        raise OSError(number, os.strerror(number), str(file))

    with monkeypatch.context() as patch:
        patch.setattr("hornbook.train.snapshot.checksum", fail)
        with pytest.raises(
            StageError, match=r"step-000000002 cannot be read .*nothing was removed"
        ):
            load_snapshot(tmp_path, pytest.fail)
    got = load_snapshot(tmp_path, pytest.fail)
    assert got is not None
    assert got.step == 2


def test_a_kept_model_that_cannot_be_read_now_costs_no_checkpoint(start, monkeypatch):
    from hornbook.train import keep

    killed = start("killed", checkpoint_seconds=0.0, fail_at=14)
    with pytest.raises(KeyboardInterrupt):
        train(killed)
    before = found(killed.pending / "checkpoints")

    def fail(file):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

    with monkeypatch.context() as patch:
        patch.setattr(keep, "checksum", fail)
        with pytest.raises(StageError, match=r"kept/step-\d+ cannot be read .*nothing was removed"):
            train(start("killed"))
    assert found(killed.pending / "checkpoints") == before
    again = start("killed")
    train(again)
    assert "resuming after step 13 of 23" in again.logs


def test_when_all_are_damaged_the_run_starts_again_and_says_so(tmp_path):
    save_snapshot(tmp_path, snapshot(1), kept=2)
    empty(tmp_path / "step-000000001")
    said = []
    assert load_snapshot(tmp_path, said.append) is None
    assert said[-1] == "no checkpoint is whole; starting from the first step"


def test_a_checkpoint_that_lacks_what_it_counts_on_is_passed_over(tmp_path):
    for step in (1, 2):
        save_snapshot(tmp_path, snapshot(step), kept=2)
    said = []
    got = load_snapshot(tmp_path, said.append, lambda one: "no model" if one.step == 2 else None)
    assert got is not None
    assert got.step == 1
    assert "no model" in said[0]


def test_a_write_that_was_cut_short_leaves_the_ones_before(tmp_path, monkeypatch):
    save_snapshot(tmp_path, snapshot(1), kept=2)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hornbook.train.snapshot.checksum", die)
        with pytest.raises(KeyboardInterrupt):
            save_snapshot(tmp_path, snapshot(2), kept=2)
    assert list(tmp_path.glob("writing*"))
    said = []
    got = load_snapshot(tmp_path, said.append)
    assert got is not None
    assert (got.step, said) == (1, [])
    save_snapshot(tmp_path, snapshot(2), kept=2)
    assert not list(tmp_path.glob("writing*"))


@pytest.mark.parametrize("kept", [1, 3])
def test_as_many_checkpoints_stay_as_are_to_be_kept(tmp_path, kept):
    for step in range(1, 6):
        save_snapshot(tmp_path, snapshot(step), kept=kept)
    steps = [int(path.name.removeprefix("step-")) for path in found(tmp_path)]
    assert steps == list(range(1, 6))[-kept:]


def test_what_is_saved_is_the_state_of_then(tmp_path):
    live = snapshot(1)
    copy = on_host(live)
    live.tensors["a"].zero_()
    assert copy.tensors["a"].any()


def test_saving_goes_on_beside_training_in_order_and_is_waited_for():
    gate, done = threading.Event(), []
    with Background() as background:
        background.give(lambda: (gate.wait(10), done.append(1)))
        assert done == []
        gate.set()
        background.give(lambda: done.append(2))
    assert done == [1, 2]


def test_an_error_of_a_save_reaches_the_next_call_and_the_end():
    def fail():
        raise OSError(28, "No space left on device")

    def one_job():
        with Background() as background:
            background.give(fail)

    with pytest.raises(OSError, match="No space left"):
        one_job()
    with Background() as background:
        background.give(fail)
        with pytest.raises(OSError, match="No space left"):
            background.give(lambda: None)


def test_a_disk_that_is_full_stops_the_stage_and_the_former_checkpoint_serves(start, monkeypatch):
    from hornbook.train import loop

    whole = start("whole")
    train(whole)

    def full(folder, snapshot, **more):
        if snapshot.step > 9:
            raise OSError(28, "No space left on device")
        save_snapshot(folder, snapshot, **more)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_snapshot", full)
        with pytest.raises(OSError, match="No space left"):
            train(start("full", checkpoint_seconds=0.0))
    again = start("full")
    train(again)
    assert "resuming after step 9 of 23" in again.logs
    assert file_bytes(again.out) == file_bytes(whole.out)
