"""The name of what computes, as a measurement states it."""

import platform
from pathlib import Path

import torch


def product_name(device: str, threads: int) -> str:
    """The product name of a GPU, or that of the processor with the number of threads."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    file = Path("/proc/cpuinfo")
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()} x {threads}"
