"""Receipts of reproductions: what was made again from what, and whether it came out the same.

A receipt holds no time, so that the same reproduction gives the same receipt. It counts for an
artifact as long as the record names the same bytes; everything that the reproduction was made
with is in it, and `subject` is the hash of that.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Literal

from hornbook.artifacts import write_json
from hornbook.lineage.differences import Difference
from hornbook.lineage.processes import git_says
from hornbook.lineage.reading import remembered

FOLDER = Path(".hornbook", "receipts")
LOCKED = "requirements.lock"
Result = Literal["bit-equal", "within tolerance", "differs"]


@dataclass(frozen=True)
class Receipt:
    """The outcome of making an artifact again.

    `remade` is the DVC hash of what was made, None of a sample; `code` are the files as they were
    for it, `code_changed` those that are not the recorded ones; `largest` is the largest
    difference between numbers.
    """

    stage: str
    result: Result
    subject: str
    artifact: str
    recorded: str
    remade: str | None
    sample: Mapping[str, Any] | None
    compared: str
    files: Mapping[str, str]
    differing: tuple[str, ...]
    first: Difference | None
    largest: Difference | None
    tolerance: float
    teacher: str | None
    inputs: Mapping[str, str]
    code: Mapping[str, str]
    code_changed: tuple[str, ...]
    revision: str
    environment: Mapping[str, str]

    def __str__(self) -> str:
        """What a person has to know."""
        parts = [f"{self.result}: {self.compared}"]
        if self.result == "within tolerance" and self.largest is not None:
            parts.append(f"relative tolerance {self.tolerance:g}, the largest is {self.largest}")
        if self.result == "differs" and self.first is not None:
            parts.append(str(self.first))
            more = len(self.differing) - 1
            parts += [f"and {more} more files differ"] if more > 0 else []
        if self.code_changed:
            parts.append(f"with {len(self.code_changed)} files of code that are not as recorded")
        return "; ".join(parts)


_FIELDS = {"text", *(one.name for one in fields(Receipt))}


def receipt_file(root: Path, stage: str, *, is_sample: bool) -> Path:
    """Where the newest receipt of a stage is; that of a sample stands beside one of the whole."""
    return root / FOLDER / f"{stage}{'.sample' if is_sample else ''}.json"


def keep(root: Path, receipt: Receipt) -> None:
    """Write a receipt."""
    file = receipt_file(root, receipt.stage, is_sample=receipt.sample is not None)
    write_json(file, as_json(receipt))


def as_json(receipt: Receipt) -> dict[str, Any]:
    """A receipt for programs, with what `str` says of it under `text`.

    A distance without end (a number that is not finite) is null, as JSON has no other.
    """
    found: dict[str, Any] = json.loads(json.dumps(asdict(receipt))) | {"text": str(receipt)}
    for key, one in (("first", receipt.first), ("largest", receipt.largest)):
        if one is not None and one.relative == float("inf"):
            found[key] = asdict(replace(one, relative=None))
    return found


def known(root: Path, stage: str, out_hash: str) -> dict[str, Any] | None:
    """The receipt that counts for these bytes, of the whole artifact, else of a sample of it."""
    for is_sample in (False, True):
        found = remembered(receipt_file(root, stage, is_sample=is_sample))
        if found.get("recorded") == out_hash and set(found) >= _FIELDS:
            return found
    return None


def subject(values: Mapping[str, Any]) -> str:
    """The hash of all that a reproduction depends on."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def environment(root: Path) -> dict[str, str]:
    """What runs the stage: interpreter, packages (a hash of their versions), lock, processor."""
    lock = root / LOCKED
    return {
        "python": platform.python_version(),
        "packages": _packages(),
        "requirements_lock": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else "",
        "processor": _processor(),
    }


@cache
def _packages() -> str:
    """The hash of all installed packages with their versions; editable ones are code."""
    names = {f"{one.metadata['Name']}=={one.version}".lower() for one in distributions()}
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def _processor() -> str:
    """The model name of the processor, on which the last digits of a training depend."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text("utf-8", errors="replace").splitlines() if file.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def revision(root: Path) -> str:
    """The commit of the work tree, with `+changes` where tracked files are not as in it."""
    head = git_says(root, "rev-parse", "--quiet", "--verify", "HEAD")
    # without writing what it has looked up into git's index
    changed = git_says(root, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    return (head or "no commit") + ("+changes" if changed else "")
