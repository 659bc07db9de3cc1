"""A plan as lines that a person reads, and as JSON."""

from typing import Any

from hornbook.plan.arithmetic import flops_per_token, total
from hornbook.plan.devices import GIB
from hornbook.plan.plan import Pace, Plan
from hornbook.plan.published import RUNS

Row = tuple[str, str, str]
_REMARK = """\
Table 1 implies 69% of peak: more than phi-1 and phi-2 do, more than llm-foundry measured for a 1.3B
model (59.9% on 8 A100, 41.8% on 8 H100), and a quarter of the hours on its own model card. Budget
with 2,000 to 6,000 GPU-hours for 150B tokens.
""".splitlines()


def lines(plan: Plan, *, is_starting: bool = False) -> list[str]:
    """The plan, a quantity a line: its name, its value, and how it comes about."""
    rows = [
        *_size(plan),
        *_memory(plan),
        *_time(plan, is_starting=is_starting),
        *_disk(plan),
    ]
    return [f"{name:<15}{value:>22}  {note}".rstrip() for name, value, note in rows]


def published_lines() -> list[str]:
    """What published runs of this family took, and the share of the peak that it implies."""
    head = "published runs, by 6 operations per parameter and token, of an A100's 312 TFLOP/s:"
    rows = [
        f"  {run.name:<18}{run.tokens / 1e9:>7,.0f}B tokens {run.device_hours:>8,.0f} GPU-hours "
        f"{run.peak_share:>5.0%} of peak  {run.note}"
        for run in RUNS
    ]
    return [head, *rows, *_REMARK]


def _size(plan: Plan) -> list[Row]:
    one, parts = plan.settings, plan.parameters
    shown = ", ".join(f"{name} {_count(value)}" for name, value in parts.items())
    each, flops = flops_per_token(plan.shape, plan.vocab_size), plan.flops
    step = (
        f"of {plan.step_tokens:,} tokens: {one.batch_sequences:,} sequences of "
        f"{plan.shape.context_tokens:,}, in {plan.passes:,} "
        f"{'pass' if plan.passes == 1 else 'passes'} of {one.micro_sequences} on each of "
        f"{one.ranks} {'device' if one.ranks == 1 else 'devices'}"
    )
    without = f"6N: {each['6N'] / 1e9:.3g} GFLOP a token, without attention and embedding"
    causal = f"{each['causal'] / 1e9:.3g} GFLOP a token, with causal attention, as our MFU counts"
    other = f"; planned with {' '.join(plan.changes)}" if plan.changes else ""
    return [
        (
            "variant",
            plan.variant,
            f"{one.engine} engine, {one.dtype}, {one.attention} attention{other}",
        ),
        ("parameters", f"{total(parts):,}", shown),
        ("tokens", f"{plan.tokens:,}", "seen in training"),
        ("steps", f"{plan.steps:,}", step),
        ("operations", f"{flops['6N']:.3g} FLOP", without),
        ("", f"{flops['causal']:.3g} FLOP", causal),
    ]


def _memory(plan: Plan) -> list[Row]:
    parts = plan.memory()
    is_sharded = plan.settings.engine == "deepspeed" and plan.settings.ranks > 1
    zero = f", a part of {plan.settings.ranks} (ZeRO-2)" if is_sharded else ""
    other = plan.memory(is_recomputing=not plan.layout.is_recomputing)["activations"]
    word = "without" if plan.layout.is_recomputing else "with"
    notes = {
        "weights": f"{plan.settings.dtype}, on every device",
        "gradients": f"summed in fp32{zero}",
        "optimizer": f"fp32 masters and two moments{zero}",
        "activations": f"{plan.settings.micro_sequences} sequences; {_gib(other)} {word} "
        f"train.activation_checkpointing",
        "logits": f"and their softmax in fp32, over {plan.vocab_size:,} tokens",
    }
    rows = [(name, _gib(value), notes[name]) for name, value in parts.items()]
    return [
        ("memory", _gib(total(parts)), f"on each device{_verdict(plan)}"),
        *((f"  {name}", value, note) for name, value, note in rows),
    ]


