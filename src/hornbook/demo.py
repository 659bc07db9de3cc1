"""`hornbook demo`: inputs, configuration, the whole graph, MLflow runs, and the table."""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from hornbook.compose import write_params
from hornbook.errors import InputError
from hornbook.lineage.manifest import load_graph
from hornbook.lineage.run import dvc_environment
from hornbook.lineage.run import main as run_graph
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


def main(arguments: Sequence[str]) -> int:
    """`hornbook demo [OVERRIDES]`."""
    parser = argparse.ArgumentParser(
        prog="hornbook demo",
        description="Run the whole graph on the embedded defaults and show what came out.",
        epilog="a quick look at everything: hornbook demo scale=smoke",
    )
    parser.add_argument("overrides", nargs="*", help="Hydra overrides of conf/")
    options = parser.parse_args(list(arguments))
    root, started = Path.cwd(), time.monotonic()
    if write_params(root, options.overrides):
        print("params.yaml written from conf/")  # noqa: T201
    pull_inputs(root)
    status = run_graph([])
    if status:
        return status
    from hornbook.track.runs import track

    track(root)
    from hornbook.report.terminal import show

    show(root)
    page = root / load_graph(root).stages["report"].out / "report.html"
    print(  # noqa: T201
        f"\nreport    {page}\n"
        f"Dagster   make ui      then http://127.0.0.1:3000\n"
        f"MLflow    make mlflow  then http://127.0.0.1:5000 (make ui starts it too)\n"
        f"({time.monotonic() - started:.0f} s)"
    )
    return 0
