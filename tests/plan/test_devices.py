"""Names of devices: those of data sheets, those of torch, and none that is guessed."""

import pytest

from hornbook.errors import InputError
from hornbook.plan.devices import device_of, find_device, parse_devices


@pytest.mark.parametrize(
    ("text", "expected"),
    [("32xA100-80G", (32, "A100-80G")), ("8 x H100", (8, "H100")), ("H200", (1, "H200")),
     ("2*My Chip 9", (2, "My Chip 9")), ("cpu", (1, "cpu"))],
)  # fmt: skip
def test_a_number_and_a_name_are_read(text, expected):
    assert parse_devices(text) == expected


@pytest.mark.parametrize("text", ["", "0xA100-80G"])
def test_what_names_no_device_is_refused(text):
    with pytest.raises(InputError, match=r"such as 32xA100-80G"):
        parse_devices(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a100-80g", "A100-80G"), ("A100 80GB", "A100-80G"), ("H100", "H100-80G"),
     ("NVIDIA A100-SXM4-40GB", "A100-40G"), ("NVIDIA H100 80GB HBM3", "H100-80G"),
     ("NVIDIA H200", "H200-141G"), ("NVIDIA H100 PCIe", "H100-PCIe-80G"),
     ("Tesla V100-SXM2-32GB", "V100-32G"), ("Tesla V100-PCIE-16GB", "V100-PCIe-16G"),
     ("RTX 4090", None), ("B200", None)],
)  # fmt: skip
def test_names_of_data_sheets_and_of_torch_are_one_device(name, expected):
    found = find_device(name)
    assert (found.name if found else None) == expected


def test_a_name_of_two_devices_is_refused():
    with pytest.raises(InputError, match=r"A100 is A100-40G or A100-80G"):
        find_device("A100")


def test_an_unknown_device_needs_its_peak():
    with pytest.raises(InputError, match=r"'B200' is not known.*--peak-tflops"):
        device_of("B200", peak_tflops=None, memory_gib=None, dtype="bfloat16")
    given = device_of("B200", peak_tflops=2250, memory_gib=None, dtype="bfloat16")
    assert (given.peaks, given.memory_gib) == ({"bfloat16": 2250e12}, None)


def test_a_device_without_the_dtype_is_refused():
    with pytest.raises(InputError, match=r"V100-32G does not compute in bfloat16.*float16"):
        device_of("V100-32G", peak_tflops=None, memory_gib=None, dtype="bfloat16")


def test_what_the_user_measured_replaces_the_data_sheet():
    device = device_of("H200", peak_tflops=790, memory_gib=120, dtype="bfloat16")
    assert (device.peaks["bfloat16"], device.memory_gib) == (790e12, 120)
    assert device.origin == "--peak-tflops"
