"""The lines of code that a changed hash stands for, from git or the work tree.

`dvc.lock` records what a stage ran; a revision may hold other code than its `dvc.lock` was made
with. What is compared is therefore hashed first, and said where it is not what ran.
"""

import difflib
import hashlib
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hornbook.diff.causes import Change
from hornbook.diff.revisions import State
from hornbook.lineage.workspace import folder_hash

MOST_LINES = 400  # of a file, kept
_MOST_BYTES = 1 << 20  # of a file that is compared line by line
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class CodeLines:
    """A unified diff of a file or folder; `more` lines were left out, `remarks` are doubts."""

    path: str
    lines: tuple[str, ...]
    more: int
    remarks: tuple[str, ...]


def code_lines(root: Path, a: State, b: State, changes: Iterable[Change]) -> dict[str, CodeLines]:
    """What changed in each file or folder of code, by its path."""
    wanted: dict[str, Change] = {}
    for change in changes:
        if change.kind == "code":
            wanted.setdefault(change.what, change)
    sides = [_read(root, state, list(wanted)) for state in (a, b)]
    return {
        path: _compared(change, (a, b), sides[0][path], sides[1][path])
        for path, change in wanted.items()
    }


def _compared(
    change: Change, states: tuple[State, State], before: Files, after: Files
) -> CodeLines:
    remarks = [
        f"{change.what} of {state} hashes to {_digest(change.what, files, recorded)[:8]}, but its "
        f"dvc.lock was made with {recorded[:8]}: what ran is not in these lines"
        for state, files, recorded in zip(
            states, (before, after), (change.before, change.after), strict=True
        )
        if recorded != "absent" and _digest(change.what, files, recorded) != recorded
    ]
    if "absent" in {change.before, change.after} and before == after:
        remarks.append("the same on both sides; only one of them reads it")
    lines: list[str] = []
    for path in sorted({*before, *after}):
        lines += _unified(path, before.get(path), after.get(path))
    more = max(0, len(lines) - MOST_LINES)
    return CodeLines(change.what, tuple(lines[:MOST_LINES]), more, tuple(remarks))


def _unified(path: str, before: bytes | None, after: bytes | None) -> list[str]:
    if before == after:
        return []
    if max(len(before or b""), len(after or b"")) > _MOST_BYTES:
        return [f"--- {path}: {len(before or b''):,} -> {len(after or b''):,} bytes"]
    try:
        texts = [(one or b"").decode("utf-8").splitlines() for one in (before, after)]
    except UnicodeDecodeError:
        return [f"--- {path}: not text"]
    old, new = (path if one is not None else "/dev/null" for one in (before, after))
    return list(difflib.unified_diff(texts[0], texts[1], old, new, n=1, lineterm=""))


def _digest(path: str, files: Files, recorded: str) -> str:
    """DVC's hash of a file, or of a folder where a folder was recorded."""
    hashes = {
        name: hashlib.md5(content, usedforsecurity=False).hexdigest()
        for name, content in files.items()
    }
    if recorded.endswith(".dir"):
        return folder_hash({name.removeprefix(f"{path}/"): one for name, one in hashes.items()})
    return hashes.get(path, "no file")


def _read(root: Path, state: State, paths: list[str]) -> dict[str, Files]:
    """The files of each path, itself or those below it; none where there is no such path."""
    if not paths:
        return {}
    if state.revision is None:
        return {path: _from_disk(root, path) for path in paths}
    names = _git(root, ["ls-tree", "-r", "-z", "--name-only", state.revision, "--", *paths])
    listed = [name for name in names.decode("utf-8", "surrogateescape").split("\0") if name]
    content = _blobs(root, state.revision, listed)
    return {
        path: {
            name: content[name] for name in listed if name == path or name.startswith(f"{path}/")
        }
        for path in paths
    }


def _from_disk(root: Path, path: str) -> Files:
    full = root / path
    if full.is_dir():
        found = sorted(one for one in full.rglob("*") if one.is_file() and one.suffix != ".pyc")
        return {one.relative_to(root).as_posix(): one.read_bytes() for one in found}
    return {path: full.read_bytes()} if full.is_file() else {}


def _blobs(root: Path, revision: str, names: list[str]) -> dict[str, bytes]:
    """Many files of a revision by one process."""
    asked = "".join(f"{revision}:./{name}\n" for name in names).encode("utf-8", "surrogateescape")
    told, found, place = _git(root, ["cat-file", "--batch"], asked), dict[str, bytes](), 0
    for name in names:
        head, _, rest = told[place:].partition(b"\n")
        kind = head.split()
        if len(kind) != 3:  # such as a submodule: "... missing"
            place += len(head) + 1
            found[name] = b""
            continue
        size = int(kind[2])
        found[name] = rest[:size]
        place += len(head) + 1 + size + 1
    return found


def _git(root: Path, arguments: list[str], given: bytes = b"") -> bytes:
    return subprocess.run(
        ["git", *arguments], cwd=root, input=given, capture_output=True, check=False
    ).stdout
