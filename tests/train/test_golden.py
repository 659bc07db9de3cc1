"""Ten steps on fixed ids: the losses of the day this was written, and those of transformers.

The golden file holds fp32 losses of one x86 CPU with AVX-512. Another CPU or thread count sums in
another order; 1e-4 is thirty times the difference seen between torch's scalar and AVX-512
kernels, and a hundredth of what a wrong beta or a missing bias changes.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hornbook.model.checkpoint import save_model
from hornbook.train.engine import open_engine
from hornbook.train.schedule import learning_rate
from tests.train.conftest import CONTEXT, SETTINGS, SHAPE, VOCABULARY

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "train_10_steps.txt"
STEPS = 10


def batches():
    """Ids without a random generator: squares modulo a prime, for any machine and numpy."""
    row = np.arange(STEPS * 4)[:, None]
    ids = (row * 7 + np.arange(CONTEXT + 1)[None] ** 2 * 3) % 61
    return ids.astype(np.int64).reshape(STEPS, 4, CONTEXT + 1)


def rate(step):
    return learning_rate(SETTINGS.schedule, peak=SETTINGS.optim.lr, step=step, steps=STEPS)


def ten_losses(settings):
    engine = open_engine(SHAPE, settings, vocab_size=VOCABULARY)
    steps = [engine.step(ids, rate(number)).losses for number, ids in enumerate(batches())]
    return [sum(losses) / len(losses) for losses in steps]


def test_ten_steps_are_those_of_the_golden_file():
    expected = [float(line) for line in GOLDEN.read_text("utf-8").split()]
    assert ten_losses(SETTINGS) == pytest.approx(expected, abs=1e-4)


def test_sdpa_walks_the_same_ten_steps():
    expected = [float(line) for line in GOLDEN.read_text("utf-8").split()]
    assert ten_losses(replace(SETTINGS, attention="sdpa")) == pytest.approx(expected, abs=1e-3)


def test_transformers_walks_the_same_ten_steps(tmp_path):
    transformers = pytest.importorskip("transformers")
    engine = open_engine(SHAPE, SETTINGS, vocab_size=VOCABULARY)
    save_model(engine.weights(), tmp_path, eos_token_id=None)
    peer = transformers.PhiForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    optim = SETTINGS.optim
    parameters = list(peer.parameters())
    adam = torch.optim.AdamW(
        [
            {"params": [one for one in parameters if one.dim() > 1], "weight_decay": 0.1},
            {"params": [one for one in parameters if one.dim() == 1], "weight_decay": 0.0},
        ],
        betas=optim.betas,
        eps=optim.eps,
    )
    losses = []
    for number, ids in enumerate(batches()):
        for group in adam.param_groups:
            group["lr"] = rate(number)
        tokens = torch.from_numpy(ids)
        adam.zero_grad()
        logits = peer(tokens[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, optim.clip_norm)
        adam.step()
        losses.append(loss.item())
    assert ten_losses(SETTINGS) == pytest.approx(losses, abs=1e-3)
