"""Checkpoints of a run in progress: complete or not there, and provably undamaged."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from hornbook.artifacts import write_json

KEPT = 2  # the newest, and the one before in case the newest is damaged
_TENSORS, _FACTS = "state.safetensors", "state.json"


@dataclass(frozen=True)
class Snapshot:
    """Where training stands after `step` optimizer steps."""

    step: int
    digest: str  # of all that the sampler drew so far
    curve: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


def save_snapshot(folder: Path, snapshot: Snapshot) -> None:
    """Write a checkpoint below `folder` and drop those that are too old."""
    part = folder / "writing"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tensors = {name: snapshot.tensors[name].contiguous() for name in sorted(snapshot.tensors)}
    save_file(tensors, part / _TENSORS)
    facts = {
        "step": snapshot.step,
        "digest": snapshot.digest,
        "curve": dict(snapshot.curve),
        "sha256": _sha256(part / _TENSORS),
    }
    write_json(part / _FACTS, facts)
    target = folder / f"step-{snapshot.step:09d}"
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    for old in _found(folder)[:-KEPT]:
        shutil.rmtree(old)


def load_snapshot(folder: Path, warn: Callable[[str], None]) -> Snapshot | None:
    """The newest checkpoint that is whole; None where there is none.

    A damaged one is reported to `warn` and removed, and the one before it is taken.
    """
    for path in reversed(_found(folder)):
        try:
            facts = json.loads((path / _FACTS).read_text("utf-8"))
            checksum = _sha256(path / _TENSORS)
        except (OSError, ValueError) as error:
            warn(f"checkpoint {path} cannot be read ({error}); going back to the one before")
            shutil.rmtree(path)
            continue
        if checksum != facts["sha256"]:
            warn(f"checkpoint {path} is damaged (checksum); going back to the one before")
            shutil.rmtree(path)
            continue
        return Snapshot(
            step=facts["step"],
            digest=facts["digest"],
            curve=facts["curve"],
            tensors=load_file(path / _TENSORS),
        )
    return None


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _found(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))
