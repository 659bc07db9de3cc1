"""What is known of the machine that plans: its device, what it can do, what the last run did."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_json
from hornbook.errors import InputError
from hornbook.lineage.manifest import load_lock
from hornbook.model.config import Model
from hornbook.plan.devices import Device, find_device
from hornbook.plan.plan import Plan, paces_of
from hornbook.plan.show import lines
from hornbook.stage import measurements_file, shared_folder
from hornbook.train.config import Train

if TYPE_CHECKING:
    from hornbook.stage import Run

MEASURED = "matmul peak measured here"


def present_device(root: Path, settings: Train) -> Device:
    """What this machine would train on, with the peak that a `train` stage measured on it.

    Raises:
        InputError: The experiment trains on a GPU and none is here.
    """
    if settings.device == "cuda":
        from hornbook.train.resolve import has_cuda

        if not has_cuda():
            raise InputError(
                "train.device=cuda and no GPU is here: say on what it will run, as in "
                "devices=32xA100-80G, or compose for this machine with train.device=cpu"
            )
    from hornbook.train.hardware import device_name

    name = device_name(settings)
    file = shared_folder(root) / "measurements" / "machine.json"
    known = read_json(file) if file.exists() else {}
    peak = known.get(f"{name} {settings.dtype}")
    if settings.device == "cuda":
        return _gpu(name, peak, settings.dtype)
    return Device(name, _host_gib(settings.ranks), {settings.dtype: peak} if peak else {}, MEASURED)


def _gpu(name: str, peak: float | None, dtype: str) -> Device:
    import torch

    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    if peak:
        return Device(name, memory, {dtype: peak}, MEASURED)
    sheet = find_device(name)  # refuses a name of several, which nobody needs who has measured
    if sheet is None:
        return Device(name, memory, {}, "unknown")
    return Device(sheet.name, memory, sheet.peaks, sheet.origin)


def _host_gib(ranks: int) -> float | None:
    """Memory of this machine for each of the ranks that share it."""
    file = Path("/proc/meminfo")
    text = file.read_text("utf-8") if file.exists() else ""
    found = re.search(r"MemTotal:\s+(\d+) kB", text)
    return int(found[1]) / 2**20 / ranks if found else None


def last_mfu(
    root: Path, variant: str, params: Mapping[str, Any], device: Device
) -> tuple[float, str] | None:
    """The MFU of the variant's last run here and its name, where model and device are the same."""
    stage = f"train@{variant}"
    file, entry = measurements_file(root, stage), load_lock(root).get(stage)
    if not file.exists() or entry is None or entry.params.get("model") != params["model"]:
        return None
    measured = read_json(file)
    if measured.get("device") != device.name or not measured.get("mfu"):
        return None
    return measured["mfu"], f"the last {stage} here"


def announce(
    run: "Run", shape: Model, settings: Train, *, vocab_size: int, budget_tokens: int, peak: float
) -> None:
    """Log what the run that starts now will need; `peak` was measured just now."""
    from hornbook.train.hardware import device_name
    from hornbook.train.shortage import local_ranks

    name = device_name(settings)
    if settings.device == "cuda":
        device = _gpu(name, peak, settings.dtype)
    else:
        device = Device(name, _host_gib(local_ranks()), {settings.dtype: peak}, MEASURED)
    plan = Plan(
        variant=run.name,
        shape=shape,
        settings=settings,
        vocab_size=vocab_size,
        budget_tokens=budget_tokens,
        device=device,
        paces=paces_of(shape, settings, device, vocab_size=vocab_size),
        checkpoint_seconds=run.runtime.checkpoint_seconds,
        checkpoints_kept=run.runtime.checkpoints_kept,
    )
    for line in lines(plan, is_starting=True):
        run.log(line)
