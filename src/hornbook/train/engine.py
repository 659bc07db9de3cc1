"""What moves the weights: one small interface, so that the loop knows nothing of devices.

`TorchEngine` is one process on one device. `ZeroEngine` has the same operations over several ranks,
each of which holds the whole weights.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from hornbook.errors import ConfigError
from hornbook.model.config import Model
from hornbook.model.phi import Phi
from hornbook.train.batching import micro_rows
from hornbook.train.config import Train
from hornbook.train.hardware import keep_freed_memory, require_dtype
from hornbook.train.loss import sequence_losses, sequence_terms
from hornbook.train.optimizer import MasterAdamW

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hornbook.train.ranks import Ranks

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


# token ids [sequences, context_tokens + 1]: drawn on the host, or already on the engine's device
Ids: TypeAlias = "NDArray[np.int64] | Tensor"
# from the mean loss and the gradient's norm of a step, whether it may move the weights
Judge: TypeAlias = Callable[[float, float | None], bool]


def accept_all(_loss: float, _grad_norm: float | None) -> bool:
    """The judge that takes every step."""
    return True


@dataclass(frozen=True)
class Stepped:
    """What an optimizer step found before it moved the weights, or why it did not.

    `losses` is of each sequence of the whole batch; `z` their mean squared log of the softmax's
    sum, where z-loss is on; `grad_norm` before clipping, None where the gradient overflowed.
    """

    losses: list[float]
    z: float | None
    grad_norm: float | None
    skipped: Literal["overflow", "spike"] | None = None


class Engine(Protocol):
    """Batches in, moved weights out.

    Attributes:
        device: Where batches are wanted.
    """

    device: torch.device

    def step(self, ids_BT: Ids, lr: float, judge: Judge = accept_all) -> Stepped:
        """One optimizer step, unless the gradient overflows or `judge` refuses it.

        `judge` is asked once, before weights and moments move, and on all ranks with the same
        numbers; an engine that has no norm by then gives it None.
        """
        ...

    def evaluate(self, ids_BT: Ids) -> list[float]:
        """The loss of each sequence."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All tensors from which training goes on to the same bytes; they may be live."""
        ...

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        ...

    def weights(self) -> Phi:
        """The whole model, live."""
        ...


class TorchEngine:
    """Plain torch in one process."""

    def __init__(self, shape: Model, settings: Train, *, vocab_size: int) -> None:
        self.settings = settings
        self.device = torch.device(settings.device)
        self.model = Phi(shape, vocab_size=vocab_size, attention=settings.attention)
        self.model.recomputes = settings.activation_checkpointing
        self.model.initialise(settings.seed)
        self.model.to(self.device)
        # masters are taken before the model is rounded to its dtype
        self.optimizer = MasterAdamW(self.model, settings.optim)
        self.model.to(DTYPES[settings.dtype])
        if settings.compile:
            self.model.compile_blocks()
        self.scale = LossScale() if settings.dtype == "float16" else None

    def step(self, ids_BT: Ids, lr: float, judge: Judge = accept_all) -> Stepped:
        """One optimizer step, unless the gradient overflows or `judge` refuses it."""
        scale = self.scale.value if self.scale else 1.0
        losses, z = self._gradient(ids_BT, scale)
        norm = self.optimizer.grad_norm(1.0 / scale)
        if self.scale and not self.scale.accept(is_finite=bool(norm.isfinite())):
            self.optimizer.clear()
            return Stepped(losses, z, None, "overflow")
        if not judge(sum(losses) / len(losses), norm.item()):
            self.optimizer.clear()
            return Stepped(losses, z, norm.item(), "spike")
        self.optimizer.step(lr, norm)
        return Stepped(losses, z, norm.item())

    def _gradient(self, ids_BT: Ids, scale: float) -> tuple[list[float], float | None]:
        """Accumulate the batch's gradient times `scale`; its losses, and its mean z."""
        losses: list[Tensor] = []
        squares: list[Tensor] = []
        weight, whole = self.settings.z_loss, scale / len(ids_BT)
        for rows in micro_rows(len(ids_BT), self.settings.micro_sequences, ranks=1, rank=0):
            losses_B, squares_B = sequence_terms(
                self.model, self._ids(ids_BT[rows]), has_z=weight > 0
            )
            objective = losses_B.sum() * whole
            if squares_B is not None:
                objective = objective + squares_B.sum() * (weight * whole)
                squares.append(squares_B.detach())
            objective.backward()
            self.optimizer.accumulate()
            losses.append(losses_B.detach())
        z = torch.cat(squares).mean().item() if squares else None
        return torch.cat(losses).tolist(), z

    @torch.no_grad()
    def evaluate(self, ids_BT: Ids) -> list[float]:
        """The loss of each sequence."""
        found: list[float] = []
        micro = self.settings.micro_sequences
        for first in range(0, len(ids_BT), micro):
            ids = self._ids(ids_BT[first : first + micro])
            found += sequence_losses(self.model, ids).tolist()
        return found

    def state(self) -> dict[str, Tensor]:
        """All tensors from which training goes on to the same bytes; they are live."""
        scale = {"loss_scale": self.scale.state()} if self.scale else {}
        return {**self.optimizer.state(), **scale}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        self.optimizer.load(state)
        if self.scale:
            self.scale.load(state["loss_scale"])

    def weights(self) -> Phi:
        """The model itself."""
        return self.model

    def _ids(self, ids_BT: Ids) -> Tensor:
        return torch.as_tensor(ids_BT, device=self.device)


