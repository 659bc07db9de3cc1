"""Checkpoints: changed keys, the curve at common steps, the distance of each layer."""

import json
import math

import pytest
import torch
from safetensors.torch import save_file

from hornbook.diff.checkpoints import compare
from tests.diff.made import pair, said, tables

CURVE = {
    "before": "step,loss,eval_loss\n20,3.0,\n40,2.0,2.5\n60,1.0,\n",
    "after": "step,loss,eval_loss\n20,3.0,\n40,1.5,2.25\n",
}


@pytest.fixture
def checkpoints(tmp_path):
    ones = torch.ones(4, 4)
    weights = {
        "before": {
            "model.layers.0.mlp.weight": ones, "model.layers.0.mlp.bias": torch.zeros(4),
            "model.layers.10.mlp.weight": ones, "lm_head.weight": ones, "gone.weight": ones,
        },
        "after": {
            "model.layers.0.mlp.weight": ones * 1.5, "model.layers.0.mlp.bias": torch.zeros(4),
            "model.layers.10.mlp.weight": ones, "lm_head.weight": torch.ones(8, 4),
        },
    }  # fmt: skip
    for name, hidden in (("before", 4), ("after", 8)):
        folder = tmp_path / name
        folder.mkdir()
        config = {"hidden_size": hidden, "rope": {"theta": 10000.0}, "same": None}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "curve.csv").write_text(CURVE[name])
        save_file(
            {k: v.bfloat16().clone() for k, v in weights[name].items()},
            folder / "model.safetensors",
        )
    return tmp_path


def test_weights_are_told_layer_by_layer_over_their_norm(checkpoints):
    found = tables(compare(pair(checkpoints)))
    assert found["model.safetensors: distance over the norm before"] == [
        ("layer 0", 0.5, "model.layers.0.mlp.weight", 0.5),
        ("layer 10", 0.0, "model.layers.10.mlp.weight", 0.0),
    ]


def test_shapes_that_differ_and_tensors_of_one_side_are_said(checkpoints):
    told = said(compare(pair(checkpoints)))
    assert "model.safetensors: only before: gone.weight" in told
    assert "model.safetensors: lm_head.weight has shape [4, 4] -> [8, 4], not compared" in told


def test_from_nothing_to_something_is_without_end(tmp_path):
    for name, value in (("before", 0.0), ("after", 1.0)):
        (tmp_path / name).mkdir()
        save_file({"a.weight": torch.full((2,), value)}, tmp_path / name / "model.safetensors")
    (rows,) = tables(compare(pair(tmp_path))).values()
    assert rows == [("a", math.inf, "a.weight", math.inf)]


def test_curves_are_compared_at_common_steps_and_at_the_end(checkpoints):
    parts = list(compare(pair(checkpoints)))
    assert "curve: 60 -> 40 steps, apart from step 40 on" in said(parts)
    found = tables(parts)
    assert found["curve at common steps"] == [
        ("loss", 20, 3.0, 3.0, 0.0),
        ("loss", 40, 2.0, 1.5, -0.5),
        ("eval_loss", 40, 2.5, 2.25, -0.25),
    ]
    assert found["losses at the end"] == [("loss", 1.0, 1.5, 0.5), ("eval_loss", None, 2.25, None)]


def test_changed_keys_of_the_configuration(checkpoints):
    found = tables(compare(pair(checkpoints)))
    assert found["config.json: changed keys"] == [("hidden_size", "4", "8")]
