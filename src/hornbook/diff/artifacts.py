"""The files of an artifact on both sides, from DVC's cache or, where they are the same, on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hornbook.diff.revisions import State
from hornbook.lineage.cache import cached_file, cached_files
from hornbook.lineage.manifest import LockEntry
from hornbook.lineage.workspace import Hasher


@dataclass(frozen=True)
class Side:
    """An artifact on one side: the hash of each file by its name in it, and where the bytes are."""

    hashes: Mapping[str, str]
    paths: Mapping[str, Path]


@dataclass(frozen=True)
class Pair:
    """An artifact on both sides; the files that differ are all here, the others may be missing."""

    stage: str
    before: Side
    after: Side

    @property
    def differing(self) -> list[str]:
        """The names whose bytes are not the same, those that one side lacks among them."""
        old, new = self.before.hashes, self.after.hashes
        names = [name for name in {*old, *new} if old.get(name) != new.get(name)]
        return sorted(names, key=lambda name: (name.count("/"), name))

    def both(self, name: str) -> tuple[Path, Path] | None:
        """A file on both sides; None where one lacks it."""
        if name not in self.before.hashes or name not in self.after.hashes:
            return None
        return self.before.paths[name], self.after.paths[name]

    @property
    def num_bytes(self) -> int:
        """The size of the files that differ, on both sides."""
        return sum(
            side.paths[name].stat().st_size
            for side in (self.before, self.after)
            for name in self.differing
            if name in side.hashes
        )


def find_pair(root: Path, stage: str, before: State, after: State) -> Pair | str:
    """The artifact of a stage on both sides, or what is missing and how it comes."""
    sides = [_side(root, state.lock[stage]) for state in (before, after)]
    absent = [
        f"the artifact of {stage} at {state} is not in the cache here. {how_to_get(stage, state)}"
        for state, side in zip((before, after), sides, strict=True)
        if side is None
    ]
    if absent or sides[0] is None or sides[1] is None:
        return "; ".join(absent)
    pair = Pair(stage, sides[0], sides[1])
    absent = [
        f"of the artifact of {stage} at {state} the cache here lacks {', '.join(lost[:3])}"
        f"{f' and {len(lost) - 3} more' if len(lost) > 3 else ''}. {how_to_get(stage, state)}"
        for state, side in ((before, pair.before), (after, pair.after))
        if (lost := [n for n in pair.differing if n in side.hashes and not side.paths[n].exists()])
    ]
    return "; ".join(absent) or pair


def how_to_get(stage: str, state: State) -> str:
    """What brings the artifact of a stage here."""
    if state.revision is None or state.name == "HEAD":
        return (
            f"`dvc fetch {stage}` brings it from a remote, `hornbook run {stage}` makes it again."
        )
    short = state.revision[:7]
    return (
        f"`dvc fetch --all-commits {stage}` brings it from a remote; else make it again: "
        f"`git worktree add ../at-{short} {short}`, and there `hornbook run {stage}`."
    )


def _side(root: Path, entry: LockEntry) -> Side | None:
    """An artifact whose listing is in the cache, or which is still what lies in the work tree."""
    out, digest = next(iter(entry.outs.items()), ("", ""))
    hashes = cached_files(root, digest)
    if hashes is not None:
        return Side(hashes, {name: cached_file(root, md5) for name, md5 in hashes.items()})
    if cached_file(root, digest).is_file() and not digest.endswith(".dir"):
        return Side({Path(out).name: digest}, {Path(out).name: cached_file(root, digest)})
    if not (root / out).is_dir():
        return None
    hasher = Hasher(root)
    if hasher.hash(out) != digest:
        return None
    files = hasher.files(out)
    return Side(files, {name: root / out / name for name in files})
