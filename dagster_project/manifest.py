"""Names between the two tools: DVC stages and inputs as Dagster keys, lock entries as versions."""

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path

import dagster as dg

from hornbook.lineage.manifest import Graph, LockEntry, Stage, load_graph, load_lock
from hornbook.lineage.workspace import Hasher, code_version

ROOT = Path(__file__).resolve().parents[1]


def graph_of(root: Path = ROOT) -> Graph:
    """The graph as the files declare it now, parsed once for each state of them.

    Raises:
        ConfigError: `dvc.yaml` or `params.yaml` is absent or broken.
    """
    tracking = (file for file in root.glob("*.dvc") if file.is_file())
    declaring = [root / "dvc.yaml", root / "params.yaml", *sorted(tracking)]
    return _graph(root, tuple(map(_mark, declaring)))


def lock_of(root: Path = ROOT) -> dict[str, LockEntry]:
    """What `dvc.lock` records now, parsed once for each state of it.

    Raises:
        ConfigError: It is damaged.
    """
    return _lock(root, _mark(root / "dvc.lock"))


Mark = tuple[str, int, int, int]


def _mark(file: Path) -> Mark | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino


@lru_cache(maxsize=2)
def _graph(root: Path, marks: tuple[Mark | None, ...]) -> Graph:  # noqa: ARG001 - the key
    return load_graph(root)


@lru_cache(maxsize=2)
def _lock(root: Path, mark: Mark | None) -> dict[str, LockEntry]:  # noqa: ARG001 - the key
    return load_lock(root)


def stage_key(name: str) -> dg.AssetKey:
    """`train@phi-1_5` is the asset `train/phi-1_5`."""
    return dg.AssetKey(name.split("@"))


def source_key(path: str) -> dg.AssetKey:
    """`data/web` is the asset `data/web`; a path outside the repository loses its dots."""
    return dg.AssetKey([part for part in path.split("/") if part not in {"", ".", ".."}])


def op_name(name: str) -> str:
    """A stage name as Dagster allows it for an op."""
    return re.sub(r"\W", "_", name)


def current_code_version(stage: Stage, graph: Graph, hasher: Hasher) -> str:
    """The code version of the work tree: command, parameters, hashes of the code."""
    code = {path: hasher.hash(path) for path in stage.code}
    return code_version(stage.cmd, graph.param_values(stage), code)


def recorded_code_version(stage: Stage, entry: LockEntry) -> str:
    """The code version under which a lock entry was made, comparable with the current one."""
    code = {path: value for path, value in entry.deps.items() if path in stage.code}
    return code_version(entry.cmd, entry.params, code)


def entry_hash(entry: LockEntry) -> str:
    """A short hash of a whole lock entry, fit for an event tag."""
    record = [entry.cmd, dict(entry.deps), entry.params, dict(entry.outs)]
    text = json.dumps(record, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
