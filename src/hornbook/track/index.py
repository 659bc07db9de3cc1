"""Which artifacts have a run already, so that nothing new costs no import of MLflow."""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from hornbook.artifacts import write_json
from hornbook.lineage.reading import remembered
from hornbook.stage import shared_folder
from hornbook.track.addresses import with_driver

EXPERIMENT = "hornbook"


@dataclass(frozen=True)
class TrackedRun:
    """A run of MLflow and the artifact it describes."""

    stage: str
    dvc_hash: str
    run_id: str
    experiment_id: str
    dagster_run_id: str | None


def folder(root: Path) -> Path:
    """Where the local store is; experiments in workspaces of their own share it."""
    return shared_folder(root) / "mlflow"


def tracking_uri(root: Path) -> str:
    """The store that the environment names, else the local one."""
    named = os.environ.get("MLFLOW_TRACKING_URI")
    return with_driver(named) if named else f"sqlite:///{_database(root)}"


def _database(root: Path) -> Path:
    return folder(root).resolve() / "mlflow.db"


def load(root: Path) -> dict[tuple[str, str], TrackedRun]:
    """Known runs by stage and DVC hash; empty for a store that is another one or is gone."""
    try:
        known = json.loads((folder(root) / "index.json").read_text("utf-8"))
        runs = [TrackedRun(**run) for run in known[tracking_uri(root)]]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    is_local = tracking_uri(root) == f"sqlite:///{_database(root)}"
    if is_local and not _database(root).exists():
        return {}
    return {(run.stage, run.dvc_hash): run for run in runs}


def save(root: Path, runs: dict[tuple[str, str], TrackedRun]) -> None:
    """Remember the runs of this store; losing the file costs one search."""
    file = folder(root) / "index.json"
    known = remembered(file)
    known[tracking_uri(root)] = [asdict(run) for _, run in sorted(runs.items())]
    write_json(file, known)


@contextmanager
def locked(root: Path) -> Generator[None]:
    """One writer at a time: stages that end together would create the same store twice."""
    folder(root).mkdir(parents=True, exist_ok=True)
    with (folder(root) / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
