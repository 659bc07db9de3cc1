"""What the files on disk are, against what DVC recorded: dirty artifacts, stale stages, identity.

Hashes are DVC's own (md5 of a file, md5 of the sorted listing of a folder), so they compare with
`dvc.lock` directly; they are remembered by size and time of each file, so looking again is cheap.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hornbook.artifacts import write_text
from hornbook.errors import ArtifactError
from hornbook.lineage.manifest import Graph, LockEntry, Stage
from hornbook.lineage.reading import remembered

Kind = Literal["never run", "command", "parameter", "code", "input", "data", "output"]


CODE = ("src/", "conf/")  # what git tracks of what stages read
GONE = {"missing": "is missing", "absent": "is not read any more"}


@dataclass(frozen=True)
class Reason:
    """One difference between what is and what was recorded; `what` is a path, key or stage."""

    kind: Kind
    what: str
    before: str
    now: str

    def __str__(self) -> str:
        """A line a person can act on."""
        if self.kind == "never run":
            return "never run here"
        if self.kind == "output":
            return (
                f"{self.what} is {'missing' if self.now == 'missing' else 'edited or half-written'}"
            )
        if self.now == "stale":
            return f"{self.what} is out of date"
        if self.kind == "parameter":
            return f"{self.what}: {self.before} -> {self.now}"
        return f"{self.kind} {self.what} {GONE.get(self.now, 'changed')}"


class Hasher:
    """DVC hashes of paths, remembered in `.hornbook/hashes.json` by (size, mtime, inode)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.memory_file = root / ".hornbook" / "hashes.json"
        self.memory = remembered(self.memory_file)
        self.is_changed = False

    def hash(self, path: str) -> str:
        """The DVC hash of a file or folder relative to the root; `missing` where there is none."""
        full = self.root / path
        if full.is_dir():
            return folder_hash(self.files(path))
        return self._file(full) if full.exists() else "missing"

    def save(self) -> None:
        """Remember for the next process; losing this file only costs time."""
        if self.is_changed:
            write_text(self.memory_file, json.dumps(self.memory))
            self.is_changed = False

    def files(self, path: str) -> dict[str, str]:
        """The hash of each file of a folder relative to the root, by its path in the folder."""
        folder = self.root / path
        found: dict[str, str] = {}
        for base, names, files in os.walk(folder):
            names[:] = [name for name in names if name != "__pycache__"]
            for name in files:
                if not name.endswith(".pyc"):
                    file = Path(base, name)
                    found[file.relative_to(folder).as_posix()] = self._file(file)
        return found

    def _file(self, file: Path) -> str:
        try:
            stat = file.stat()
        except FileNotFoundError:
            return "missing"  # a link to nowhere, or taken away after the folder was listed
        key = str(file)
        mark = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        known = self.memory.get(key)
        match known:
            case [*then, str(digest)] if then == mark:
                return digest
            case _:
                pass
        with file.open("rb") as content:
            value = hashlib.file_digest(
                content, lambda: hashlib.md5(usedforsecurity=False)
            ).hexdigest()
        self.memory[key] = [*mark, value]
        self.is_changed = True
        return value


def folder_hash(files: Mapping[str, str]) -> str:
    """DVC's hash of a folder, from those of its files by their path in it."""
    rows = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
    listing = json.dumps(rows, sort_keys=True).encode()
    return hashlib.md5(listing, usedforsecurity=False).hexdigest() + ".dir"


def compare(stage: Stage, entry: LockEntry | None, graph: Graph, hasher: Hasher) -> list[Reason]:
    """Why a stage is out of sync with its record; empty when it is in sync.

    Upstream artifacts are compared as they are on disk, so a stage whose producer is stale but
    has not run again is not listed here: staleness is followed by `stale_stages`.
    """
    if entry is None:
        return [Reason("never run", stage.name, "", "")]
    found: list[Reason] = []
    if entry.cmd != stage.cmd:
        found.append(Reason("command", stage.name, entry.cmd, stage.cmd))
    found += parameter_reasons(entry.params, graph.param_values(stage))
    kinds: tuple[tuple[Iterable[str], Kind], ...] = (
        (stage.code, "code"),
        (stage.sources, "data"),
        (stage.inputs, "input"),
    )
    for paths, kind in kinds:
        for path in paths:
            before, now = entry.deps.get(path, "absent"), hasher.hash(path)
            if before != now:
                found.append(Reason(kind, path, before, now))
    gone = sorted(set(entry.deps) - set(stage.deps))
    found += [Reason(_kind(path), path, entry.deps[path], "absent") for path in gone]
    now = hasher.hash(stage.out)
    if entry.outs.get(stage.out) != now:
        found.append(Reason("output", stage.out, entry.outs.get(stage.out, "absent"), now))
    return found


def _kind(path: str) -> Kind:
    """What a path that no stage lists any more was."""
    return "code" if path.startswith(CODE) else "data"


def parameter_reasons(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Reason]:
    """The values that are not the same, by dotted key."""
    old, new = flatten(before), flatten(now)
    return [
        Reason("parameter", key, _shown(old, key), _shown(new, key))
        for key in sorted(set(old) | set(new))
        if old.get(key, _ABSENT) != new.get(key, _ABSENT)
    ]


_ABSENT = object()


def _shown(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False, default=str) if key in values else "absent"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys; an empty mapping stays a value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat


def stale_stages(
    graph: Graph, lock: Mapping[str, LockEntry], hasher: Hasher, within: Iterable[str] | None = None
) -> dict[str, list[Reason]]:
    """Out-of-sync stages in topological order, each with its own reasons.

    A stage without a reason of its own appears with an `input` reason for each stale producer.
    """
    wanted = set(graph.stages if within is None else within)
    found: dict[str, list[Reason]] = {}
    for name, stage in graph.stages.items():
        if name not in wanted:
            continue
        reasons = compare(stage, lock.get(name), graph, hasher)
        if not reasons:
            reasons = [
                Reason("input", producer, "", "stale")
                for producer in stage.producers
                if producer in found
            ]
        if reasons:
            found[name] = reasons
    return found


def require_fresh(
    graph: Graph, lock: Mapping[str, LockEntry], hasher: Hasher, stage: Stage
) -> None:
    """Refuse to consume what its producer would no longer write.

    Raises:
        ArtifactError: An ancestor is stale, hand-edited, half-written or was never run.
    """
    stale = stale_stages(graph, lock, hasher, graph.ancestors([stage.name]))
    own = [name for name in stale if any(reason.what not in stale for reason in stale[name])]
    if not own:
        return
    lines = [f"  {name}: {'; '.join(str(reason) for reason in stale[name][:4])}" for name in own]
    edited = [graph.stages[n].out for n in own if any(r.kind == "output" for r in stale[n])]
    restore = (
        f"\nto put the recorded artifact back: dvc checkout {' '.join(edited)}" if edited else ""
    )
    raise ArtifactError(
        f"{stage.name} would read artifacts that are out of date:\n"
        + "\n".join(lines)
        + f"\nto bring them up to date first: dvc repro {' '.join(own)}"
        + restore
    )


def identity(stage: Stage, graph: Graph, hasher: Hasher) -> str:
    """A short hash of all that can change the stage's bytes; names its pending folder."""
    record = {
        "cmd": stage.cmd,
        "params": graph.param_values(stage),
        "deps": {path: hasher.hash(path) for path in stage.deps},
    }
    text = json.dumps(record, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_version(cmd: str, params: Mapping[str, Any], code: Mapping[str, str]) -> str:
    """What DVC compares besides data: command, parameter values, hashes of code."""
    text = json.dumps([cmd, flatten(params), dict(code)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
