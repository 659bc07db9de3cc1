"""Out of memory, said with what to change."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch

from hornbook.errors import ConfigError
from hornbook.model.config import Model
from hornbook.plan.arithmetic import parameters_by_part
from hornbook.train.config import Train

_GIB = 2**30
# per parameter beside the weights: gradient in their dtype; master, gradient, two moments in fp32
_FP32_COPIES = 4


def require_memory(shape: Model, settings: Train, *, vocab_size: int) -> None:
    """Weights, gradients and optimizer fit; activations come on top and are not counted.

    Raises:
        ConfigError: They do not. On the host the kernel would end the process without a word.
    """
    parameters = sum(parameters_by_part(shape, vocab_size).values())
    width = 4 if settings.dtype == "float32" else 2
    needed = parameters * (2 * width + 4 * _FP32_COPIES)
    free = _free_bytes(settings.device)
    if free is not None and needed > free:
        raise ConfigError(
            f"{parameters:,} parameters need {needed / _GIB:,.1f} GiB for weights, gradients and "
            f"optimizer, {free / _GIB:,.1f} GiB are free on {settings.device}; choose a smaller "
            f"model=, or raise train.ranks so that ranks share the optimizer"
        )


def _free_bytes(device: str) -> int | None:
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    file = Path("/proc/meminfo")
    found = (
        re.search(r"MemAvailable:\s+(\d+) kB", file.read_text("utf-8")) if file.exists() else None
    )
    return int(found[1]) * 1024 if found else None


@contextmanager
def memory_errors(settings: Train) -> Generator[None]:
    """Turn the allocators' errors into one that names the setting.

    Raises:
        ConfigError: Memory ran out inside.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _is_shortage(error):
            raise
        micro = settings.micro_sequences
        remedy = (
            f"lower train.micro_sequences={micro} to {micro // 2}: the batch stays the same, in "
            f"more passes"
            if micro > 1
            else "train.micro_sequences is 1 already: choose a smaller model= or context"
        )
        raise ConfigError(
            f"memory of {settings.device} ran out ({str(error).splitlines()[0][:200]}); {remedy}; "
            f"what else runs there?"
        ) from error


def _is_shortage(error: RuntimeError) -> bool:
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in text for sign in ("can't allocate memory", "not enough memory", "out of memory")
    )
