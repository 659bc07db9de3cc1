"""What the device can do, measured, and what a run used of it."""

import ctypes
import resource
import time
from pathlib import Path
from typing import Any

import torch

from hornbook.artifacts import read_json, write_json
from hornbook.errors import ArtifactError, ConfigError
from hornbook.measure.device import product_name
from hornbook.model.config import Model
from hornbook.model.phi import Phi
from hornbook.train.config import Train

_SECONDS = 0.5
# M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD of malloc.h; bytes
_MALLOC = {-1: 1 << 30, -2: 1 << 26, -3: 1 << 30}
_SIDES = {"cuda": 8192, "cpu": 1024}  # of the square matrices that are multiplied


def step_flops_per_token(shape: Model, vocab_size: int) -> int:
    """Floating-point operations of forward and backward: 6 per matrix weight, and attention.

    Attention counts half of the square, which is what a causal mask leaves.
    """
    width = shape.width
    matrices = shape.layers * (4 * width * width + 2 * width * shape.mlp_width)
    attention = 6 * shape.layers * width * shape.context_tokens
    return 6 * (matrices + vocab_size * width) + attention


def device_name(settings: Train) -> str:
    """The product name of what a rank computes on."""
    return product_name(settings.device, settings.threads)


def matmul_peak(settings: Train, known: Path) -> float:
    """FLOP/s of the device's fastest large matrix product in the dtype of the training.

    Measured once for each device and dtype and kept in the JSON file `known`: data sheets state
    what no program reaches, and have no entry for most devices.
    """
    key = f"{device_name(settings)} {settings.dtype}"
    try:
        peaks: dict[str, float] = read_json(known) if known.exists() else {}
    except ArtifactError:
        peaks = {}
    if key not in peaks:
        peaks[key] = _measure_peak(settings)
        write_json(known, peaks)
    return peaks[key]


def _measure_peak(settings: Train) -> float:
    device, dtype = torch.device(settings.device), getattr(torch, settings.dtype)
    side = _SIDES[settings.device]
    torch.set_num_threads(settings.threads)
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(one)
    best, end = 0.0, time.monotonic() + _SECONDS
    while time.monotonic() < end:
        started = time.perf_counter()
        torch.mm(one, other, out=out)
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2 * side**3 / (time.perf_counter() - started))
    return best


def require_dtype(settings: Train) -> None:
    """The GPU that is here computes in the dtype of the training.

    Raises:
        ConfigError: It does not.
    """
    capability = torch.cuda.get_device_capability()
    # tensor cores: fp16 since Volta, bf16 since Ampere; before, both are emulated and slow
    least = {"float16": (7, 0), "bfloat16": (8, 0)}.get(settings.dtype, (0, 0))
    if capability < least:
        other = "float16 (with loss scaling)" if capability >= (7, 0) else "float32"
        raise ConfigError(
            f"train.dtype={settings.dtype} needs a GPU of compute capability "
            f"{least[0]}.{least[1]} or more; {torch.cuda.get_device_name()} has "
            f"{capability[0]}.{capability[1]}; set train.dtype={other}"
        )


def utilisation(model: Phi, settings: Train, tokens_per_second: float, peak: float) -> float:
    """Share of the devices' measured peak that the model's arithmetic takes (MFU)."""
    flops = tokens_per_second * step_flops_per_token(model.shape, model.vocab_size)
    return flops / (peak * settings.ranks)


def keep_freed_memory() -> None:
    """Have the C library keep what tensors free instead of returning it to the system.

    Each step frees and takes the same megabytes; returned, they cost a page fault and zeroing each
    time: 54 against 67 CPU-ms a step of the laptop preset. Does nothing without glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    for option, value in _MALLOC.items():
        mallopt(option, value)


def return_freed_memory() -> None:
    """Give what steps have freed back to the system, for what comes after training."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return


def measured(
    model: Phi,
    settings: Train,
    *,
    peak: float,
    tokens: int,
    seconds: float,
    cpu_seconds: float,
) -> dict[str, Any]:
    """Throughput of a run, its share of the measured peak (MFU), and memory."""
    rate = tokens / max(seconds, 1e-9)
    return {
        "tokens_per_second": round(rate, 1),
        "tokens_per_cpu_second": round(tokens / max(cpu_seconds, 1e-9), 1),
        "mfu": round(utilisation(model, settings, rate, peak), 4),
        "matmul_peak_flops": round(peak),
        "device": device_name(settings),
        "memory_mib": round(peak_memory_mib(settings), 1),
    }


def peak_memory_mib(settings: Train) -> float:
    """The most that was held at once: on the GPU, or by this process."""
    if settings.device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
