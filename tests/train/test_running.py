"""Batches drawn ahead, models kept, z-loss, peaks and shortages: the parts of a run."""

import csv
import json
import re
from dataclasses import replace

import pytest
import torch

from hornbook.errors import ConfigError
from hornbook.model.checkpoint import load_model
from hornbook.plan.arithmetic import Layout, memory_by_part
from hornbook.track.records import _train as tracked
from hornbook.train import hardware, shortage
from hornbook.train.batches import Batches
from hornbook.train.config import Guard, Keep, Schedule
from hornbook.train.data import open_data
from hornbook.train.engine import LossScale, open_engine
from hornbook.train.loss import CrossEntropy
from hornbook.train.train import train
from tests.made_run import file_bytes
from tests.train.conftest import CONTEXT, SETTINGS, SHAPE, VOCABULARY


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_draw_what_the_loop_draws_in_its_order(start, workers):
    run = start()
    data = open_data(run, run.input("artifacts/mixture/toy"), SETTINGS, context_tokens=CONTEXT)

    def drawn(workers):
        with Batches(
            data.open_sampler,
            sequences=4,
            first=5,
            steps=17,
            workers=workers,
            device=torch.device("cpu"),
        ) as batches:
            return [batches.take() for _ in range(5, 17)]

    for step, (one, other) in enumerate(zip(drawn(0), drawn(workers), strict=True), 5):
        assert torch.equal(one.ids_BT, other.ids_BT)
        assert (one.sources, one.windows) == (other.sources, other.windows)
        assert one.ids_BT.tolist() == data.sampler.batch(step, 4).tolist()


def test_an_error_in_a_thread_reaches_the_loop():
    def broken():
        raise OSError("the disk is gone")

    with (
        Batches(
            broken, sequences=1, first=0, steps=2, workers=2, device=torch.device("cpu")
        ) as one,
        pytest.raises(OSError, match="the disk is gone"),
    ):
        one.take()


def curve_of(run):
    with (run.out / "curve.csv").open() as lines:
        return list(csv.DictReader(lines))


def test_the_best_model_is_that_of_the_lowest_held_out_loss_and_loads(start):
    constant = Schedule(kind="constant", warmup_share=0.0, decay_share=0.0, final_share=1.0)
    wild = replace(SETTINGS.optim, lr=5.0)  # so that the last step is not the best
    run = start(schedule=constant, optim=wild, keep=Keep(every_steps=None, best=True))
    train(run)
    losses = {
        int(row["step"]): float(row["eval_loss"]) for row in curve_of(run) if row["eval_loss"]
    }
    metrics = json.loads((run.out / "metrics.json").read_text())
    best = min(losses, key=lambda step: (losses[step], step))
    assert metrics["best_step"] == best
    assert metrics["best_eval_loss"] == pytest.approx(losses[best], rel=1e-6)
    assert best != metrics["steps"], "the test needs a run that gets worse"
    last, kept = load_model(run.out), load_model(run.out / "best")
    assert not torch.equal(last.head.weight, kept.head.weight)
    engine = open_engine(SHAPE, SETTINGS, vocab_size=VOCABULARY)
    engine.model = kept
    data = open_data(run, run.input("artifacts/mixture/toy"), SETTINGS, context_tokens=CONTEXT)
    assert data.heldout.losses(engine)["all"] == pytest.approx(losses[best], rel=1e-5)


def test_a_damaged_kept_model_takes_the_checkpoints_that_count_on_it_along(start):
    whole = start("whole")
    train(whole)
    killed = start("killed", checkpoint_seconds=0.0, checkpoints_kept=30, fail_at=17)
    with pytest.raises(KeyboardInterrupt):
        train(killed)
    (killed.pending / "kept" / "step-000000010" / "model.safetensors").write_bytes(b"x")
    again = start("killed")
    train(again)
    assert any("the model kept at step 10 " in line for line in again.logs)
    assert "resuming after step 9 of 23" in again.logs
    assert file_bytes(again.out) == file_bytes(whole.out)


def test_former_bests_do_not_pile_up(start):
    run = start(steps=120, checkpoint_seconds=0.0, keep=Keep(every_steps=50, best=True))
    train(run)
    evaluated = [row for row in curve_of(run) if row["eval_loss"]]
    assert len(evaluated) == 24
    left = sorted(path.name for path in (run.pending / "kept").glob("step-*"))
    assert {"step-000000050", "step-000000100"} <= set(left)
    assert len(left) <= 4


def test_z_loss_and_its_gradient_are_those_of_autograd():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 11, generator=generator) * 3 + 2
    targets = torch.randint(11, (7,), generator=generator)
    mine, peer = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    losses, squares = CrossEntropy.apply(mine, targets, True)
    expected = peer.logsumexp(-1).square()
    torch.testing.assert_close(squares, expected)
    (losses.mean() + 0.3 * squares.mean()).backward()
    entropy = torch.nn.functional.cross_entropy(peer, targets)
    (entropy + 0.3 * expected.mean()).backward()
    torch.testing.assert_close(mine.grad, peer.grad)


def test_z_loss_keeps_the_sum_of_the_softmax_near_one_and_is_no_part_of_the_loss(start):
    found = {}
    for weight in (1e-9, 1e-1):
        run = start(str(weight), steps=60, z_loss=weight)
        train(run)
        found[weight] = curve_of(run)
    first, last = ({w: float(rows[n]["z"]) for w, rows in found.items()} for n in (0, -1))
    assert first[1e-1] == pytest.approx(first[1e-9], rel=0.2)
    assert last[1e-1] < 0.5 * last[1e-9]
    assert float(found[1e-1][0]["loss"]) == pytest.approx(float(found[1e-9][0]["loss"]), rel=0.05)


