"""What moves the weights: one small interface, so that the loop knows nothing of devices.

`TorchEngine` is one process on one device. An engine over several ranks has the same four
operations; `Engine.weights` is then where it gathers what it sharded.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from hornbook.errors import ConfigError
from hornbook.model.config import Model
from hornbook.model.phi import Phi
from hornbook.train.batching import micro_rows
from hornbook.train.config import Train
from hornbook.train.loss import sequence_losses
from hornbook.train.optimizer import MasterAdamW

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Engine(Protocol):
    """Batches in, moved weights out."""

    def step(self, ids_BT: "NDArray[np.int64]", lr: float) -> tuple[list[float], float | None]:
        """One optimizer step; the loss of each sequence before it, and the gradient's norm.

        The norm is None where the gradient overflowed and the step was skipped.
        """
        ...

    def evaluate(self, ids_BT: "NDArray[np.int64]") -> list[float]:
        """The loss of each sequence."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All tensors from which training goes on to the same bytes."""
        ...

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        ...

    def weights(self) -> Phi:
        """The whole model."""
        ...


class TorchEngine:
    """Plain torch in one process."""

    def __init__(self, shape: Model, settings: Train, *, vocab_size: int) -> None:
        self.settings = settings
        self.device = torch.device(settings.device)
        self.model = Phi(shape, vocab_size=vocab_size, attention=settings.attention)
        self.model.initialise(settings.seed)
        self.model.to(self.device)
        # masters are taken before the model is rounded to its dtype
        self.optimizer = MasterAdamW(self.model, settings.optim)
        self.model.to(DTYPES[settings.dtype])
        self.scale = LossScale() if settings.dtype == "float16" else None

    def step(self, ids_BT: "NDArray[np.int64]", lr: float) -> tuple[list[float], float | None]:
        """One optimizer step; the loss of each sequence before it, and the gradient's norm.

        The norm is None where the gradient overflowed and the step was skipped.
        """
        losses: list[Tensor] = []
        scale = self.scale.value if self.scale else 1.0
        for rows in micro_rows(len(ids_BT), self.settings.micro_sequences, ranks=1, rank=0):
            losses_B = sequence_losses(self.model, self._ids(ids_BT[rows]))
            (losses_B.sum() * (scale / len(ids_BT))).backward()
            self.optimizer.accumulate()
            losses.append(losses_B.detach())
        norm = self.optimizer.grad_norm(1.0 / scale)
        is_used = self.scale is None or self.scale.accept(is_finite=bool(norm.isfinite()))
        self.optimizer.step(lr, norm) if is_used else self.optimizer.clear()
        return torch.cat(losses).tolist(), norm.item() if is_used else None

    @torch.no_grad()
    def evaluate(self, ids_BT: "NDArray[np.int64]") -> list[float]:
        """The loss of each sequence."""
        found: list[float] = []
        micro = self.settings.micro_sequences
        for first in range(0, len(ids_BT), micro):
            ids = self._ids(ids_BT[first : first + micro])
            found += sequence_losses(self.model, ids).tolist()
        return found

    def state(self) -> dict[str, Tensor]:
        """All tensors from which training goes on to the same bytes."""
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

    def _ids(self, ids_BT: "NDArray[np.int64]") -> Tensor:
        return torch.from_numpy(ids_BT).to(self.device)


class LossScale:
    """The factor that keeps fp16 gradients from underflow; an overflow halves it.

    Source: Micikevicius et al., Mixed Precision Training (2018), with the constants of
    torch.amp.GradScaler.
    """

    def __init__(self) -> None:
        self.value, self._good_steps = 65536.0, 0

    def accept(self, *, is_finite: bool) -> bool:
        """Adapt to the last gradient; whether it may be used."""
        if not is_finite:
            self.value, self._good_steps = self.value / 2, 0
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


def open_engine(shape: Model, settings: Train, *, vocab_size: int) -> Engine:
    """The engine for these settings, with initial weights.

    Raises:
        ConfigError: The device is not there, or more ranks are asked for than one process has.
    """
    if settings.ranks != 1:
        raise ConfigError(
            f"train.ranks={settings.ranks}: the torch engine is one process; set train.ranks=1"
        )
    if settings.device == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError(
                "train.device=cuda, but torch finds no GPU here; train on a machine that has one, "
                "or set train.device=cpu with train.attention=sdpa"
            )
        if settings.attention == "flash" and find_spec("flash_attn") is None:
            raise ConfigError(
                "train.attention=flash, but flash-attn is not installed; "
                "install hornbook[gpu] or set train.attention=sdpa"
            )
        # cuBLAS reads this when it starts; without it a resumed run differs in the last bits
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(mode=True)
    torch.set_num_threads(settings.threads)
    return TorchEngine(shape, settings, vocab_size=vocab_size)
