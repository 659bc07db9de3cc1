"""What a training run will need: arithmetic on its settings, before anything is computed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from hornbook.errors import ConfigError
from hornbook.model.config import Model
from hornbook.plan.arithmetic import (
    DTYPE_BYTES,
    Layout,
    checkpoint_bytes,
    flops_per_token,
    memory_by_part,
    parameters_by_part,
    seconds_between,
    total,
)
from hornbook.plan.devices import GIB, Device
from hornbook.plan.published import utilisations_of
from hornbook.train.batching import accumulation_steps, num_steps
from hornbook.train.config import Train

# context, cuBLAS, what the allocator cannot use: a share of what the driver reports
_SET_ASIDE = 0.06


@dataclass(frozen=True)
class Pace:
    """A throughput and where it comes from; `peak_share` is of the device's peak, if known."""

    tokens_per_second: float  # of all devices together
    peak_share: float | None
    counts: str  # what the share counts: a key of `flops_per_token`
    origin: str


@dataclass(frozen=True)
class Plan:
    """A run on devices; derived quantities are properties, in base units."""

    variant: str
    shape: Model
    settings: Train
    vocab_size: int
    budget_tokens: int
    device: Device
    paces: tuple[Pace, ...]  # slowest and fastest guess, or the one that is known; may be none
    checkpoint_seconds: float | None  # null is by size
    checkpoints_kept: int
    changes: tuple[str, ...] = ()  # overrides that the devices made necessary

    @property
    def layout(self) -> Layout:
        """How the run is spread."""
        return Layout.of(self.settings)

    @property
    def parameters(self) -> dict[str, int]:
        """Weights and biases by part."""
        return parameters_by_part(self.shape, self.vocab_size)

    @property
    def step_tokens(self) -> int:
        """Tokens of an optimizer step."""
        return self.settings.batch_sequences * self.shape.context_tokens

    @property
    def steps(self) -> int:
        """Whole optimizer steps within the budget."""
        return num_steps(
            self.budget_tokens, self.settings.batch_sequences, self.shape.context_tokens
        )

    @property
    def passes(self) -> int:
        """Forward passes of each rank in a step."""
        one = self.settings
        return accumulation_steps(one.batch_sequences, one.micro_sequences, one.ranks)

    @property
    def tokens(self) -> int:
        """Tokens seen by the last step."""
        return self.steps * self.step_tokens

    @property
    def flops(self) -> dict[str, int]:
        """Operations of the whole run, counted three ways."""
        each = flops_per_token(self.shape, self.vocab_size)
        return {name: value * self.tokens for name, value in each.items()}

    @property
    def peak(self) -> float | None:
        """FLOP/s of one device in the dtype of the run; None where nobody knows."""
        return self.device.peaks.get(self.settings.dtype)

    @property
    def peak_label(self) -> str:
        """The peak with where it comes from."""
        return "" if self.peak is None else f"{_tera(self.peak)} TFLOP/s ({self.device.origin})"

    @property
    def room_bytes(self) -> float | None:
        """Memory of a device that a run can use; None where nobody knows."""
        memory = self.device.memory_gib
        return None if memory is None else memory * GIB * (1 - _SET_ASIDE)

    def memory(self, **changes: Any) -> dict[str, int]:  # noqa: ANN401 - fields of Layout
        """Bytes on each device by part, as planned or with other fields of the layout."""
        return memory_by_part(self.shape, self.vocab_size, replace(self.layout, **changes))

    def fits(self, **changes: Any) -> bool | None:  # noqa: ANN401 - likewise
        """Whether a device can hold it; None where its memory is not known."""
        room = self.room_bytes
        return None if room is None else total(self.memory(**changes)) <= room

    def most_sequences(self, **changes: Any) -> int:  # noqa: ANN401 - likewise
        """The largest power of two that a forward pass can take; 0 where not one fits."""
        most, sequences = 0, 1
        per_rank = max(1, self.settings.batch_sequences // self.settings.ranks)
        while sequences <= per_rank and self.fits(micro_sequences=sequences, **changes):
            most, sequences = sequences, 2 * sequences
        return most

    def remedy(self) -> str:
        """The setting that makes it fit; more or other devices where none does."""
        for name, changes in (
            ("", {"is_recomputing": self.layout.is_recomputing}),
            ("train.activation_checkpointing=true ", {"is_recomputing": True}),
        ):
            most = self.most_sequences(**changes)
            if most:
                return f"{name}train.micro_sequences={min(most, self.settings.micro_sequences)}"
        ranks = self.settings.ranks
        for more in (2, 4, 8, 16, 32, 64, 128, 256):
            if more > ranks and self.fits(
                engine="deepspeed", ranks=more, micro_sequences=1, is_recomputing=True
            ):
                return (
                    f"{more} devices with train.engine=deepspeed "
                    f"train.activation_checkpointing=true train.micro_sequences=1"
                )
        return "devices with more memory: the weights alone are too large for ZeRO-2 here"

    def seconds(self, pace: Pace) -> float:
        """Of wall time, without evaluation, saving and restarts."""
        return self.tokens / pace.tokens_per_second

    def device_hours(self, pace: Pace) -> float:
        """Over all devices."""
        return self.seconds(pace) * self.settings.ranks / 3600

    @property
    def checkpoint_bytes(self) -> int:
        """Of one checkpoint from which training goes on."""
        return checkpoint_bytes(self.shape, self.vocab_size)

    @property
    def kept_models(self) -> int:
        """Models in the artifact: the last, the best, and one every so many steps."""
        keep = self.settings.keep
        every = keep.every_steps
        return 1 + keep.best + ((self.steps - 1) // every if every else 0)

    @property
    def disk_bytes(self) -> int:
        """The most that lies on disk at once."""
        model = total(self.parameters) * DTYPE_BYTES[self.settings.dtype]
        # one more checkpoint while it is written; kept models lie beside the artifact at the end
        return (self.checkpoints_kept + 1) * self.checkpoint_bytes + 2 * self.kept_models * model

    @property
    def seconds_between(self) -> float:
        """From one checkpoint to the next."""
        given = self.checkpoint_seconds
        return seconds_between(self.checkpoint_bytes) if given is None else given

    def written_bytes(self, pace: Pace) -> float:
        """Of all checkpoints of the run, a step apart at least."""
        step = self.step_tokens / pace.tokens_per_second
        return self.seconds(pace) / max(self.seconds_between, step) * self.checkpoint_bytes


def _tera(flops: float) -> str:
    return f"{flops / 1e12:,.3g}"


def paces_of(
    shape: Model,
    settings: Train,
    device: Device,
    *,
    vocab_size: int,
    mfu: float | None = None,
    tokens_per_second: float | None = None,
    measured: tuple[float, str] | None = None,
) -> tuple[Pace, ...]:
    """Throughputs to plan with: given, else measured, else as published for the device.

    Args:
        shape: Of the model.
        settings: Of the run; `ranks` devices compute side by side.
        device: What they are.
        vocab_size: Rows of the embedding.
        mfu: A share of the peak that the user expects.
        tokens_per_second: Of all devices together, that the user expects.
        measured: An MFU of ours, and where it was measured.
    """
    each = flops_per_token(shape, vocab_size)
    peak = device.peaks.get(settings.dtype)
    if tokens_per_second is not None:
        share = None
        if peak:
            share = tokens_per_second * each["causal"] / (peak * settings.ranks)
        return (Pace(tokens_per_second, share, "causal", "--tokens-per-second"),)
    if peak is None:
        return ()
    if mfu is not None:
        found = [(mfu, "causal", "--mfu")]
    elif measured is not None:
        found = [(measured[0], "causal", measured[1])]
    else:
        found = [(one.share, one.counts, one.source) for one in utilisations_of(device.name)]
    paces = [
        Pace(share * peak * settings.ranks / each[counts], share, counts, origin)
        for share, counts, origin in found
    ]
    return tuple(sorted(paces, key=lambda pace: pace.tokens_per_second))


def plan_of(
    params: Mapping[str, Any],
    variant: str,
    device: Device,
    *,
    checkpoint_seconds: float | None,
    checkpoints_kept: int,
    ranks: int | None = None,
    is_gpu: bool | None = None,
    mfu: float | None = None,
    tokens_per_second: float | None = None,
    measured: tuple[float, str] | None = None,
) -> Plan:
    """The plan of a variant of an experiment, on `ranks` devices instead of the experiment's.

    Raises:
        ConfigError: There is no such variant, or its settings contradict each other.
    """
    shape, settings = section(params, "model", Model), section(params, "train", Train)
    planned = on_devices(settings, ranks=ranks, is_gpu=is_gpu)
    changes = tuple(
        f"train.{name}={getattr(planned, name)}"
        for name in ("device", "ranks", "engine", "dtype", "attention")
        if getattr(planned, name) != getattr(settings, name)
    )
    settings = planned
    variants = params["mixture"]["variants"]
    if variant not in variants:
        raise ConfigError(f"--variant {variant}: the mixtures are {', '.join(sorted(variants))}")
    vocab_size = params["tokens"]["tokenizer"]["vocab_size"]
    return Plan(
        variant=variant,
        shape=shape,
        settings=settings,
        vocab_size=vocab_size,
        budget_tokens=budget_of(variants[variant], variant),
        device=device,
        paces=paces_of(
            shape, settings, device, vocab_size=vocab_size, mfu=mfu,
            tokens_per_second=tokens_per_second, measured=measured,
        ),
        checkpoint_seconds=checkpoint_seconds,
        checkpoints_kept=checkpoints_kept,
        changes=changes,
    )  # fmt: skip


Section = TypeVar("Section")


def section(params: Mapping[str, Any], key: str, kind: type[Section]) -> Section:
    """A section of the experiment, checked.

    Raises:
        ConfigError: It is not as the schema has it.
    """
    try:
        return TypeAdapter(kind).validate_python(params[key])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join((key, *map(str, first["loc"])))
        raise ConfigError(f"params.yaml: {where}: {first['msg']}; run: hornbook compose") from error


def on_devices(settings: Train, *, ranks: int | None, is_gpu: bool | None) -> Train:
    """The settings with what other devices make necessary; None keeps the experiment's.

    Raises:
        ConfigError: They cannot train like this.
    """
    changes: dict[str, Any] = {}
    if ranks is not None and ranks != settings.ranks:
        changes |= {"ranks": ranks, "engine": "deepspeed" if ranks > 1 else settings.engine}
    if is_gpu and settings.device == "cpu":
        changes |= {"device": "cuda", "attention": "sdpa"}
    elif is_gpu is False and settings.device == "cuda":
        dtype = "bfloat16" if settings.dtype == "float16" else settings.dtype
        changes |= {"device": "cpu", "attention": "sdpa", "dtype": dtype}
    try:
        return replace(settings, **changes)
    except ValidationError as error:
        told = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"on these devices: {told}") from error


def budget_of(mixture: Mapping[str, Any], variant: str) -> int:
    """Tokens that a variant sees: its budget, or its sources' tokens times their epochs.

    Raises:
        ConfigError: Neither is declared.
    """
    if mixture.get("budget_tokens") is not None:
        return int(mixture["budget_tokens"])
    sources = mixture.get("sources", {}).values()
    if any(source.get("tokens") is None or source.get("epochs") is None for source in sources):
        raise ConfigError(
            f"mixture.variants.{variant} draws whole corpora: how much that is is known once its "
            f"tokens are made; for a plan set its budget_tokens, or the tokens of its sources"
        )
    return round(sum(source["tokens"] * source["epochs"] for source in sources))
