"""`hornbook train plan`: parameters, operations, memory, hours and disk before a run."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from hornbook.errors import ConfigError, InputError
from hornbook.plan.devices import Device, device_of, parse_devices
from hornbook.plan.here import last_mfu, present_device
from hornbook.plan.plan import Plan, on_devices, plan_of, section
from hornbook.plan.show import as_json, lines, published_lines
from hornbook.runtime import load_runtime
from hornbook.train.config import Train

_DEVICES = "devices="


def read_params(root: Path, overrides: Sequence[str], ranks: int | None) -> Mapping[str, Any]:
    """The values of the experiment: `params.yaml`, or what the overrides compose to.

    Raises:
        ConfigError: They compose neither with the ranks of the experiment nor with `ranks`.
    """
    file = root / "params.yaml"
    if not overrides and file.exists():
        return yaml.safe_load(file.read_text("utf-8"))
    from hornbook.compose import compose

    try:
        return compose(root, overrides)
    except ConfigError:
        if ranks is None:
            raise
        # a batch may fit these devices and not those of the experiment
        spread = [f"train.ranks={ranks}", *["train.engine=deepspeed"] * (ranks > 1)]
        with suppress(ConfigError):
            return compose(root, [*overrides, *spread])
        raise


def plan(root: Path, options: argparse.Namespace) -> Plan:
    """The plan that the command line asks for.

    Raises:
        InputError: The devices are not known, or not there.
        ConfigError: The experiment does not compose, or cannot run on them.
    """
    named = [one.removeprefix(_DEVICES) for one in options.overrides if one.startswith(_DEVICES)]
    overrides = [one for one in options.overrides if not one.startswith(_DEVICES)]
    if len(named) > 1:
        raise InputError(f"devices= is given {len(named)} times: a plan has one kind of device")
    ranks, name = parse_devices(named[0]) if named else (None, None)
    params = read_params(root, overrides, ranks)
    settings = section(params, "train", Train)
    is_gpu = None if name is None else name.lower() != "cpu"
    settings = on_devices(settings, ranks=ranks, is_gpu=is_gpu)
    device = _device(root, settings, name if is_gpu else None, options)
    runtime = load_runtime(root)
    return plan_of(
        params,
        options.variant,
        device,
        ranks=ranks,
        is_gpu=is_gpu,
        mfu=options.mfu,
        tokens_per_second=options.tokens_per_second,
        measured=last_mfu(root, options.variant, params, device),
        checkpoint_seconds=runtime.checkpoint_seconds,
        checkpoints_kept=runtime.checkpoints_kept,
    )


def _device(
    root: Path,
    settings: Train,
    name: str | None,
    options: argparse.Namespace,
) -> Device:
    if name is not None:
        return device_of(
            name, peak_tflops=options.peak_tflops, memory_gib=options.memory_gib,
            dtype=settings.dtype,
        )  # fmt: skip
    found = present_device(root, settings)
    memory = options.memory_gib or found.memory_gib
    if options.peak_tflops is None:
        return Device(found.name, memory, found.peaks, found.origin)
    return Device(found.name, memory, {settings.dtype: options.peak_tflops * 1e12}, "--peak-tflops")


def main(arguments: Sequence[str]) -> int:
    """`hornbook train plan [OVERRIDES] [devices=32xA100-80G]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook train plan",
        description="What training will need, before it starts: parameters, operations, memory "
        "by part, time, checkpoints; beside it what published runs took.",
        epilog="the paper's: hornbook train plan model=phi-1_5 scale=paper devices=32xA100-80G\n"
        "this machine: hornbook train plan",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        help="as for `hornbook compose` (none: params.yaml), and devices=NxNAME; without devices= "
        "the ranks of the experiment on this machine",
    )
    parser.add_argument("--variant", default="phi-1_5", help="of the mixture (%(default)s)")
    parser.add_argument("--mfu", type=float, help="share of the peak to expect, such as 0.45")
    parser.add_argument("--tokens-per-second", type=float, help="of all devices, to expect")
    parser.add_argument("--peak-tflops", type=float, help="of a device in train.dtype")
    parser.add_argument("--memory-gib", type=float, help="of a device")
    parser.add_argument("--json", action="store_true", help="machine-readable, in base units")
    options = parser.parse_intermixed_args(list(arguments))
    for name in ("mfu", "tokens_per_second", "peak_tflops", "memory_gib"):
        value = getattr(options, name)
        if value is not None and (value <= 0 or (name == "mfu" and value > 1)):
            expected = "a share of 1" if name == "mfu" else "a positive number"
            raise InputError(f"--{name.replace('_', '-')}={value:g}: expected {expected}")
    found = plan(Path.cwd(), options)
    if options.json:
        told = json.dumps(as_json(found), indent=1)
    else:
        told = "\n".join([*lines(found), "", *published_lines()])
    sys.stdout.write(told + "\n")
    return 0
