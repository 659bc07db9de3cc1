"""Whether what a stage was made from is still what it was when the stage began.

DVC records values, code and inputs as they are when a stage ends. So a stage looks at its end: for
another content, and for files that were replaced and are what they were again.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hornbook.errors import ArtifactError
from hornbook.lineage.manifest import Graph, LockEntry, Stage, load_graph
from hornbook.lineage.workspace import Hasher, compare

SHOWN = 6  # files in a message
Mark = tuple[int, int, int]


@dataclass(frozen=True)
class Begun:
    """Command, values and inputs of a stage as it began; the hashes are written to memory."""

    root: Path
    stage: Stage
    entry: LockEntry
    marks: Mapping[str, Mark]

    @classmethod
    def now(cls, graph: Graph, stage: Stage, hasher: Hasher) -> "Begun":
        """As they are at this moment."""
        deps = {path: hasher.hash(path) for path in stage.deps}
        outs = {stage.out: hasher.hash(stage.out)}
        entry = LockEntry(stage.cmd, deps, graph.param_values(stage), outs)
        return cls(graph.root, stage, entry, marks(graph.root, stage.deps))

    def require_unchanged(self, pending: Path) -> None:
        """Refuse to finish where something was changed since, or replaced in between.

        Raises:
            ArtifactError: A value, a source file or an input is another one now, or was one.
        """
        self._require_same()
        now = marks(self.root, self.stage.deps)
        names = {*self.marks, *now}
        replaced = sorted(name for name in names if self.marks.get(name) != now.get(name))
        if replaced:
            self._put_aside(pending, replaced)

    def _require_same(self) -> None:
        graph, name = load_graph(self.root), self.stage.name
        now = graph.stages.get(name)
        if now is None:
            raise ArtifactError(f"{name} was taken out of dvc.yaml while it ran")
        found = compare(now, self.entry, graph, Hasher(self.root))
        reasons = [one for one in found if one.kind != "output"]
        if reasons:
            raise ArtifactError(
                f"{name}: while it ran, something that it depends on was changed, and the record "
                f"would say that it was made with what is there now:\n"
                + "\n".join(f"  {reason}" for reason in reasons)
                + "\nput it back and run the same command, which goes on where this one was; or "
                "run it as things are now, which makes it again"
            )

    def _put_aside(self, pending: Path, replaced: list[str]) -> None:
        """What was begun may be of the other content, and nobody goes on from it unasked."""
        aside = pending.with_name(f"{pending.name}.replaced")
        shutil.rmtree(aside, ignore_errors=True)
        pending.rename(aside)
        more = f" and {len(replaced) - SHOWN} more" if len(replaced) > SHOWN else ""
        here = pending.relative_to(self.root)
        raise ArtifactError(
            f"{self.stage.name}: while it ran, files that it depends on were replaced and are what "
            f"they were again (a git switch there and back, or saved without a change): "
            f"{', '.join(replaced[:SHOWN])}{more}. What was read in between may have been another "
            f"content, so nothing was recorded; the same command makes it again, from its "
            f"beginning. If the content was the same all the time, it goes on where this one was "
            f"after: mv {here}.replaced {here}"
        )


def marks(root: Path, paths: Iterable[str]) -> dict[str, Mark]:
    """Size, time and inode of every file of some paths: another one where a file was replaced."""
    found: dict[str, Mark] = {}
    for path in paths:
        full = root / path
        own = [(str(full.parent), list[str](), [full.name])]
        for base, names, files in os.walk(full) if full.is_dir() else own:
            names[:] = [name for name in names if name != "__pycache__"]
            for name in files:
                with suppress(OSError):
                    stat = Path(base, name).stat()
                    place = os.path.relpath(Path(base, name), root)
                    found[place] = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    return {name: mark for name, mark in found.items() if not name.endswith(".pyc")}
