"""Checkpoints of a run in progress: complete or not there, and provably undamaged.

A checkpoint is a folder `step-000001000` with all tensors, all other facts and the checksums of
both. It is written under another name, synced and renamed, so a kill at any moment leaves the ones
before as they were. Of several ranks each writes a file of tensors, and the first one renames the
folder when the files of all are there.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from hornbook.artifacts import write_json
from hornbook.errors import PeerError, StageError
from hornbook.train.parts import Parts

_FACTS, _SUMS = "state.json", "checksums.json"
_TENSORS = ".safetensors"
_WRITING = "writing-"
# what a file says that is not there; any other OSError says nothing about its bytes
_ABSENT = (FileNotFoundError, NotADirectoryError)


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


def save_snapshot(
    folder: Path,
    snapshot: Snapshot,
    *,
    kept: int,
    rank: int = 0,
    ranks: int = 1,
    is_given_up: Callable[[], bool] = lambda: False,
) -> None:
    """Write a checkpoint, or one rank's share of it, and drop all but the `kept` newest.

    Raises:
        PeerError: `is_given_up` became true before the other ranks had written their shares.
    """
    part = folder / f"{_WRITING}{snapshot.step:09d}"
    part.mkdir(parents=True, exist_ok=True)
    names = [_file_of(one, ranks) for one in range(ranks)]
    _write_tensors(snapshot.tensors, part / names[rank])
    if rank:
        return
    facts = {"step": snapshot.step, "digest": snapshot.digest, "facts": dict(snapshot.facts)}
    write_json(part / _FACTS, facts)
    sums = {name: _awaited(part / f"{name}.sum", is_given_up) for name in names}
    write_json(part / _SUMS, {_FACTS: checksum(part / _FACTS), **sums})
    for name in names:
        (part / f"{name}.sum").unlink()
    put(part, step_folder(folder, snapshot.step))
    for old in found(folder)[:-kept]:
        shutil.rmtree(old)


def _file_of(rank: int, ranks: int) -> str:
    return f"state{_TENSORS}" if ranks == 1 else f"state-{rank:05d}-of-{ranks:05d}{_TENSORS}"


def _write_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    """A file of tensors, and its checksum once it is whole."""
    save_file(dict(tensors), file)
    sync(file)
    told = file.with_name(f"{file.name}.sum")
    part = told.with_suffix(".part")
    part.write_text(checksum(file), encoding="utf-8")
    part.rename(told)


def _awaited(file: Path, is_given_up: Callable[[], bool]) -> str:
    """What another rank writes; ranks meet in the file system, so that training need not wait."""
    while not file.exists():
        if is_given_up():
            raise PeerError(f"{file.name} was not written: another rank is gone")
        time.sleep(0.02)
    return file.read_text("utf-8")


def clear_unfinished(folder: Path) -> None:
    """Remove what a killed run was writing; before any rank writes again."""
    for part in folder.glob(f"{_WRITING}*"):
        shutil.rmtree(part)


def load_snapshot(
    folder: Path,
    warn: Callable[[str], None],
    fault: Callable[[Snapshot], str | None] = lambda _: None,
) -> Snapshot | None:
    """The newest checkpoint that is whole and has no `fault`; None where there is none.

    One of which something is missing or damaged is reported to `warn` and removed, and the one
    before it is taken.

    Raises:
        StageError: One cannot be read; it may be whole, so nothing is removed.
    """
    paths = found(folder)
    for path in reversed(paths):
        try:
            snapshot = _read(path)
            problem = fault(snapshot)
        except (*_ABSENT, ValueError, KeyError, TypeError, SafetensorError) as error:
            problem = f"{type(error).__name__}: {error}"
        except OSError as error:
            raise unreadable(path, error) from error
        else:
            if problem is None:
                return snapshot
        warn(f"checkpoint {path} is damaged ({problem}); going back to the one before")
        _remove(path)
    if paths:
        warn("no checkpoint is whole; starting from the first step")
    return None


def unreadable(path: Path, error: OSError) -> StageError:
    """What to say of a folder that could not be read, whatever is in it."""
    return StageError(
        f"{path} cannot be read ({error}), which does not make it damaged: nothing was removed; "
        f"mend the disk or its permissions and run the same command again, or remove "
        f"{path.parent} to go on without"
    )


def _read(path: Path) -> Snapshot:
    sums = json.loads((path / _SUMS).read_text("utf-8"))
    there = sorted(file.name for file in path.glob(f"*{_TENSORS}"))
    if not there or sorted(sums) != sorted([_FACTS, *there]):
        raise ValueError(f"{_SUMS} names other files than {', '.join([_FACTS, *there])}")
    for name in sums:
        if checksum(path / name) != sums[name]:
            raise ValueError(f"checksum of {name}")
    return read_snapshot(path)


def read_snapshot(path: Path) -> Snapshot:
    """A checkpoint that is known to be whole; tensors are read when they are asked for."""
    facts = json.loads((path / _FACTS).read_text("utf-8"))
    tensors = Parts.in_files(sorted(path.glob(f"*{_TENSORS}")))
    return Snapshot(facts["step"], facts["digest"], facts["facts"], tensors)


def step_folder(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step is."""
    return folder / f"step-{step:09d}"


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
    _remove(target)
    made.rename(target)
    sync(target.parent)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def found(folder: Path) -> list[Path]:
    """Folders by step, oldest first."""
    return sorted(folder.glob("step-*"))
