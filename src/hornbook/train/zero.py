"""DeepSpeed ZeRO-2: every rank has the weights, and its own part of masters, moments and gradients.

The parts are cut from the same two flat tensors as in `MasterAdamW`, matrices and vectors in the
order of the model, so a checkpoint can be read back by any number of ranks.

Axis letters in this file: R rank, P forward pass, B sequence, T token, K term of the objective.
Source: Rajbhandari et al., ZeRO (2020), arXiv 1910.02054.
"""

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from hornbook.errors import ConfigError
from hornbook.model.config import Model
from hornbook.model.phi import Phi
from hornbook.train.batching import accumulation_steps, micro_rows
from hornbook.train.config import Optim, Train
from hornbook.train.engine import DTYPES, Ids, Judge, LossScale, Stepped, accept_all
from hornbook.train.loss import sequence_losses, sequence_terms
from hornbook.train.parts import Parts, part_name
from hornbook.train.ranks import Ranks

_GROUPS = ("matrices", "vectors")
_MOMENTS = ("exp_avg", "exp_avg_sq")
# numbers sent at once: enough to fill a link, little beside the activations
_BUCKET = 100_000_000


@dataclass(frozen=True)
class _Own:
    """The part [start, stop) of a flat group that this rank updates; behind it is padding."""

    name: str
    start: int
    stop: int
    padded: Tensor

    def numbers(self, padded: Tensor) -> Tensor:
        """A tensor of the padded size without its padding."""
        return padded[: self.stop - self.start]


