"""A small model with weights far from zero, so that a wrong term shows."""

import pytest
import torch

from hornbook.model.config import Model
from hornbook.model.phi import Phi

SHAPE = Model(
    layers=3,
    width=48,
    heads=4,
    rotary_channels=6,
    mlp_width=96,
    context_tokens=32,
    norm_eps=1e-5,
    rope_theta=10000.0,
    init_std=0.2,
)
VOCABULARY = 64


def build(attention="explicit", seed=0):
    model = Phi(SHAPE, vocab_size=VOCABULARY, attention=attention)
    model.initialise(seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:  # biases and norms at their initial values would hide a swap
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def model():
    return build()


@pytest.fixture
def ids():
    generator = torch.Generator().manual_seed(1)
    return torch.randint(VOCABULARY, (2, 20), generator=generator)
