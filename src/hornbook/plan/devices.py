"""Devices of which the data sheet is known; of any other the user has to say what it can do."""

import re
from dataclasses import dataclass

from hornbook.errors import InputError

GIB = 2**30


@dataclass(frozen=True)
class Device:
    """One accelerator, or one rank's share of a processor."""

    name: str
    memory_gib: float | None  # that a driver reports as whole; None where nobody said
    peaks: dict[str, float]  # dense FLOP/s by dtype; empty where nobody knows
    origin: str  # where these are from


_TENSOR_A100 = {"bfloat16": 312e12, "float16": 312e12, "float32": 19.5e12}
_TENSOR_H100 = {"bfloat16": 989e12, "float16": 989e12, "float32": 67e12}
_PCIE_H100 = {"bfloat16": 756e12, "float16": 756e12, "float32": 51e12}
_TENSOR_V100 = {"float16": 125e12, "float32": 15.7e12}
_PCIE_V100 = {"float16": 112e12, "float32": 14e12}
# memory as drivers report it, a little less than its name says; peaks without sparsity.
# Source: NVIDIA's data sheets of V100, A100, H100 and H200.
_SHEET = "NVIDIA's data sheet"
KNOWN = {
    device.name: device
    for device in (
        Device("V100-16G", 15.8, _TENSOR_V100, _SHEET),
        Device("V100-32G", 31.7, _TENSOR_V100, _SHEET),
        Device("V100-PCIe-16G", 15.8, _PCIE_V100, _SHEET),
        Device("V100-PCIe-32G", 31.7, _PCIE_V100, _SHEET),
        Device("A100-40G", 39.4, _TENSOR_A100, _SHEET),
        Device("A100-80G", 79.1, _TENSOR_A100, _SHEET),
        Device("H100-PCIe-80G", 79.1, _PCIE_H100, _SHEET),
        Device("H100-80G", 79.1, _TENSOR_H100, _SHEET),
        Device("H200-141G", 139.7, _TENSOR_H100, _SHEET),
    )
}
# other spellings, in small letters without blanks, hyphens and the names of maker and brand
_ALIASES = {
    "a10040gb": "A100-40G",
    "a100sxm440gb": "A100-40G",
    "a100pcie40gb": "A100-40G",
    "a10080gb": "A100-80G",
    "a100sxm480gb": "A100-80G",
    "a10080gbpcie": "A100-80G",
    "h100": "H100-80G",
    "h10080gb": "H100-80G",
    "h10080gbhbm3": "H100-80G",
    "h100sxm": "H100-80G",
    "h100pcie": "H100-PCIe-80G",
    "h200": "H200-141G",
    "h200141gb": "H200-141G",
    "v100sxm216gb": "V100-16G",
    "v100sxm232gb": "V100-32G",
    "v100pcie16gb": "V100-PCIe-16G",
    "v100pcie32gb": "V100-PCIe-32G",
}
_COUNTED = re.compile(r"(?:(\d+)\s*[x*])?\s*(\S.*)", re.IGNORECASE)


def parse_devices(text: str) -> tuple[int, str]:
    """How many devices, and their name, of a text such as 32xA100-80G.

    Raises:
        InputError: It is no such text.
    """
    found = _COUNTED.fullmatch(text.strip())
    if found is None or found[1] == "0":
        raise InputError(f"devices={text}: expected a number and a name such as 32xA100-80G")
    return int(found[1] or 1), found[2]


def find_device(name: str) -> Device | None:
    """The device that goes by this name on a data sheet or in torch; None where none does.

    Raises:
        InputError: The name stands for several.
    """
    short = re.sub(r"nvidia|tesla|[\s_-]", "", name.lower())
    for known, device in KNOWN.items():
        if re.sub(r"[\s_-]", "", known.lower()) == short:
            return device
    if short in _ALIASES:
        return KNOWN[_ALIASES[short]]
    several = [known for known in KNOWN if known.lower().startswith(f"{short}-")]
    if several:
        raise InputError(f"devices: {name} is {' or '.join(several)}; name one of them")
    return None


def device_of(
    name: str, *, peak_tflops: float | None, memory_gib: float | None, dtype: str
) -> Device:
    """The device of this name, with what the user says of it in place of the data sheet.

    Raises:
        InputError: It is not known and its peak was not given.
    """
    known = find_device(name)
    if known is None and peak_tflops is None:
        raise InputError(
            f"devices: {name!r} is not known ({', '.join(KNOWN)}, cpu); say what it can do in "
            f"{dtype} with --peak-tflops, and its memory with --memory-gib"
        )
    peaks = dict(known.peaks) if known else {}
    if peak_tflops is not None:
        peaks[dtype] = peak_tflops * 1e12
    elif dtype not in peaks:
        raise InputError(
            f"devices: {name} does not compute in {dtype} (train.dtype); it knows "
            f"{', '.join(sorted(peaks))}"
        )
    memory = memory_gib if memory_gib is not None or known is None else known.memory_gib
    origin = "--peak-tflops" if peak_tflops is not None or known is None else known.origin
    return Device(known.name if known else name, memory, peaks, origin)