def test_mlflow_gets_every_column_that_a_row_has(start):
    run = start(z_loss=1e-4, guard=Guard(8, 99.0, 99.0, 2))
    train(run)
    content = tracked(run.out)
    step, metrics = content.curve[-1]
    assert step == 23
    assert {"z", "skipped", "loss_books/long", "eval_loss_books/long"} <= set(metrics)
    assert {"skipped_steps", "best_step", "eval_loss_by_domain/books/long"} <= set(content.metrics)


def test_the_peak_is_measured_once_for_each_device_and_dtype(tmp_path, monkeypatch):
    measured = []

    def peak(settings):
        measured.append(settings.dtype)
        return 1e12

    monkeypatch.setattr(hardware, "_measure_peak", peak)
    known = tmp_path / "machine.json"
    for dtype in ("float32", "bfloat16", "float32"):
        assert hardware.matmul_peak(replace(SETTINGS, dtype=dtype), known) == 1e12
    assert measured == ["float32", "bfloat16"]
    known.write_text("{")
    hardware.matmul_peak(SETTINGS, known)
    assert measured[2:] == ["float32"]
    assert all(name.endswith(("float32", "bfloat16")) for name in json.loads(known.read_text()))


@pytest.mark.parametrize(
    ("capability", "dtype", "remedy"),
    [
        ((6, 1), "float16", "needs .* 7.0 or more; Old has 6.1; set train.dtype=float32"),
        ((7, 5), "bfloat16", "8.0 or more; Old has 7.5; set train.dtype=float16"),
        ((7, 0), "float16", None),
        ((8, 0), "bfloat16", None),
        ((5, 0), "float32", None),
    ],
)
def test_a_gpu_that_lacks_the_dtype_is_refused_with_one_it_has(
    monkeypatch, capability, dtype, remedy
):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old")
    settings = replace(SETTINGS, device="cuda", attention="sdpa", dtype=dtype)
    if remedy is None:
        hardware.require_dtype(settings)
        return
    with pytest.raises(ConfigError, match=remedy):
        hardware.require_dtype(settings)


def test_running_out_of_memory_names_the_setting():
    remedy = r"lower train\.micro_sequences=2 to 1"
    with pytest.raises(ConfigError, match=remedy), shortage.memory_errors(SETTINGS):
        torch.empty(1 << 55)
    one = replace(SETTINGS, micro_sequences=1)
    with pytest.raises(ConfigError, match="is 1 already"), shortage.memory_errors(one):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    with pytest.raises(RuntimeError, match="shapes"), shortage.memory_errors(SETTINGS):
        raise RuntimeError("shapes differ")


def test_a_model_that_cannot_fit_is_refused_before_it_is_made():
    vast = replace(SHAPE, width=1 << 17, mlp_width=1 << 19, layers=40)
    with pytest.raises(
        ConfigError, match=r"parameters need .* GiB .* free on cpu .* smaller model="
    ):
        shortage.require_memory(vast, SETTINGS, vocab_size=VOCABULARY)


@pytest.mark.parametrize("ranks", [1, 4])
def test_ranks_share_the_optimizer_and_those_of_a_machine_its_memory(monkeypatch, ranks):
    settings = replace(SETTINGS, engine="deepspeed", ranks=ranks, micro_sequences=1)
    parts = memory_by_part(SHAPE, VOCABULARY, Layout.of(settings))
    needed = ranks * (parts["weights"] + parts["gradients"] + parts["optimizer"])
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    monkeypatch.setenv("LOCAL_SIZE", str(ranks))  # as DeepSpeed's launcher calls it
    monkeypatch.setattr(shortage, "_host_bytes", lambda: needed)
    shortage.require_memory(SHAPE, settings, vocab_size=VOCABULARY)
    monkeypatch.setattr(shortage, "_host_bytes", lambda: needed - ranks)
    with pytest.raises(ConfigError, match=rf"on each of {ranks} rank.* fewer ranks on a machine"):
        shortage.require_memory(SHAPE, settings, vocab_size=VOCABULARY)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")  # as torchrun does
    monkeypatch.setattr(shortage, "_host_bytes", lambda: needed // ranks)
    shortage.require_memory(SHAPE, settings, vocab_size=VOCABULARY)


def test_what_a_run_needs_is_said_before_it_takes_memory(start, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr("hornbook.train.train.open_engine", full)
    run = start()
    with pytest.raises(ConfigError, match=r"memory of cpu ran out"):
        train(run)
    said = "\n".join(run.logs)
    assert re.search(r"^memory +[\d.]+ MiB +on each device: fits", said, flags=re.MULTILINE)


def test_fp16_that_overflows_for_ever_ends_with_what_to_do():
    scale = LossScale()
    for _ in range(30):
        assert not scale.accept(is_finite=False)
    with pytest.raises(ConfigError, match=r"overflow even when scaled .* train\.dtype=bfloat16"):
        scale.accept(is_finite=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "wsd", "decay_share": 0.0}, "wsd needs a share above 0"),
        ({"kind": "cosine", "decay_share": 0.2}, "the other kinds 0.0"),
        ({"kind": "wsd", "warmup_share": 0.5, "decay_share": 0.6}, "more than the whole run"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(changes, message):
    whole = {"kind": "constant", "warmup_share": 0.0, "decay_share": 0.0, "final_share": 1.0}
    with pytest.raises(ValueError, match=message):
        Schedule(**{**whole, **changes})
