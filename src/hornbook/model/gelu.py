"""gelu_new where it is slow: in training on a CPU."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

# 0.5 * (1 + tanh(z)) is sigmoid(2 z)
_SLOPE, _CUBIC = 2 * math.sqrt(2 / math.pi), 0.044715
# as tensors, for sums with a factor in one pass
_AT_ZERO, _LESS = torch.tensor(_SLOPE), torch.tensor(-2 * _SLOPE)
_AT_ONCE = 1 << 17  # numbers, whose intermediate values stay in the cache of a core


def gelu(x: Tensor) -> Tensor:
    """X times the tanh approximation of the normal distribution at x."""
    if x.requires_grad and x.device.type == "cpu":
        return Gelu.apply(x)
    return F.gelu(x, approximate="tanh")


class Gelu(torch.autograd.Function):
    """Value and derivative together, in fp32, by the sigmoid.

    torch's kernels take a tanh per element each way: 1.5 against .9 CPU-ms for 1,024 x 512 in
    bf16, and 12 % of a step of the laptop preset.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - torch's context has no public type
        """The value, in the dtype of `x`."""
        x = x.contiguous()
        value, derivative = torch.empty_like(x), torch.empty_like(x)
        parts = (one.view(-1).split(_AT_ONCE) for one in (x, value, derivative))
        for some, made, slopes in zip(*parts, strict=True):
            wide = some.float()
            square = wide * wide
            slope = torch.add(_AT_ZERO, square, alpha=_SLOPE * _CUBIC, out=square)
            gate = (slope * wide).sigmoid_()
            product = wide.mul_(gate)
            made.copy_(product)
            # of gate: gate (1 - gate) (3 slope - 2 SLOPE), times x
            rest = torch.addcmul(product, product, gate, value=-1)
            slopes.copy_(gate.addcmul_(rest, torch.add(_LESS, slope, alpha=3, out=slope)))
        ctx.save_for_backward(derivative)
        return value

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ANN401
        """The gradient times the derivative."""
        (derivative,) = ctx.saved_tensors
        return grads[0] * derivative
