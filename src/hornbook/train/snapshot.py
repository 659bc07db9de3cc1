"""Checkpoints of a run in progress: complete or not there, and provably undamaged.

A checkpoint is a folder `step-000001000` with all tensors, all other facts and the checksums of
both. It is written under another name, synced and renamed, so a kill at any moment leaves the ones
before as they were.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from hornbook.artifacts import write_json

_TENSORS, _FACTS, _SUMS = "state.safetensors", "state.json", "checksums.json"
_WRITING = "writing"


@dataclass(frozen=True)
class Snapshot:
    """Where training stands after `step` optimizer steps.

    `digest` is of all that the sampler drew so far; `facts` is what curve, guard and kept models
    need to go on, as JSON.
    """

    step: int
    digest: str
    facts: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


def on_host(snapshot: Snapshot) -> Snapshot:
    """A copy that further steps leave alone."""
    tensors = {
        name: tensor.detach().to("cpu", copy=True).contiguous()
        for name, tensor in sorted(snapshot.tensors.items())
    }
    facts = json.loads(json.dumps(snapshot.facts))
    return Snapshot(snapshot.step, snapshot.digest, facts, tensors)


def save_snapshot(folder: Path, snapshot: Snapshot, *, kept: int) -> None:
    """Write a checkpoint below `folder` and drop all but the `kept` newest."""
    part = folder / _WRITING
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file(dict(snapshot.tensors), part / _TENSORS)
    facts = {"step": snapshot.step, "digest": snapshot.digest, "facts": dict(snapshot.facts)}
    write_json(part / _FACTS, facts)
    sync(part / _TENSORS)
    write_json(part / _SUMS, {name: checksum(part / name) for name in (_FACTS, _TENSORS)})
    put(part, folder / f"step-{snapshot.step:09d}")
    for old in found(folder)[:-kept]:
        shutil.rmtree(old)


def load_snapshot(
    folder: Path,
    warn: Callable[[str], None],
    fault: Callable[[Snapshot], str | None] = lambda _: None,
) -> Snapshot | None:
    """The newest checkpoint that is whole and has no `fault`; None where there is none.

    One that cannot be used is reported to `warn` and removed, and the one before it is taken.
    """
    paths = found(folder)
    for path in reversed(paths):
        try:
            snapshot = _read(path)
            problem = fault(snapshot)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            problem = f"{type(error).__name__}: {error}"
        else:
            if problem is None:
                return snapshot
        warn(f"checkpoint {path} is damaged ({problem}); going back to the one before")
        shutil.rmtree(path)
    if paths:
        warn("no checkpoint is whole; starting from the first step")
    return None


def _read(path: Path) -> Snapshot:
    sums = json.loads((path / _SUMS).read_text("utf-8"))
    for name in (_FACTS, _TENSORS):
        if checksum(path / name) != sums[name]:
            raise ValueError(f"checksum of {name}")
    facts = json.loads((path / _FACTS).read_text("utf-8"))
    tensors = load_file(path / _TENSORS)
    return Snapshot(facts["step"], facts["digest"], facts["facts"], tensors)


def saved_facts(folder: Path) -> list[dict[str, Any]]:
    """The facts of all checkpoints, oldest first."""
    return [json.loads((path / _FACTS).read_text("utf-8"))["facts"] for path in found(folder)]


def checksum(file: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have the disk hold a file's bytes, or a folder's names, before anything refers to them."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put(made: Path, target: Path) -> None:
    """Rename a finished folder to where it belongs."""
    shutil.rmtree(target, ignore_errors=True)
    made.rename(target)
    sync(target.parent)


def found(folder: Path) -> list[Path]:
    """Folders by step, oldest first."""
    return sorted(folder.glob("step-*"))
