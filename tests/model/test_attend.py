"""Explicit attention in blocks of queries, against torch's kernel."""

import math

import pytest
import torch

from hornbook.model import causal, phi


def cut(monkeypatch, queries):
    for module in (phi, causal):
        monkeypatch.setattr(module, "QUERIES_AT_ONCE", queries)


@pytest.mark.parametrize("tokens", [15, 16, 17, 50])
def test_blocks_of_queries_give_what_the_kernel_gives_and_its_gradients(monkeypatch, tokens):
    cut(monkeypatch, 16)
    generator = torch.Generator().manual_seed(tokens)
    given = [torch.randn(2, 3, tokens, 8, generator=generator) for _ in range(3)]
    mask = torch.full((tokens, tokens), -math.inf).triu_(1)
    weights = torch.randn(2, tokens, 3, 8, generator=generator)
    found = []
    for attention, one in (("explicit", mask), ("sdpa", None)):
        inputs = [x.clone().requires_grad_() for x in given]
        mixed = phi.attend(*inputs, one, attention)
        (mixed * weights).sum().backward()
        found.append([mixed, *(x.grad for x in inputs), phi.attend(*given, one, attention)])
    for mine, peer in zip(*found, strict=True):
        torch.testing.assert_close(mine, peer, rtol=1e-5, atol=1e-5)


def test_keys_of_a_cache_are_not_cut_into_blocks(monkeypatch):
    cut(monkeypatch, 2)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, n, 4, generator=generator) for n in (5, 9, 9))
    mask = torch.full((9, 9), -math.inf).triu_(1)[4:]
    expected = phi.attend(q, k, v, mask, "sdpa")
    torch.testing.assert_close(phi.attend(q, k, v, mask, "explicit"), expected)
