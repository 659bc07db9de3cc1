"""The sample inputs: `data/` as `data.dvc` records it, from the remote in the repository."""

import subprocess
import sys
from pathlib import Path

import yaml

from hornbook.errors import InputError
from hornbook.lineage.processes import dvc_environment
from hornbook.lineage.workspace import Hasher

DATA = "data.dvc"


def pull_inputs(root: Path) -> None:
    """The inputs that `data.dvc` names in `data/`, from the remote that the repository carries.

    Files that somebody changed there are left as they are, with a word about it.

    Raises:
        InputError: They cannot be had.
    """
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
