"""AdamW on fp32 master weights, whatever the dtype of the model.

Masters, gradients and moments are two flat tensors each, one for what decays and one for what
does not: few kernel launches, and the form in which a sharded engine cuts them.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from hornbook.train.config import Optim

# one call for all tensors instead of one each; torch has them under these names only
_copy_all = torch._foreach_copy_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
_add_all = torch._foreach_add_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]

_fused_adamw = torch._fused_adamw_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


class _Group:
    """Some parameters, with their masters and gradients end to end in fp32."""

    def __init__(self, name: str, parameters: Sequence[nn.Parameter]) -> None:
        self.name, self.parameters = name, parameters
        self.master = torch.cat([one.detach().flatten().float() for one in parameters])
        self.master.grad = torch.zeros_like(self.master)
        self.grads = self._views(self.master.grad)
        self.rounded: Tensor | None = None

    def _views(self, flat: Tensor) -> list[Tensor]:
        sizes = [one.numel() for one in self.parameters]
        parts = zip(flat.split(sizes), self.parameters, strict=True)
        return [part.view(one.shape) for part, one in parts]

    def publish(self) -> None:
        """Round the masters into the model, whose parameters become views of one tensor."""
        dtype = self.parameters[0].dtype
        if self.rounded is None or self.rounded.dtype != dtype:
            self.rounded = self.master.to(dtype, copy=True)
            for one, part in zip(self.parameters, self._views(self.rounded), strict=True):
                one.data = part
        self.rounded.copy_(self.master)


class _Moments:
    """The averages of AdamW over one flat tensor, and its step.

    The kernel is that of torch.optim.AdamW(fused=True), called by itself because the class imports
    torch's compiler: 84 MiB and seconds of CPU time.
    """

    def __init__(self, master: Tensor, weight_decay: float) -> None:
        self.weight_decay = weight_decay
        self.tensors = {
            "exp_avg": torch.zeros_like(master),
            "exp_avg_sq": torch.zeros_like(master),
            "step": torch.zeros((), dtype=torch.float, device=master.device),
        }

    def step(self, master: Tensor, grad: Tensor, lr: float, settings: Optim) -> None:
        """Move the masters."""
        self.tensors["step"] += 1
        _fused_adamw(
            [master],
            [grad],
            [self.tensors["exp_avg"]],
            [self.tensors["exp_avg_sq"]],
            [],
            [self.tensors["step"]],
            lr=lr,
            beta1=settings.betas[0],
            beta2=settings.betas[1],
            weight_decay=self.weight_decay,
            eps=settings.eps,
            amsgrad=False,
            maximize=False,
        )


class MasterAdamW:
    """The optimizer of one process.

    `accumulate` after each backward pass, then `step`: the sum of the passes is the gradient.
    Source: section 2.3 (Adam, betas .9/.98, eps 1e-7, weight decay .1).
    """

    def __init__(self, model: nn.Module, settings: Optim) -> None:
        self.clip_norm = settings.clip_norm
        self._is_clear = True
        parameters = list(model.parameters())
        self._groups = (
            _Group("matrices", [one for one in parameters if one.dim() > 1]),
            _Group("vectors", [one for one in parameters if one.dim() == 1]),
        )
        self._settings = settings
        decays = (settings.weight_decay, 0.0)
        self._moments = [
            _Moments(group.master, decay) for group, decay in zip(self._groups, decays, strict=True)
        ]

    def accumulate(self) -> None:
        """Add the model's gradients to the fp32 ones and drop them."""
        for group in self._groups:
            grads = [one.grad for one in group.parameters]
            found = [grad for grad in grads if grad is not None]
            assert len(found) == len(grads), "a parameter took no part in the loss"
            if self._is_clear:
                _copy_all(group.grads, found)
            else:
                # a copy converts at memory speed, a sum of two dtypes does not
                _add_all(group.grads, found)
            for one in group.parameters:
                one.grad = None
        self._is_clear = False

    def grad_norm(self, scale: float = 1.0) -> Tensor:
        """Norm of the accumulated gradient over all parameters, after multiplying it by `scale`."""
        for group in self._groups:
            if scale != 1.0:
                _grad(group).mul_(scale)
        norms = [torch.linalg.vector_norm(_grad(group)) for group in self._groups]
        return torch.linalg.vector_norm(torch.stack(norms))

    @torch.no_grad()
    def step(self, lr: float, grad_norm: Tensor) -> None:
        """Clip, update the masters, round them into the model, clear the gradient."""
        if self.clip_norm is not None:
            shrink = (self.clip_norm / (grad_norm + 1e-6)).clamp(max=1.0)
            for group in self._groups:
                _grad(group).mul_(shrink)
        for group, moments in zip(self._groups, self._moments, strict=True):
            moments.step(group.master, _grad(group), lr, self._settings)
            group.publish()
        self.clear()

    def clear(self) -> None:
        """Forget the accumulated gradient."""
        self._is_clear = True

    def state(self) -> dict[str, Tensor]:
        """Masters, moments and step counts by name."""
        found: dict[str, Tensor] = {}
        for group, moments in zip(self._groups, self._moments, strict=True):
            found[f"{group.name}.master"] = group.master
            for key, value in moments.tensors.items():
                found[f"{group.name}.{key}"] = value
        return found

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from `state`; the model's weights follow from its masters."""
        for group, moments in zip(self._groups, self._moments, strict=True):
            group.master.copy_(state[f"{group.name}.master"])
            for key, value in moments.tensors.items():
                value.copy_(state[f"{group.name}.{key}"])
            group.publish()


def _grad(group: _Group) -> Tensor:
    assert group.master.grad is not None
    return group.master.grad