def _verdict(plan: Plan) -> str:
    fits, memory = plan.fits(), plan.device.memory_gib
    if fits is None:
        return f", of which {plan.device.name} has an unknown amount (--memory-gib)"
    of = f"{memory:,.1f} GiB of {plan.device.name}, 6% set aside"
    of += ", beside Python and torch" if plan.settings.device == "cpu" else ""
    return f": fits {of}" if fits else f": DOES NOT FIT {of}; remedy: {plan.remedy()}"


def _time(plan: Plan, *, is_starting: bool) -> list[Row]:
    if is_starting and not plan.paces:
        return [("time", "shown below", f"as it goes; {plan.device.name} does {plan.peak_label}")]
    if not plan.paces:
        peak = plan.peak
        missing = (
            "--tokens-per-second N" if peak is None else "--mfu SHARE or --tokens-per-second N"
        )
        return [("time", "unknown", f"nothing was measured or published for it; give {missing}")]
    return [row for pace in plan.paces for row in _pace(plan, pace)]


def _pace(plan: Plan, pace: Pace) -> list[Row]:
    count = {"6N": "by 6N", "causal": "with attention", "full": "with the whole square"}
    share = ""
    if pace.peak_share is not None:
        share = f"{pace.peak_share:.1%} of {plan.peak_label} {count[pace.counts]}; "
    hours = plan.device_hours(pace)
    word = "GPU-hours" if plan.settings.device == "cuda" else "device-hours"
    note = f"{hours:,.4g} {word} at {pace.tokens_per_second:,.0f} tokens/s: {share}{pace.origin}"
    return [("time", _duration(plan.seconds(pace)), note)]


def _disk(plan: Plan) -> list[Row]:
    note = (
        f"at most {_gb(plan.disk_bytes)} on disk: {plan.checkpoints_kept} are kept, and "
        f"{plan.kept_models:,} models"
    )
    if plan.paces:
        slowest = plan.paces[0]
        note += (
            f"; {_gb(plan.written_bytes(slowest))} written in the run at one every "
            f"{plan.seconds_between:,.0f} s (runtime.checkpoint_seconds)"
        )
    return [("checkpoint", _gb(plan.checkpoint_bytes), note)]


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan in base units: bytes, seconds, FLOP."""
    return {
        "variant": plan.variant,
        "device": {
            "name": plan.device.name,
            "count": plan.settings.ranks,
            "peak_flops": plan.peak,
            "memory_gib": plan.device.memory_gib,
        },
        "parameters": {**plan.parameters, "all": total(plan.parameters)},
        "tokens": plan.tokens,
        "steps": plan.steps,
        "passes": plan.passes,
        "flops": plan.flops,
        "memory_bytes": {**plan.memory(), "all": total(plan.memory())},
        "memory_bytes_recomputing": total(plan.memory(is_recomputing=True)),
        "fits": plan.fits(),
        "remedy": plan.remedy() if plan.fits() is False else None,
        "checkpoint_bytes": plan.checkpoint_bytes,
        "disk_bytes": plan.disk_bytes,
        "paces": [
            {
                "tokens_per_second": pace.tokens_per_second,
                "peak_share": pace.peak_share,
                "counts": pace.counts,
                "origin": pace.origin,
                "seconds": plan.seconds(pace),
                "device_hours": plan.device_hours(pace),
            }
            for pace in plan.paces
        ],
        "published": [
            {"name": run.name, "device_hours": run.device_hours, "peak_share": run.peak_share}
            for run in RUNS
        ],
    }


def _count(value: int) -> str:
    for unit, size in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return str(value)


def _gib(size: float) -> str:
    return f"{size / GIB:,.2f} GiB" if size >= 0.1 * GIB else f"{size / 2**20:,.1f} MiB"


def _gb(size: float) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9)):
        if size >= factor:
            return f"{size / factor:,.4g} {unit}"
    return f"{size / 1e6:,.4g} MB"


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} seconds"
