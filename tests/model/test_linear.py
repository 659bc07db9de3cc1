"""A packed model says what the same model says unpacked."""

import pytest
import torch

from hornbook.model.linear import Linear, can_pack
from hornbook.model.phi import KVCache, Phi
from tests.model.test_phi import SHAPE


@pytest.mark.parametrize("rows", [(1,), (2,), (7, 3), (1, 1)])
@pytest.mark.parametrize("has_gelu", [False, True])
def test_a_packed_product_is_the_product(rows, has_gelu):
    linear = Linear(48, 80)
    x = torch.randn(*rows, 48, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = torch.nn.functional.linear(x, linear.weight, linear.bias)
        if has_gelu:
            expected = torch.nn.functional.gelu(expected, approximate="tanh")
        linear.pack(has_gelu=has_gelu)
        assert torch.allclose(linear(x), expected, atol=1e-6)


@pytest.mark.parametrize("attention", ["explicit", "sdpa"])
def test_a_packed_model_says_the_same(attention):
    model = Phi(SHAPE, vocab_size=96, attention=attention)
    model.initialise(0)
    ids = torch.arange(18).view(2, 9)
    with torch.inference_mode():
        expected = model(ids)
        model.pack()
        assert model.blocks[0].fc1.is_packed
        assert torch.allclose(model(ids), expected, atol=1e-5)
        cache = KVCache(SHAPE, rows=1, slots=9, device="cpu", dtype=torch.float32)
        steps = [model(ids[:1, t : t + 1], cache) for t in range(9)]
    assert torch.allclose(torch.cat(steps, 1), expected[:1], atol=1e-5)


def test_only_fp32_on_a_cpu_is_packed():
    assert can_pack(torch.zeros(2, 2))
    assert not can_pack(torch.zeros(2, 2, dtype=torch.bfloat16))
    assert not can_pack(torch.zeros(2, 2, device="meta"))
    model = Phi(SHAPE, vocab_size=96, attention="sdpa").to(torch.bfloat16)
    model.pack()
    assert not model.head.is_packed
