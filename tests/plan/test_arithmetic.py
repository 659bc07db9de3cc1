"""Parameters, operations and bytes against the model itself and against what was published."""

from dataclasses import replace

import pytest
import torch
from pydantic import TypeAdapter

from hornbook.model.config import Model
from hornbook.model.phi import Phi
from hornbook.plan import arithmetic
from hornbook.plan.arithmetic import (
    Layout,
    activation_bytes,
    flops_per_token,
    memory_by_part,
    parameters_by_part,
    total,
)
from hornbook.plan.published import RUNS, utilisations_of
from hornbook.train import head_loss, zero
from hornbook.train.hardware import step_flops_per_token
from tests.made_run import CONF, conf

SHAPES = sorted(file.stem for file in (CONF / "model").glob("*.yaml"))
LAYOUT = Layout(
    engine="torch",
    ranks=1,
    micro_sequences=3,
    dtype="float32",
    attention="sdpa",
    device="cpu",
    is_recomputing=False,
)


def shape_of(name):
    return TypeAdapter(Model).validate_python(conf("model", name))


@pytest.mark.parametrize("name", SHAPES)
def test_parts_add_up_to_the_parameters_of_the_model(name):
    shape = shape_of(name)
    with torch.device("meta"):
        model = Phi(shape, vocab_size=1000, attention="sdpa")
    parts = parameters_by_part(shape, 1000)
    assert total(parts) == model.num_parameters()
    assert parts["head"] == sum(one.numel() for one in model.head.parameters())
    inside = sum(one.numel() for one in model.blocks.parameters())
    assert inside + 2 * shape.width == parts["attention"] + parts["mlp"] + parts["norms"]


def test_phi_1_5_has_the_operations_of_its_name():
    shape = shape_of("phi-1_5")
    flops = flops_per_token(shape, 51200)
    assert flops["6N"] == 6 * (1_418_270_720 - 51200 * 2048)
    assert flops["6N"] == pytest.approx(6 * 1.3e9, rel=0.02)
    assert flops["causal"] == step_flops_per_token(shape, 51200)
    assert flops["full"] - flops["causal"] == 6 * 24 * 2048 * 2048


@pytest.mark.parametrize("attention", ["sdpa", "explicit"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_activations_are_what_autograd_keeps(attention, dtype):
    """Bytes of distinct storages saved by one block more, beside its weights."""
    shape = replace(shape_of("smoke"), layers=3)
    layout = replace(LAYOUT, attention=attention, dtype=str(dtype).removeprefix("torch."))
    kept = [saved_bytes(replace(shape, layers=layers), attention, dtype) for layers in (2, 3)]
    tokens = layout.micro_sequences * shape.context_tokens
    assert (kept[1] - kept[0]) / tokens == pytest.approx(activation_bytes(shape, layout), rel=0.01)


def saved_bytes(shape, attention, dtype):
    model = Phi(shape, vocab_size=32, attention=attention)
    model.initialise(0)
    model.to(dtype)
    # what every block shares, and what is there anyway
    known = {one.untyped_storage().data_ptr() for one in model.parameters()}
    known |= {one.untyped_storage().data_ptr() for one in model.state_dict().values()}
    ids = torch.zeros(LAYOUT.micro_sequences, shape.context_tokens, dtype=torch.long)
    with torch.no_grad():
        model(ids)  # fills the tables of angles and the mask
    tables = [*model._turns.values(), tuple(model._causal.values())]
    known |= {one.untyped_storage().data_ptr() for table in tables for one in table}
    held = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden = model.hidden(ids)  # alive, so that no storage is used twice
    assert hidden.requires_grad
    return sum(held.values())


def test_zero_shares_gradients_and_optimizer_and_nothing_else():
    shape = shape_of("phi-1_5")
    one = memory_by_part(shape, 51200, replace(LAYOUT, engine="deepspeed", dtype="float16"))
    many = memory_by_part(
        shape, 51200, replace(LAYOUT, engine="deepspeed", dtype="float16", ranks=32)
    )
    parameters = 1_418_270_720
    assert one["optimizer"] == 12 * parameters
    assert many["optimizer"] == 12 * parameters // 32
    assert one["gradients"] - many["gradients"] == 4 * parameters - 4 * parameters // 32
    assert {name for name in one if one[name] != many[name]} == {"gradients", "optimizer"}


def test_what_the_arithmetic_counts_with_is_what_the_engine_does():
    assert arithmetic._BUCKET == zero._BUCKET
    assert arithmetic._SOFTMAX == head_loss._NUMBERS


def test_activation_checkpointing_keeps_a_blocks_input_and_one_block():
    shape = shape_of("phi-1_5")
    layout = replace(LAYOUT, dtype="float16", micro_sequences=4)
    plain = memory_by_part(shape, 51200, layout)["activations"]
    few = memory_by_part(shape, 51200, replace(layout, is_recomputing=True))["activations"]
    tokens = 4 * 2048
    assert plain - few == 23 * activation_bytes(shape, layout) * tokens - 24 * 2048 * 2 * tokens


@pytest.mark.parametrize(
    ("name", "hours", "share"),
    [("phi-1.5", 1500, 0.69), ("phi-1.5-web", 3000, 0.69), ("phi-1.5", 6144, 0.17),
     ("phi-1", 770, 0.46), ("phi-2", 32256, 0.63)],
)  # fmt: skip
def test_published_hours_imply_a_share_of_the_peak(name, hours, share):
    (run,) = [run for run in RUNS if (run.name, run.device_hours) == (name, hours)]
    assert run.peak_share == pytest.approx(share, abs=0.005)


def test_nothing_is_said_of_a_device_that_nobody_published():
    assert [one.share for one in utilisations_of("A100-80G")] == [RUNS[3].peak_share, 0.599]
    assert utilisations_of("H200-141G")
    assert utilisations_of("V100-32G") == utilisations_of("my own chip") == ()
