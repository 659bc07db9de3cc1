"""The head and its cross-entropy as one step, for vocabularies whose softmax would fill a GPU.

Axis letters in this file: T position of any sequence, D width, V vocabulary.
"""

from typing import Any

import torch
from torch import Tensor

# fp32 probabilities that exist at a time: 512 MiB
_NUMBERS = 2**27


class HeadLoss(torch.autograd.Function):
    """-log p(target) of each row of hidden states and, where asked for, the squared log of the sum.

    The logits' memory becomes that of their gradient, in the dtype of the model; probabilities in
    fp32 exist for some rows at a time. For 16 thousand tokens and a vocabulary of 51,200 that is
    1.7 GB instead of 6.7. The gradient of a row is multiplied by what it is asked for where it is
    smallest, after the matrix products, so that fp16 loses no small probability to it.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's context has no public type
        x_TD: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor,
        targets_T: Tensor,
        has_z: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Both fp32; the second is None without `has_z`."""
        difference_TV = torch.addmm(bias_V, x_TD, weight_VD.t())
        rows = max(1, _NUMBERS // difference_TV.shape[1])
        losses: list[Tensor] = []
        log_sums: list[Tensor] = []
        for logits, targets in zip(difference_TV.split(rows), targets_T.split(rows), strict=True):
            loss, log_sum = _turn_into_gradient(logits, targets[:, None])
            losses.append(loss)
            log_sums.append(log_sum)
        log_sum_T = torch.cat(log_sums) if has_z else None
        ctx.save_for_backward(x_TD, weight_VD, difference_TV, targets_T, log_sum_T)
        ctx.set_materialize_grads(False)
        return torch.cat(losses), None if log_sum_T is None else log_sum_T.square()

    @staticmethod
    def backward(ctx: Any, *grads_T: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Probabilities less one at the target; z-loss adds probabilities times the log."""
        grad_T, grad_z_T = grads_T
        x_TD, weight_VD, difference_TV, targets_T, log_sum_T = ctx.saved_tensors
        assert grad_T is not None, "the objective leaves the loss out"
        extra_T = None if grad_z_T is None else 2 * log_sum_T * grad_z_T
        scale_T1 = (grad_T if extra_T is None else grad_T + extra_T).to(x_TD.dtype)[:, None]
        grad_x_TD = (difference_TV @ weight_VD).mul_(scale_T1)
        grad_weight_VD = difference_TV.t() @ (x_TD * scale_T1)
        grad_bias_V = (difference_TV.t() @ scale_T1)[:, 0]
        if extra_T is not None:
            # p (g + e) - y g = (p - y) (g + e) + y e
            extra_T1 = extra_T.to(x_TD.dtype)[:, None]
            grad_x_TD.add_(weight_VD[targets_T] * extra_T1)
            grad_weight_VD.index_add_(0, targets_T, x_TD * extra_T1)
            grad_bias_V.index_add_(0, targets_T, extra_T1[:, 0])
        return grad_x_TD, grad_weight_VD, grad_bias_V, None, None


def _turn_into_gradient(logits_TV: Tensor, targets_T1: Tensor) -> tuple[Tensor, Tensor]:
    """Loss of each row and the log of its softmax's sum; the logits become p - y in place."""
    at_T1 = logits_TV.gather(-1, targets_T1).float()
    top_T1 = logits_TV.amax(-1, keepdim=True).float()
    probabilities_TV = logits_TV.softmax(-1, dtype=torch.float)
    log_sum_T1 = top_T1 - probabilities_TV.amax(-1, keepdim=True).log()
    probability_T1 = probabilities_TV.gather(-1, targets_T1)
    logits_TV.copy_(probabilities_TV.scatter_(-1, targets_T1, probability_T1 - 1))
    return (log_sum_T1 - at_T1)[:, 0], log_sum_T1[:, 0]
