"""Schema of `train`: all that decides the weights, the machine included.

Device, ranks, threads, dtype and attention change the last bits of a sum and are therefore part
of what a trained model is, not of where it happened to run.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT, Expectation
from hornbook.train.batching import misfit

Device = Literal["cpu", "cuda"]
EngineName = Literal["torch", "deepspeed"]
Dtype = Literal["float32", "bfloat16", "float16"]
Backend = Literal["explicit", "sdpa", "flash"]


def contradiction(device: str, dtype: str, attention: str) -> str | None:
    """Why a device cannot train like this; None where it can."""
    if device == "cpu" and attention == "flash":
        return (
            "train.attention=flash needs train.device=cuda; on a cpu use explicit or sdpa, or auto "
            "for the faster one at this context"
        )
    if device == "cpu" and dtype == "float16":
        return (
            "train.dtype=float16 needs train.device=cuda; on a cpu use bfloat16 (with AVX512-BF16 "
            "or AMX) or float32"
        )
    if attention == "flash" and dtype == "float32":
        return (
            "train.attention=flash knows no train.dtype=float32; use train.attention=sdpa or "
            "train.dtype=bfloat16"
        )
    return None


@dataclass(frozen=True, config=STRICT)
class Optim:
    """AdamW over fp32 master weights."""

    lr: float  # its peak
    betas: tuple[float, float]
    eps: float
    weight_decay: float  # on matrices and embeddings; biases and norms have none
    clip_norm: float | None  # the gradient is scaled down to this norm; null is never


@dataclass(frozen=True, config=STRICT)
class Schedule:
    """The learning rate over the run: a linear warm-up, then `kind`.

    `wsd` is warm-up, stable, decay: the peak until the last `decay_share` of all steps, then
    linearly down. Source: MiniCPM, arXiv 2404.06395.
    """

    kind: Literal["constant", "linear", "cosine", "wsd"]
    warmup_share: float  # of all steps
    decay_share: float  # of all steps, for wsd alone
    final_share: float  # of the peak, reached at the end by all but constant

    @model_validator(mode="after")
    def _are_shares(self) -> "Schedule":
        if not 0 <= self.warmup_share < 1 or not 0 <= self.final_share <= 1:
            raise ValueError(
                f"warmup_share={self.warmup_share}, final_share={self.final_share}: expected "
                f"shares, the first below 1"
            )
        if (self.kind == "wsd") != (self.decay_share > 0):
            raise ValueError(
                f"decay_share={self.decay_share} with kind={self.kind}: wsd needs a share above "
                f"0, the other kinds 0.0"
            )
        if self.warmup_share + self.decay_share > 1:
            raise ValueError(
                f"warmup_share={self.warmup_share} and decay_share={self.decay_share} are more "
                f"than the whole run"
            )
        return self


@dataclass(frozen=True, config=STRICT)
class Domains:
    """Into what the loss of each source is split."""

    columns: dict[str, str]  # by source: the column of its documents; others are not split
    most: Annotated[int, Field(ge=1, le=255)]  # by tokens, of each source; the rest is `other`


@dataclass(frozen=True, config=STRICT)
class Curve:
    """What is noted while training."""

    every_steps: Annotated[int, Field(gt=0)]  # a row of the curve: means since the row before
    evaluate_every_steps: Annotated[int, Field(gt=0)]  # the held-out loss; also at the end
    evaluate_sequences: int  # of each source's held-out split, at most
    domains: Domains


@dataclass(frozen=True, config=STRICT)
class Guard:
    """Which steps are too far off to be taken: skipped, counted, and the run goes on.

    Judged against the last `window_steps` steps that were taken, in robust deviations (1.4826
    times the median distance from their median) above their median. Source: the window and both
    quantities as in OLMo-core's SkipStepOptimizer, which uses mean and standard deviation.
    """

    window_steps: Annotated[int, Field(ge=8)]
    loss_deviations: Annotated[float, Field(gt=0)]
    norm_deviations: Annotated[float, Field(gt=0)] | None  # null judges no norm but nan and inf
    most_in_a_row: Annotated[int, Field(ge=1)]  # one more ends the run


@dataclass(frozen=True, config=STRICT)
class Keep:
    """Models of steps before the last that become part of the artifact."""

    every_steps: Annotated[int, Field(gt=0)] | None  # below `checkpoints`; null keeps none
    best: bool  # the one of the lowest held-out loss, below `best`


@dataclass(frozen=True, config=STRICT)
class Train:
    """Optimizer, batch and machine; how many tokens is the mixture's budget."""

    seed: int  # of initial weights and of the order in which the mixture is drawn
    batch_sequences: int  # per optimizer step, over all ranks
    micro_sequences: int  # per forward pass, on one rank
    engine: EngineName  # torch is one process, deepspeed any number
    ranks: Annotated[int, Field(gt=0)]  # data-parallel processes
    compile: bool  # blocks by torch.compile
    activation_checkpointing: bool  # blocks are computed again in the backward pass: less memory
    device: Device
    dtype: Dtype  # of weights and activations; master weights are fp32
    attention: Backend
    threads: int  # per rank on a cpu
    optim: Optim
    z_loss: Annotated[
        float, Field(ge=0)
    ]  # weight of the squared log of the softmax's sum; 0 is off
    schedule: Schedule
    guard: Guard | None  # null takes every step
    curve: Curve
    keep: Keep
    expectations: tuple[Expectation, ...]  # of data set curve: step, tokens, loss, lr, ...

    @model_validator(mode="after")
    def _is_possible(self) -> "Train":
        problem = contradiction(self.device, self.dtype, self.attention) or misfit(
            self.batch_sequences, self.micro_sequences, self.ranks
        )
        if problem:
            raise ValueError(problem)
        if self.engine == "torch" and self.ranks > 1:
            raise ValueError(
                f"train.engine=torch is one process; for train.ranks={self.ranks} set "
                f"train.engine=deepspeed"
            )
        return self
