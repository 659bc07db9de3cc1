"""What the device can do and what it used; an unknown device has no utilisation, not a guess."""

import resource

import torch

from hornbook.model.config import Model

# dense bf16/fp16 peak in FLOP/s. Source: NVIDIA data sheets of A100, H100 SXM and H200 SXM.
_PEAKS = {
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H200": 989e12,
}


def step_flops_per_token(shape: Model, vocab_size: int) -> int:
    """Floating-point operations of forward and backward: 6 per matrix weight, and attention.

    Attention counts half of the square, which is what a causal mask leaves.
    """
    width = shape.width
    matrices = shape.layers * (4 * width * width + 2 * width * shape.mlp_width)
    attention = 6 * shape.layers * width * shape.context_tokens
    return 6 * (matrices + vocab_size * width) + attention


def utilisation(device: torch.device, flops_per_second: float) -> float | None:
    """Share of the device's peak; None where the peak is not known."""
    if device.type != "cuda":
        return None
    peak = _PEAKS.get(torch.cuda.get_device_name(device))
    return flops_per_second / peak if peak else None


def peak_memory_mib(device: torch.device) -> float:
    """The most that was held at once: on the GPU, or by this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
