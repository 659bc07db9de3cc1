"""What counts as a spike, and what the stage does about one."""

import json
import math
from dataclasses import replace

import pytest

from hornbook.errors import ConfigError
from hornbook.train.config import Guard
from hornbook.train.engine import Stepped, TorchEngine
from hornbook.train.guard import SpikeGuard
from hornbook.train.train import train
from tests.made_run import file_bytes

GUARD = Guard(window_steps=8, loss_deviations=4.0, norm_deviations=4.0, most_in_a_row=2)
# median 2.0, median distance from it .1: a robust deviation is .14826
LOSSES = [1.8, 1.9, 1.9, 2.0, 2.0, 2.1, 2.1, 2.2]
EDGE = 2.0 + 4 * 1.4826 * 0.1


def filled():
    guard = SpikeGuard(GUARD)
    assert all(guard.accepts(loss, loss) for loss in LOSSES)
    return guard


@pytest.mark.parametrize(
    ("loss", "norm", "reason"),
    [
        (EDGE - 1e-6, 2.0, ""),
        (EDGE + 1e-6, 2.0, "loss of 2.593 (4 deviations above the median 2 of the last 8)"),
        (2.0, EDGE + 1e-6, "gradient norm of 2.593"),
        (0.1, 0.1, ""),  # far below is no spike
        (2.0, None, ""),
        (math.nan, 2.0, "loss of nan"),
        (2.0, math.inf, "gradient norm of inf"),
    ],
)
def test_a_spike_is_far_above_the_median_and_nothing_else(loss, norm, reason):
    guard = filled()
    assert guard.accepts(loss, norm) == (not reason)
    assert guard.reason.startswith(reason)


def test_before_the_window_is_full_only_what_is_not_finite_is_refused():
    guard = SpikeGuard(GUARD)
    assert all(guard.accepts(loss, loss) for loss in [*LOSSES[:7], 1000.0])
    assert not SpikeGuard(GUARD).accepts(math.inf, 1.0)


def test_without_a_limit_any_norm_is_taken_that_is_a_number():
    guard = SpikeGuard(replace(GUARD, norm_deviations=None))
    assert all(guard.accepts(loss, loss) for loss in [*LOSSES, 2.0])
    assert guard.accepts(2.0, 1e6)
    assert not guard.accepts(2.0, math.nan)
    assert not guard.accepts(50.0, 2.0)


def test_losses_that_hardly_differ_refuse_no_small_step_up():
    guard = SpikeGuard(GUARD)
    assert all(guard.accepts(2.0, 2.0) for _ in range(8))
    assert guard.accepts(2.007, 2.0)
    assert not guard.accepts(2.009, 2.0)


def test_a_refused_loss_does_not_move_the_measure():
    guard = filled()
    assert not guard.accepts(50.0, 2.0)
    assert not guard.accepts(EDGE + 0.01, 2.0)


def test_too_many_in_a_row_end_the_run_and_one_between_them_does_not():
    guard = filled()
    for loss in (9.0, 9.0, 2.0, 9.0, 9.0):
        guard.accepts(loss, 2.0)
    with pytest.raises(ConfigError, match=r"3 steps in a row .* lower train\.optim\.lr"):
        guard.accepts(9.0, 2.0)


def test_a_guard_that_goes_on_from_a_checkpoint_decides_the_same():
    one = filled()
    one.accepts(9.0, 2.0)
    other = SpikeGuard(GUARD)
    other.load(json.loads(json.dumps(one.state())))
    for loss in (EDGE + 1e-6, 2.0, EDGE - 1e-6, 2.3, 9.0):
        assert one.accepts(loss, 2.0) == other.accepts(loss, 2.0)
    assert one.state() == other.state()


@pytest.fixture
def spikes(monkeypatch):
    """A function after which the batches of some steps read as sequences of large loss."""
    gradient = TorchEngine._gradient

    def at(steps):
        count = iter(range(10_000))

        def spiked(engine, ids, scale):
            losses, z = gradient(engine, ids, scale)
            return ([loss + 50 for loss in losses], z) if next(count) in steps else (losses, z)

        monkeypatch.setattr(TorchEngine, "_gradient", spiked)

    return at


def test_a_spike_is_skipped_said_and_counted_and_the_weights_stay(start, spikes):
    guard = replace(GUARD, loss_deviations=30.0, norm_deviations=30.0)
    spikes({15, 16})
    run = start(guard=guard)
    train(run)
    said = [line for line in run.logs if "skipped" in line]
    assert len(said) == 2
    assert said[1].startswith("step 17 skipped: loss of 5")
    assert said[1].endswith("2 so far")
    metrics = json.loads((run.out / "metrics.json").read_text())
    assert metrics["skipped_steps"] == 2
    header, *rows = (run.out / "curve.csv").read_text().splitlines()
    column = header.split(",").index("skipped")
    skipped = {int(row.split(",")[0]): int(row.split(",")[column]) for row in rows}
    assert {step: count for step, count in skipped.items() if count} == {18: 2}


def test_a_refused_step_moves_neither_weights_nor_moments(start):
    from hornbook.train.engine import open_engine
    from tests.train.conftest import SETTINGS, SHAPE, VOCABULARY
    from tests.train.test_golden import batches

    engine = open_engine(SHAPE, SETTINGS, vocab_size=VOCABULARY)
    first, second = batches()[:2]
    engine.step(first, 1e-2)
    before = {name: tensor.clone() for name, tensor in engine.state().items()}
    refused = engine.step(second, 1e-2, lambda *_: False)
    assert isinstance(refused, Stepped)
    assert refused.skipped == "spike"
    after = engine.state()
    assert all(bool((before[name] == after[name]).all()) for name in before)


def test_a_run_stopped_between_spikes_goes_on_to_the_same_bytes(start, spikes):
    guard = replace(GUARD, loss_deviations=30.0, norm_deviations=30.0)
    spikes({12, 16})
    whole = start("whole", guard=guard)
    train(whole)
    spikes({12})
    killed = start("killed", guard=guard, checkpoint_seconds=0.0, fail_at=15)
    with pytest.raises(KeyboardInterrupt):
        train(killed)
    spikes({16 - 14})
    again = start("killed", guard=guard)
    train(again)
    assert "resuming after step 14 of 23" in again.logs
    assert file_bytes(again.out) == file_bytes(whole.out)
