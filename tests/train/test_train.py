"""The stage as a whole: what it writes, that it learns, and that stopping it changes no byte."""

import json
from dataclasses import replace

import pytest
import torch

from hornbook.errors import ArtifactError, ConfigError, HornbookError
from hornbook.model.checkpoint import load_model
from hornbook.train.snapshot import load_snapshot, save_snapshot
from hornbook.train.train import train
from hornbook.train.train_seed import train_seed
from tests.made_run import file_bytes
from tests.train.conftest import SETTINGS


def files_of(run):
    return file_bytes(run.out)


def test_a_run_writes_a_model_its_tokenizer_its_curve_and_its_facts(start):
    run = start()
    train(run)
    model = {"config.json", "meta.json", "model.safetensors", "tokenizer.json"}
    kept = ("best", "checkpoints/step-000000010", "checkpoints/step-000000020")
    assert set(files_of(run)) == {
        *model,
        *(f"{folder}/{name}" for folder in kept for name in model),
        "curve.csv",
        "metrics.json",
    }
    header, *rows = (run.out / "curve.csv").read_text().splitlines()
    assert header == (
        "step,tokens,loss,eval_loss,lr,grad_norm,skipped,"
        "loss_books,loss_code,eval_loss_books,eval_loss_code,"
        "loss_books/long,loss_books/short,loss_books/other,"
        "eval_loss_books/long,eval_loss_books/short,eval_loss_books/other"
    )
    steps = [int(row.split(",")[0]) for row in rows]
    assert steps == [3, 5, 6, 9, 10, 12, 15, 18, 20, 21, 23]
    metrics = json.loads((run.out / "metrics.json").read_text())
    assert metrics["steps"] == 23
    assert metrics["tokens"] == 23 * 4 * 16
    assert metrics["parameters"] == load_model(run.out).num_parameters()
    assert run.measures["tokens_per_second"] > 0
    assert 0 < run.measures["mfu"] < 1


def test_the_loss_falls_on_both_sources_and_on_held_out_text(start):
    run = start(steps=150)
    train(run)
    lines = [line.split(",") for line in (run.out / "curve.csv").read_text().splitlines()]
    evaluated = [dict(zip(lines[0], row, strict=True)) for row in lines[1:] if row[3]]
    for column in ("loss_books", "loss_code", "eval_loss", "eval_loss_books", "eval_loss_code"):
        first, last = float(evaluated[0][column]), float(evaluated[-1][column])
        assert last < 0.6 * first, column


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_killed_run_that_goes_on_equals_an_uninterrupted_one(start, dtype):
    whole = start("whole", dtype=dtype)
    train(whole)
    killed = start("killed", dtype=dtype, checkpoint_seconds=0.0, fail_at=14)
    with pytest.raises(KeyboardInterrupt):
        train(killed)
    again = start("killed", dtype=dtype)
    train(again)
    assert "resuming after step 13 of 23" in again.logs
    assert files_of(again) == files_of(whole)
    journals = [(run.pending / "curve.jsonl").read_bytes() for run in (whole, again)]
    assert journals[0] == journals[1]


def test_sigterm_leaves_a_checkpoint_and_a_message(start):
    whole = start("whole")
    train(whole)
    with pytest.raises(HornbookError, match=r"train@toy was stopped by SIGTERM after step 8 of 23"):
        train(start("stopped", terminate_at=8))
    again = start("stopped")
    train(again)
    assert "resuming after step 8 of 23" in again.logs
    assert files_of(again) == files_of(whole)


def test_a_checkpoint_of_another_order_is_refused(start):
    with pytest.raises(HornbookError, match="SIGTERM"):
        train(start("stopped", terminate_at=8))
    again = start("stopped")
    folder = again.pending / "checkpoints"
    snapshot = replace(load_snapshot(folder, print), digest="0" * 64)
    save_snapshot(folder, snapshot, kept=2)
    with pytest.raises(ArtifactError, match=r"step 8 .* another order \(digest 000000000000"):
        train(again)


def test_an_export_that_failed_is_repeated_without_training_again(start):
    first = start("a")
    train(first)
    wanted = files_of(first)
    again = start("a", fail_at=1)
    train(again)
    assert "resuming after step 23 of 23" in again.logs
    assert files_of(again) == wanted


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(start):
    whole = start("whole")
    train(whole)
    killed = start("killed", checkpoint_seconds=0.0, fail_at=14)
    with pytest.raises(KeyboardInterrupt):
        train(killed)
    newest = max((killed.pending / "checkpoints").glob("step-*")) / "state.safetensors"
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    again = start("killed")
    train(again)
    assert any("step-000000013 is damaged" in line for line in again.logs)
    assert "resuming after step 12 of 23" in again.logs
    assert files_of(again) == files_of(whole)


def test_accumulation_changes_the_result_by_rounding_only(start):
    runs = [start(name, micro_sequences=micro) for name, micro in (("a", 1), ("b", 4))]
    losses = []
    for run in runs:
        train(run)
        losses.append(json.loads((run.out / "metrics.json").read_text())["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_another_seed_is_another_model_and_another_order(start):
    first, second = start("a"), start("b", seed=1)
    for run in (first, second):
        train(run)
    assert files_of(first)["model.safetensors"] != files_of(second)["model.safetensors"]
    digests = [json.loads(files_of(run)["metrics.json"])["digest"] for run in (first, second)]
    assert digests[0] != digests[1]


def test_a_further_seed_is_what_the_variant_would_be_from_that_seed(start):
    first, second = start("a"), start("b", seed=3)
    train(first)
    train(second)
    again = start("c", seed=1, instance="toy-2")
    train_seed(again)
    assert files_of(again) == files_of(second), "seed 2 begins two after train.seed"
    assert files_of(again)["model.safetensors"] != files_of(first)["model.safetensors"]


def test_bf16_follows_fp32_within_its_precision(start):
    losses = []
    for dtype in ("float32", "bfloat16"):
        run = start(dtype, steps=60, dtype=dtype)
        train(run)
        losses.append(json.loads((run.out / "metrics.json").read_text())["loss"])
        stored = load_model(run.out).head.weight.dtype
        assert stored == getattr(torch, dtype)
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_sequences": 512}, r"budget_tokens=1,472 is less than one step of 8,192 tokens"),
        (
            {"optim": replace(SETTINGS.optim, lr=1e30, clip_norm=None)},
            r"loss or gradient is (nan|inf) at step \d+ .* lower train\.optim\.lr=1e\+30",
        ),
    ],
    ids=["budget", "nan"],
)
def test_what_cannot_be_trained_says_which_setting_to_change(start, changes, message):
    with pytest.raises(ConfigError, match=message):
        train(start(**changes))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_missing_gpu_is_said_before_anything_starts(start):
    with pytest.raises(ConfigError, match=r"train\.device=cuda, but torch finds no GPU here"):
        train(start(device="cuda", attention="sdpa"))
