"""`auto` for device, dtype and attention becomes what is there, once, at compose."""

import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hornbook.errors import ConfigError
from hornbook.train.config import contradiction

AUTO = "auto"
# a processor with one of these multiplies bfloat16 in hardware: 855 against 190 GFLOP/s measured
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
# the longest context for explicit attention on a CPU. Training in bf16 takes .57 of the flash
# kernel's time with it at 1,024 and 2,048, .38 at 256; what it keeps grows with the square.
# Evaluation gains at 128.
_EXPLICIT_IN_TRAINING, _EXPLICIT = 2048, 128


def resolve(
    section: Mapping[str, Any], *, context_tokens: int, name: str = "train"
) -> dict[str, Any]:
    """The section `name` of an experiment with explicit device, dtype and attention.

    Values other than `auto` stay as they are, so that an experiment for another machine can be
    composed here; whether the device is there is asked when the stage starts.

    Raises:
        ConfigError: Device, dtype and attention contradict each other.
    """
    found = dict(section)
    if found.get("device") == AUTO:
        found["device"] = "cuda" if has_cuda() else "cpu"
    is_cuda = found.get("device") == "cuda"
    if found.get("dtype") == AUTO:
        found["dtype"] = "bfloat16" if is_cuda or has_bf16() else "float32"
    if found.get("attention") == AUTO:
        dtype = str(found.get("dtype"))
        found["attention"] = _attention(name, dtype, context_tokens, is_cuda=is_cuda)
    problem = contradiction(*(str(found.get(key)) for key in ("device", "dtype", "attention")))
    if problem:
        raise ConfigError(problem.replace("train.", f"{name}."))
    return found


def _attention(name: str, dtype: str, context_tokens: int, *, is_cuda: bool) -> str:
    if is_cuda:
        return "flash" if find_spec("flash_attn") and dtype != "float32" else "sdpa"
    longest = _EXPLICIT_IN_TRAINING if name == "train" else _EXPLICIT
    return "explicit" if context_tokens <= longest else "sdpa"


def has_cuda() -> bool:
    """Whether torch can use a GPU; torch is not imported where no driver is installed."""
    if not Path("/dev/nvidiactl").exists() and shutil.which("nvidia-smi") is None:
        return False
    import torch

    return torch.cuda.is_available()


def has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return bool(_BF16_FLAGS & set(flags.split()))
