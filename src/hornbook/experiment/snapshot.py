"""The work tree at the moment in which experiments were asked for.

A sweep takes hours or days. Who commits, edits or promotes meanwhile would otherwise give its later
points other code than the first ones had, and they are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hornbook.experiment.git import git, head
from hornbook.lineage.inputs import DATA
from hornbook.lineage.manifest import parse_yaml
from hornbook.lineage.workspace import Hasher

LOCAL = Path("conf", "runtime", "local.yaml")


@dataclass(frozen=True)
class Snapshot:
    """A commit, what was edited since, and the hash of `data/` where it is not as recorded."""

    baseline: str
    edits: str
    files: Mapping[Path, bytes]
    data: str | None


def snapshot(root: Path) -> Snapshot:
    """The work tree as it is now.

    Raises:
        ConfigError: There is no commit yet, at which an experiment could begin.
    """
    baseline = head(root)
    edits = git(root, "diff", "--binary", "--no-ext-diff", baseline)
    # the filter of dvc.lock may show git another record than the one of this machine (D-002)
    paths = [path for path in (Path("dvc.lock"), LOCAL) if (root / path).exists()]
    files = {path: (root / path).read_bytes() for path in paths}
    return Snapshot(baseline, edits, files, _own_data(root))


def _own_data(root: Path) -> str | None:
    if not (root / DATA).exists() or not (root / "data").exists():
        return None
    recorded = parse_yaml((root / DATA).read_text("utf-8"))["outs"][0]["md5"]
    found = Hasher(root).hash("data")
    return None if found == recorded else found
