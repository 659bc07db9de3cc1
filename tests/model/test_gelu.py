"""The training form of gelu_new against torch's, in double precision."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from hornbook.model.gelu import Gelu, gelu


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.bfloat16, 2**-7)], ids=str
)
def test_value_and_gradient_are_those_of_torch_within_the_dtype(dtype, tolerance):
    # ends where exp under- and overflows, and the flat part
    x = torch.cat([torch.linspace(-12, 12, 4001), torch.tensor([-1e4, -100.0, 0.0, 100.0, 1e4])])
    mine = x.to(dtype).requires_grad_()
    peer = mine.detach().double().requires_grad_()
    ours, theirs = gelu(mine), F.gelu(peer, approximate="tanh")
    assert ours.dtype == dtype
    ours.backward(torch.ones_like(ours))
    theirs.sum().backward()
    torch.testing.assert_close(ours.double(), theirs, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(mine.grad.double(), peer.grad, rtol=tolerance, atol=tolerance)


def test_evaluation_takes_the_kernel_of_torch():
    x = torch.linspace(-3, 3, 101)
    assert torch.equal(gelu(x), F.gelu(x, approximate="tanh"))
    assert gelu(x.requires_grad_()).grad_fn.name() == f"{Gelu.__name__}Backward"