_LEAST_SCALE = 2.0**-14  # below it fp16's own range is lost


class LossScale:
    """The factor that keeps fp16 gradients from underflow; an overflow halves it.

    Source: Micikevicius et al., Mixed Precision Training (2018), with the constants of
    torch.amp.GradScaler.
    """

    def __init__(self) -> None:
        self.value, self._good_steps = 65536.0, 0

    def accept(self, *, is_finite: bool) -> bool:
        """Adapt to the last gradient; whether it may be used.

        Raises:
            ConfigError: Gradients overflow however small the factor.
        """
        if not is_finite:
            self.value, self._good_steps = self.value / 2, 0
            if self.value < _LEAST_SCALE:
                raise ConfigError(
                    f"fp16 gradients overflow even when scaled by {self.value:g}; set "
                    f"train.dtype=bfloat16, or lower train.optim.lr or train.optim.clip_norm"
                )
            return False
        self._good_steps += 1
        if self._good_steps == 2000:
            self.value, self._good_steps = self.value * 2, 0
        return True

    def state(self) -> Tensor:
        """For a checkpoint."""
        return torch.tensor([self.value, self._good_steps], dtype=torch.float64)

    def load(self, state: Tensor) -> None:
        """From a checkpoint."""
        self.value, self._good_steps = float(state[0]), int(state[1])


def require_device(settings: Train) -> None:
    """What is asked for is here.

    Raises:
        ConfigError: The device is not, or it does not compute in that dtype.
    """
    if settings.device != "cuda":
        return
    if not torch.cuda.is_available():
        raise ConfigError(
            "train.device=cuda, but torch finds no GPU here; train on a machine that has one, "
            "or on this one with train.device=cpu train.dtype=auto train.attention=auto"
        )
    require_dtype(settings)
    if settings.attention == "flash" and find_spec("flash_attn") is None:
        raise ConfigError(
            "train.attention=flash, but flash-attn is not installed; "
            "install hornbook[gpu] or set train.attention=sdpa"
        )


def open_engine(
    shape: Model, settings: Train, *, vocab_size: int, ranks: "Ranks | None" = None
) -> Engine:
    """The engine for these settings, with initial weights; `ranks` as `joined` gives them.

    Raises:
        ConfigError: The device or a package is not there.
    """
    require_device(settings)
    if settings.device == "cuda":
        # cuBLAS reads this when it starts; without it a resumed run differs in the last bits
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(mode=True)
        # it would write NaN into every new tensor first, so that reading one too early shows
        deterministic: Any = torch.utils.deterministic
        deterministic.fill_uninitialized_memory = False
    else:
        keep_freed_memory()
    torch.set_num_threads(settings.threads)
    if settings.engine == "deepspeed":
        from hornbook.train.zero import ZeroEngine

        assert ranks is not None, "DeepSpeed needs to know its ranks"
        return ZeroEngine(shape, settings, vocab_size=vocab_size, ranks=ranks)
    return TorchEngine(shape, settings, vocab_size=vocab_size)
