"""Tensors of a model folder: one safetensors file, or several and an index of what is where."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from hornbook.artifacts import read_json, write_json
from hornbook.errors import ArtifactError

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
_PICKLE = "pytorch_model.bin"  # what releases of 2023 hold


def write_weights(tensors: Mapping[str, Tensor], folder: Path, shard_bytes: int) -> list[str]:
    """Names of the files written: one, or as many as keep each at `shard_bytes` or less.

    A tensor is never cut: one that is larger than `shard_bytes` is a file of its own. Equal
    tensors give equal bytes.
    """
    shards = _shards(tensors, shard_bytes)
    names = [WEIGHTS]
    if len(shards) > 1:
        total = len(shards)
        names = [f"model-{n:05d}-of-{total:05d}.safetensors" for n in range(1, total + 1)]
    for name, keys in zip(names, shards, strict=True):
        _write(folder / name, {key: tensors[key].contiguous() for key in keys})
    if len(shards) > 1:
        where = {key: name for name, keys in zip(names, shards, strict=True) for key in keys}
        facts = {
            "total_size": sum(tensor.nbytes for tensor in tensors.values()),
            "total_parameters": sum(tensor.numel() for tensor in tensors.values()),
        }
        write_json(folder / INDEX, {"metadata": facts, "weight_map": where})
    return names


def _shards(tensors: Mapping[str, Tensor], shard_bytes: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    room = shard_bytes
    for key, tensor in tensors.items():
        if shards[-1] and tensor.nbytes > room:
            shards.append([])
            room = shard_bytes
        shards[-1].append(key)
        room -= tensor.nbytes
    return shards


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        # transformers refuses a file whose metadata does not name the framework
        save_file(tensors, part, metadata={"format": "pt"})
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights of `folder`; safetensors before pickles.

    Raises:
        ArtifactError: There is none, or one that the index names is not there.
    """
    found: list[Path] = []
    for single in (WEIGHTS, _PICKLE):
        index = folder / f"{single}.index.json"
        if index.exists():
            found = sorted(folder / name for name in set(read_json(index)["weight_map"].values()))
        elif (folder / single).exists():
            found = [folder / single]
        if found:
            break
    missing = [file for file in found or [folder / WEIGHTS] if not file.exists()]
    if missing:
        raise ArtifactError(
            f"{missing[0]} is not there; materialise the stage that writes it, or copy the whole "
            f"folder again"
        )
    return found


def read_weights(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor of all weights of `folder`, file by file.

    Raises:
        ArtifactError: A file is absent, damaged, or a pickle that holds more than tensors.
    """
    for file in weight_files(folder):
        yield from _read(file).items()


def _read(file: Path) -> dict[str, Tensor]:
    from pickle import UnpicklingError

    remedy = "restore it with dvc checkout, or copy it again"
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        return torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except SafetensorError as error:
        raise ArtifactError(f"{file} is damaged ({error}); {remedy}") from error
    except (UnpicklingError, RuntimeError, EOFError) as error:
        first = str(error).partition("\n")[0]
        raise ArtifactError(f"{file} cannot be read as weights ({first}); {remedy}") from error
