"""What the graph reads: the sample inputs, as `data.dvc` records them, and what people name."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from hornbook.errors import InputError
from hornbook.lineage.manifest import Graph
from hornbook.lineage.processes import dvc_environment
from hornbook.lineage.reading import refused
from hornbook.lineage.workspace import Hasher, flatten

DATA = "data.dvc"


def pull_inputs(root: Path) -> None:
    """The inputs that `data.dvc` names in `data/`, from the remote that the repository carries.

    Without `data.dvc` there is nothing to fetch. Files that somebody changed in `data/` are left as
    they are, with a word about it.

    Raises:
        InputError: They cannot be had.
    """
    if not (root / DATA).exists():
        return  # a graph that has inputs of its own
    with refused(DATA, f"git checkout {DATA} puts back what was committed"):
        recorded = yaml.safe_load((root / DATA).read_text("utf-8"))["outs"][0]["md5"]
    found = Hasher(root).hash("data") if (root / "data").exists() else ""
    if found == recorded:
        return
    print("fetching the sample inputs", flush=True)  # noqa: T201
    pulled = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", "pull", "--quiet", DATA],
        cwd=root,
        env=dvc_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if pulled.returncode and found:
        print(  # noqa: T201
            "data/ is not what data.dvc records: running on what is there "
            "(`dvc add data` records it, `dvc checkout --force data.dvc` drops the changes)",
            flush=True,
        )
    elif pulled.returncode:
        raise InputError(
            f"data/ is not there and `dvc pull {DATA}` failed: {pulled.stderr.strip()[-500:]}; "
            f"is remote/ complete? git status remote; git checkout remote"
        )


def absent(root: Path, values: Mapping[str, Any]) -> dict[str, str]:
    """The settings below `data` whose file or folder is not there, with what they name.

    The sample inputs are fetched when they are needed, so without `data/` none of them is absent.
    """
    has_samples = (root / "data").exists()
    return {
        f"data.{key}": place
        for key, place in sorted(values["data"].items())
        if not (root / place).exists() and (has_samples or not place.startswith("data/"))
    }


def require_sources(graph: Graph, names: Iterable[str]) -> None:
    """Refuse to begin what would fail for want of an input that no stage makes.

    Raises:
        InputError: A file or folder is not there; the message has the setting that names it.
    """
    settings = {str(value): key for key, value in flatten(graph.params).items()}
    readers: dict[str, list[str]] = {}
    for name in names:
        for path in graph.stages[name].sources:
            if not (graph.root / path).exists():
                readers.setdefault(path, []).append(name)
    if readers:
        lines = [
            f"{settings.get(path, 'dvc.yaml')}={path} is not there, and {' and '.join(stages)} "
            f"would read it"
            for path, stages in readers.items()
        ]
        raise InputError(
            "\n".join(lines) + "\na relative path is taken from the root of the checkout; an "
            "experiment, which has a workspace of its own, needs an absolute one or one below data/"
        )
