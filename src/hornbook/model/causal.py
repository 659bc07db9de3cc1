"""Causal attention in blocks of queries where torch's own is slow: in training on a CPU.

Axis letters in this file: X row and head, T query or its key, S key that a block sees, H head
channel.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# torch has it under this name only
_softmax_backward = torch._softmax_backward_data  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
QUERIES_AT_ONCE = 256  # measured on a CPU with AVX512-BF16


def causal(q_XTH: Tensor, k_XTH: Tensor, v_XTH: Tensor, mask_TT: Tensor) -> Tensor:
    """Values mixed by softmax attention, XTH; a query sees the keys up to its own.

    `mask_TT` is added to the scores, 0 or -inf.
    """
    if q_XTH.requires_grad:
        return Causal.apply(q_XTH, k_XTH, v_XTH, mask_TT)
    return _mixed(q_XTH * _scale(q_XTH), k_XTH, v_XTH, mask_TT, lambda _: None)


class Causal(torch.autograd.Function):
    """Softmax attention of as many queries as keys, each of which sees the keys up to its own.

    What no query of a block sees is not computed: at 1,024 that is 3 parts of 8. Written with its
    gradient because autograd gives each block's keys a gradient of all keys' size, mostly zeros,
    to be added up: that is 6 % of a training step at width 512 and context 1,024.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's context has no public type
        q_XTH: Tensor,
        k_XTH: Tensor,
        v_XTH: Tensor,
        mask_TT: Tensor,
    ) -> Tensor:
        """As of `causal`."""
        scaled_XTH = q_XTH * _scale(q_XTH)
        weights: list[Tensor] = []
        mixed_XTH = _mixed(scaled_XTH, k_XTH, v_XTH, mask_TT, weights.append)
        ctx.save_for_backward(scaled_XTH, k_XTH, v_XTH, *weights)
        return mixed_XTH

    @staticmethod
    def backward(ctx: Any, *grads_XTH: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Gradients of queries, keys and values."""
        scaled_XTH, k_XTH, v_XTH, *weights = ctx.saved_tensors
        grad_XTH = grads_XTH[0]
        grad_q_XTH = torch.empty_like(scaled_XTH)
        grad_k_XTH, grad_v_XTH = torch.empty_like(k_XTH), torch.empty_like(v_XTH)
        blocks = zip(_blocks(scaled_XTH.shape[1]), weights, strict=True)
        for (start, end), weight_XTS in reversed(list(blocks)):
            own_XTH = grad_XTH[:, start:end]
            grad_weight_XTS = own_XTH.bmm(v_XTH[:, :end].transpose(1, 2))
            grad_score_XTS = _softmax_backward(grad_weight_XTS, weight_XTS, -1, weight_XTS.dtype)
            grad_q_XTH[:, start:end] = grad_score_XTS.bmm(k_XTH[:, :end])
            # the block of the last queries sees all keys: it sets what the others add to
            kept = 0.0 if end == scaled_XTH.shape[1] else 1.0
            own_q_XTH, seen_XST = scaled_XTH[:, start:end], grad_score_XTS.transpose(1, 2)
            grad_v_XTH[:, :end].baddbmm_(weight_XTS.transpose(1, 2), own_XTH, beta=kept)
            grad_k_XTH[:, :end].baddbmm_(seen_XST, own_q_XTH, beta=kept)
        return grad_q_XTH.mul_(_scale(scaled_XTH)), grad_k_XTH, grad_v_XTH, None


def _mixed(
    scaled_XTH: Tensor,
    k_XTH: Tensor,
    v_XTH: Tensor,
    mask_TT: Tensor,
    note: Callable[[Tensor], None],
) -> Tensor:
    """The values of each block of queries; `note` is told the weights of each, XTS."""
    mixed_XTH = torch.empty_like(scaled_XTH)
    for start, end in _blocks(scaled_XTH.shape[1]):
        scores_XTS = scaled_XTH[:, start:end].bmm(k_XTH[:, :end].transpose(1, 2))
        scores_XTS[:, :, start:].add_(mask_TT[start:end, start:end])
        weights_XTS = scores_XTS.softmax(-1)
        note(weights_XTS)
        mixed_XTH[:, start:end] = weights_XTS.bmm(v_XTH[:, :end])
    return mixed_XTH


def _scale(x_XTH: Tensor) -> float:
    return 1 / math.sqrt(x_XTH.shape[-1])


def _blocks(queries: int) -> list[tuple[int, int]]:
    ends = [*range(QUERIES_AT_ONCE, queries, QUERIES_AT_ONCE), queries]
    return list(zip([0, *ends[:-1]], ends, strict=True))
