"""Out of memory, said with what to change."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch

from hornbook.errors import ConfigError
from hornbook.model.config import Model
from hornbook.plan.arithmetic import Layout, memory_by_part, parameters_by_part, total
from hornbook.train.config import Train
from hornbook.train.place import given_place

_GIB = 2**30


def require_memory(shape: Model, settings: Train, *, vocab_size: int) -> None:
    """What a rank holds of weights, gradients and optimizer fits; activations come on top.

    To be asked on every rank before one of them takes memory.

    Raises:
        ConfigError: It does not. On the host the kernel would end the process without a word.
    """
    parts = memory_by_part(shape, vocab_size, Layout.of(settings))
    needed = sum(parts[name] for name in ("weights", "gradients", "optimizer"))
    free = _free_bytes(settings.device)
    if free is None or needed <= free:
        return
    parameters = total(parameters_by_part(shape, vocab_size))
    remedy = (
        "or more of train.ranks, each on a GPU of its own, with train.engine=deepspeed: they "
        "share gradients and optimizer"
        if settings.device == "cuda"
        else "or fewer ranks on a machine (docs/cluster.md)"
    )
    raise ConfigError(
        f"{parameters:,} parameters need {needed / _GIB:,.1f} GiB for weights, gradients and "
        f"optimizer on each of {settings.ranks} rank(s), {free / _GIB:,.1f} GiB are free on "
        f"{settings.device} for each; choose a smaller model=, {remedy}"
    )


def local_ranks() -> int:
    """Ranks that share this machine."""
    place = given_place()
    return place.local_size if place else 1


def _free_bytes(device: str) -> int | None:
    """For one rank: its GPU, or its part of the host; None where nobody says."""
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    free = _host_bytes()
    return None if free is None else free // local_ranks()


def _host_bytes() -> int | None:
    file = Path("/proc/meminfo")
    text = file.read_text("utf-8") if file.exists() else ""
    found = re.search(r"MemAvailable:\s+(\d+) kB", text)
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