class ZeroEngine:
    """One of the ranks of a ZeRO-2 training, or its only one."""

    def __init__(self, shape: Model, settings: Train, *, vocab_size: int, ranks: Ranks) -> None:
        self.settings, self.ranks, self.device = settings, ranks, ranks.device
        self.model = Phi(shape, vocab_size=vocab_size, attention=settings.attention)
        self.model.recomputes = settings.activation_checkpointing
        self.model.initialise(settings.seed)
        groups = _groups(self.model)
        masters = [torch.cat([one.detach().flatten() for one in group]) for group in groups]
        self.model.to(device=self.device, dtype=DTYPES[settings.dtype])
        self._adam = _adam(groups, settings.optim)
        self._engine, self._zero, *_ = _deepspeed(settings.device).initialize(
            model=_Terms(self.model, has_z=settings.z_loss > 0),
            optimizer=self._adam,
            config=_configuration(settings, numbers=self.model.num_parameters()),
        )
        if settings.compile:
            self.model.compile_blocks()
        self.scale = LossScale() if settings.dtype == "float16" else None
        self._own = [
            _own_part(padded, name, ranks.rank, total=len(master))
            for padded, name, master in zip(
                self._zero.single_partition_of_fp32_groups, _GROUPS, masters, strict=True
            )
        ]
        with torch.no_grad():
            for own, master in zip(self._own, masters, strict=True):
                # DeepSpeed took them from the weights, which were rounded by then
                own.numbers(own.padded).copy_(master[own.start : own.stop])
                self._adam.state[own.padded] = {
                    # as fused AdamW makes them; a run whose first steps are skipped has them too
                    "step": torch.zeros((), device=self.device),
                    **{key: torch.zeros_like(own.padded) for key in _MOMENTS},
                }

    def step(self, ids_BT: Ids, lr: float, judge: Judge = accept_all) -> Stepped:
        """One optimizer step, unless the gradient overflows or `judge` refuses it."""
        scale = self.scale.value if self.scale else 1.0
        self._zero.loss_scale = scale
        losses, z = self._gradient(ids_BT)
        norm = self._zero.scaled_global_norm() / scale
        if self.scale and not self.scale.accept(is_finite=bool(norm.isfinite())):
            self._discard()
            return Stepped(losses, z, None, "overflow")
        if not judge(sum(losses) / len(losses), norm.item()):
            self._discard()
            return Stepped(losses, z, norm.item(), "spike")
        for group in self._adam.param_groups:
            group["lr"] = lr
        self._engine.step()
        return Stepped(losses, z, norm.item())

    @torch.no_grad()
    def evaluate(self, ids_BT: Ids) -> list[float]:
        """The loss of each sequence; each rank takes its share of them."""
        ids = torch.as_tensor(ids_BT)
        count, micro = len(ids), self.settings.micro_sequences
        share = -(-count // self.ranks.size)
        own = ids[self.ranks.rank * share : (self.ranks.rank + 1) * share]
        losses = torch.zeros(share, device=self.device)
        for first in range(0, len(own), micro):
            rows = own[first : first + micro].to(self.device)
            losses[first : first + len(rows)] = sequence_losses(self.model, rows)
        return self.ranks.gather(losses).flatten()[:count].tolist()

    def state(self) -> dict[str, Tensor]:
        """This rank's parts of all tensors from which training goes on; they are live."""
        found: dict[str, Tensor] = {}
        for own in self._own:
            moments = self._adam.state[own.padded]
            cut = {"master": own.padded.detach(), **{key: moments[key] for key in _MOMENTS}}
            for key, padded in cut.items():
                name = part_name(f"{own.name}.{key}", own.start, own.stop)
                found[name] = own.numbers(padded)
            found[f"{own.name}.step"] = moments["step"]
        return found | ({"loss_scale": self.scale.state()} if self.scale else {})

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`, whoever wrote it: any number of ranks, or the torch engine."""
        parts = state if isinstance(state, Parts) else Parts.of(state)
        for own in self._own:
            cut = {
                key: parts.cut(f"{own.name}.{key}", own.start, own.stop)
                for key in ("master", *_MOMENTS)
            }
            own.numbers(own.padded).copy_(cut["master"])
            moments = self._adam.state[own.padded]
            for key in _MOMENTS:
                own.numbers(moments[key]).copy_(cut[key])
            moments["step"].copy_(parts[f"{own.name}.step"])
        self._zero.update_lp_params()
        if self.scale:
            self.scale.load(parts["loss_scale"])

    def weights(self) -> Phi:
        """The model itself, which every rank has whole."""
        return self.model

    def _gradient(self, ids_BT: Ids) -> tuple[list[float], float | None]:
        """Reduce the batch's gradient into its parts; losses of all sequences, and mean z."""
        settings, ranks = self.settings, self.ranks
        own = list(
            micro_rows(len(ids_BT), settings.micro_sequences, ranks=ranks.size, rank=ranks.rank)
        )
        found: list[Tensor] = []
        for number, rows in enumerate(own, 1):
            self._engine.set_gradient_accumulation_boundary(number == len(own))
            ids = torch.as_tensor(ids_BT[rows]).to(self.device)
            terms_KB = self._engine(ids)
            weights_K = terms_KB.new_tensor([1.0, settings.z_loss])[: len(terms_KB)]
            self._engine.backward(weights_K @ terms_KB.mean(-1))
            found.append(terms_KB.detach())
        # row [rank, pass] of what all found is row [pass * R + rank] of the batch
        all_KPRB = ranks.gather(torch.stack(found)).permute(2, 1, 0, 3)
        z = all_KPRB[1].mean().item() if len(all_KPRB) > 1 else None
        return all_KPRB[0].flatten().tolist(), z

    def _discard(self) -> None:
        """Forget the gradient, as DeepSpeed does when it finds an overflow itself."""
        for number in self._zero.averaged_gradients:
            self._zero.averaged_gradients[number] = None
            self._zero.all_grad_tensors[number] = None
        self._zero.zero_grad(set_to_none=True)


class _Terms(nn.Module):
    """What DeepSpeed takes for the model: from ids to losses, so that its hooks see the whole pass.

    K is 1, or 2 where the squares of z-loss follow.
    """

    def __init__(self, model: Phi, *, has_z: bool) -> None:
        super().__init__()
        self.model, self.has_z = model, has_z

    def forward(self, ids_BT: Tensor) -> Tensor:
        losses_B, squares_B = sequence_terms(self.model, ids_BT, has_z=self.has_z)
        return torch.stack([losses_B] if squares_B is None else [losses_B, squares_B])


def _groups(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters that decay and those that do not, as in `MasterAdamW`."""
    parameters = list(model.parameters())
    return [one for one in parameters if one.dim() > 1], [p for p in parameters if p.dim() == 1]


def _adam(groups: Sequence[list[nn.Parameter]], settings: Optim) -> torch.optim.AdamW:
    matrices, vectors = groups
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": settings.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=settings.lr,
        betas=settings.betas,
        eps=settings.eps,
        fused=True,
    )


def _own_part(padded: Tensor, name: str, rank: int, *, total: int) -> _Own:
    start = min(rank * len(padded), total)
    return _Own(name, start, min(start + len(padded), total), padded)


def _configuration(settings: Train, *, numbers: int) -> dict[str, Any]:
    """What DeepSpeed is told; schedule, loss scale and accumulation are ours."""
    bucket = min(numbers, _BUCKET) // 2 * 2 + 2
    return {
        "train_batch_size": settings.batch_sequences,
        "train_micro_batch_size_per_gpu": settings.micro_sequences,
        "gradient_accumulation_steps": accumulation_steps(
            settings.batch_sequences, settings.micro_sequences, settings.ranks
        ),
        "zero_optimization": {
            "stage": 2,
            "overlap_comm": settings.device == "cuda",
            "reduce_bucket_size": bucket,
            "allgather_bucket_size": bucket,
        },
        "bf16": {"enabled": settings.dtype == "bfloat16"},
        "fp16": {"enabled": settings.dtype == "float16", "loss_scale": 1.0},
        "data_types": {"grad_accum_dtype": "fp32"},
        "gradient_clipping": settings.optim.clip_norm or 0.0,
        "steps_per_print": None,
        "timers": {"throughput": {"enabled": False}},
    }


def _deepspeed(device: str) -> Any:  # noqa: ANN401 - it has no types
    """The package, without what it does unasked: detecting, compiling, logging to our output.

    Raises:
        ConfigError: It is not installed.
    """
    os.environ["DS_ACCELERATOR"] = device
    os.environ.setdefault("LOCAL_RANK", "0")
    # its autotuner imports mlflow where it can: four seconds and a network client for nothing
    modules: dict[str, Any] = sys.modules
    is_hidden = modules.setdefault("mlflow", None) is None
    try:
        deepspeed = import_module("deepspeed")
    except ModuleNotFoundError as error:
        if error.name != "deepspeed":
            raise
        raise ConfigError(
            "train.engine=deepspeed, but deepspeed is not installed here; run: make env, or set "
            "train.engine=torch with train.ranks=1"
        ) from error
    finally:
        if is_hidden:
            del modules["mlflow"]
    if device == "cpu":
        # else it builds a kernel for shared memory with the first C++ compiler it finds
        import_module("deepspeed.ops").__dict__["__compatible_ops__"] = {}
    # it calls what the newest torch names otherwise
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.distributed")
    logger = import_module("deepspeed.utils").logger  # writes to standard output
    logger.handlers.clear()
    logger.propagate = True  # warnings go to standard error, as everybody's
    return deepspeed
