"""A matrix product that a CPU can take with the weight in the layouts that suit it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses


class Linear(nn.Linear):
    """x W' + b, after `pack` by the kernels that are fastest without a gradient.

    torch hands fp32 products on a CPU to MKL, which leaves AVX512 alone on processors that are not
    Intel's: 95 GFLOP/s on a core of an AMD EPYC, where oneDNN with a packed weight does 215. For
    one row MKL with W by columns takes .62 of oneDNN's time and .33 of MKL's with W by rows.
    """

    is_packed = False
    _packed: Tensor
    _has_gelu = False

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the base class's name
        """The product, after `pack` with what was asked for there."""
        if not self.is_packed:
            return F.linear(input, self.weight, self.bias)
        if input.numel() == self.in_features:
            product = F.linear(input, self.weight, self.bias)
            return F.gelu(product, approximate="tanh") if self._has_gelu else product
        after = ("gelu", "tanh") if self._has_gelu else ("none", "")
        # what inductor calls; there is no public name
        product = torch.ops.mkldnn._linear_pointwise.default  # noqa: SLF001
        return product(input, self._packed, self.bias, after[0], [], after[1])

    @torch.no_grad()
    def pack(self, *, has_gelu: bool = False) -> None:
        """Lay the weight out anew, twice; from now on without a gradient, with gelu if asked."""
        self._packed = torch.ops.mkldnn._reorder_linear_weight(self.weight, None)  # noqa: SLF001
        self.weight = nn.Parameter(self.weight.t().contiguous().t(), requires_grad=False)
        self._has_gelu = has_gelu
        self.is_packed = True


def can_pack(weight: Tensor) -> bool:
    """Whether `Linear.pack` knows the device and dtype of a weight."""
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
    )
