"""DeepSpeed's engine beside the torch engine, and what it writes."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from hornbook.errors import ConfigError, PeerError
from hornbook.train import zero
from hornbook.train.engine import open_engine
from hornbook.train.head_loss import HeadLoss
from hornbook.train.parts import Parts, part_name
from hornbook.train.ranks import joined
from hornbook.train.snapshot import (
    Snapshot,
    clear_unfinished,
    load_snapshot,
    save_snapshot,
)
from tests.train.conftest import SETTINGS, SHAPE, VOCABULARY
from tests.train.test_golden import batches, rate

ZERO = replace(SETTINGS, engine="deepspeed")


def opened(settings):
    """The engine of one process, whichever it is."""
    with joined(settings) as ranks:
        return open_engine(SHAPE, settings, vocab_size=VOCABULARY, ranks=ranks)


def walked(engine, steps=6):
    """What each step found; the fourth is refused."""
    return [
        engine.step(ids, rate(number), lambda _loss, _norm, number=number: number != 3)
        for number, ids in enumerate(batches()[:steps])
    ]


# where a weight begins in memory decides how its bf16 sums are rounded; 8e-3 is a bf16 step
@pytest.mark.parametrize(("dtype", "rel"), [("float32", 1e-5), ("bfloat16", 2e-3)])
@pytest.mark.parametrize("z_loss", [0.0, 1e-2])
def test_one_rank_walks_the_steps_of_the_torch_engine(dtype, rel, z_loss):
    changes = {"dtype": dtype, "z_loss": z_loss}
    found = walked(opened(replace(ZERO, **changes)))
    expected = walked(opened(replace(SETTINGS, **changes)))
    assert [one.skipped for one in found] == [None, None, None, "spike", None, None]
    for one, other in zip(found, expected, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=rel)
        assert one.grad_norm == pytest.approx(other.grad_norm, rel=10 * rel)
        assert (one.z is None) == (z_loss == 0.0)
        assert (one.z or 0.0) == pytest.approx(other.z or 0.0, rel=rel)
        assert one.skipped == other.skipped


def test_the_head_and_loss_of_a_gpu_reach_every_part(monkeypatch):
    def on_a_gpu(model, ids_BT, *, has_z):
        x_TD = model.hidden(ids_BT[:, :-1]).flatten(0, 1)
        targets = ids_BT[:, 1:].flatten()
        losses, _ = HeadLoss.apply(x_TD, model.head.weight, model.head.bias, targets, has_z)
        return losses.view(len(ids_BT), -1).mean(-1), None

    monkeypatch.setattr(zero, "sequence_terms", on_a_gpu)
    found, expected = walked(opened(ZERO)), walked(opened(SETTINGS))
    for one, other in zip(found, expected, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-5)


def test_either_engine_goes_on_from_the_state_of_the_other():
    plain, sharded = opened(SETTINGS), opened(ZERO)
    walked(plain)
    state = {name: tensor.clone() for name, tensor in plain.state().items()}
    sharded.load(state)
    back = opened(SETTINGS)
    back.load(Parts.of(sharded.state()))
    for one, other in zip(plain.weights().parameters(), back.weights().parameters(), strict=True):
        assert torch.equal(one, other)
    ids = batches()[6]
    expected = plain.step(ids, 1e-3)
    assert back.step(ids, 1e-3) == expected
    assert sharded.step(ids, 1e-3).losses == pytest.approx(expected.losses, rel=1e-5)


@pytest.mark.parametrize("settings", [SETTINGS, ZERO], ids=["torch", "deepspeed"])
def test_recomputed_activations_change_no_bit(settings):
    kept, recomputed = (
        opened(replace(settings, activation_checkpointing=flag)) for flag in (False, True)
    )
    assert walked(kept) == walked(recomputed)


def test_evaluation_takes_any_number_of_sequences():
    engine, plain = opened(ZERO), opened(SETTINGS)
    for count in (1, 3):
        ids = batches()[0][:count]
        assert engine.evaluate(ids) == pytest.approx(plain.evaluate(ids), rel=1e-6)


def test_parts_of_any_cut_give_any_other_cut(tmp_path):
    whole = torch.arange(100, dtype=torch.float)
    files = []
    for number, (start, stop) in enumerate(((0, 40), (40, 80), (80, 100), (100, 100))):
        files.append(tmp_path / f"{number}.safetensors")
        tensors = {part_name("m.master", start, stop): whole[start:stop].clone()}
        save_file({**tensors, "m.step": torch.tensor(7.0)}, files[-1])
    parts = Parts.in_files(files)
    assert sorted(parts) == ["m.master", "m.step"]
    assert torch.equal(parts["m.master"], whole)
    assert parts["m.step"] == 7
    for start, stop in ((0, 50), (50, 100), (33, 66), (100, 100)):
        assert torch.equal(parts.cut("m.master", start, stop), whole[start:stop])
    with pytest.raises(KeyError, match="numbers 80 to 90 are in no part"):
        Parts.in_files(files[:2]).cut("m.master", 70, 90)


def snapshot(rank):
    tensors = {part_name("m.master", 4 * rank, 4 * rank + 4): torch.full((4,), float(rank))}
    return Snapshot(12, "d", {"a": 1}, tensors)


def test_a_checkpoint_of_ranks_is_there_when_all_parts_are(tmp_path):
    save_snapshot(tmp_path, snapshot(1), kept=2, rank=1, ranks=2)
    assert load_snapshot(tmp_path, print) is None
    save_snapshot(tmp_path, snapshot(0), kept=2, rank=0, ranks=2)
    found = load_snapshot(tmp_path, print)
    assert found is not None
    assert found.step == 12
    assert found.tensors["m.master"].tolist() == [0.0] * 4 + [1.0] * 4
    assert not list(tmp_path.glob("writing*"))


def test_the_first_rank_does_not_wait_for_ranks_that_are_gone(tmp_path):
    with pytest.raises(PeerError, match="another rank is gone"):
        save_snapshot(tmp_path, snapshot(0), kept=2, ranks=2, is_given_up=lambda: True)
    assert load_snapshot(tmp_path, print) is None
    clear_unfinished(tmp_path)
    assert not list(tmp_path.iterdir())


def test_importing_deepspeed_says_nothing_and_builds_nothing():
    code = (
        "import sys; from hornbook.train.zero import _deepspeed; d = _deepspeed('cpu');"
        "from deepspeed.comm.torch import build_shm_op; assert build_shm_op() is None;"
        "assert 'mlflow' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_deepspeed_that_is_not_there_is_named_with_the_remedy(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(zero, "import_module", missing)
    with pytest.raises(ConfigError, match=r"deepspeed is not installed here; run: make env, or"):
        opened(replace(ZERO, seed=3))


def test_more_ranks_than_an_engine_or_a_process_has_are_refused():
    with pytest.raises(ValidationError, match=r"train\.engine=torch is one process; for train\.ra"):
        replace(SETTINGS, ranks=2)
    with (
        pytest.raises(ConfigError, match=r"train\.ranks=2, but this process was started alone"),
        joined(replace(ZERO, ranks=2)),
    ):
        pass


def test_more_ranks_than_gpus_are_refused(monkeypatch):
    place = {"RANK": "2", "LOCAL_RANK": "2", "WORLD_SIZE": "3", "MASTER_ADDR": "a",
             "MASTER_PORT": "1"}  # fmt: skip
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    settings = replace(ZERO, ranks=3, batch_sequences=6, device="cuda", attention="sdpa")
    with (
        pytest.raises(ConfigError, match=r"puts rank 2 on this machine, which has 2 GPUs"),
        joined(settings),
    ):
        pass
