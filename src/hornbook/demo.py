"""`hornbook demo`: inputs, configuration, the whole graph, MLflow runs, and the table."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from hornbook.compose import write_params
from hornbook.lineage.manifest import load_graph
from hornbook.lineage.run import main as run_graph


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
    status = run_graph([])
    if status:
        return status
    from hornbook.track.runs import track

    track(root)
    from hornbook.report.terminal import show

    show(root)
    page = root / load_graph(root).stages["report"].out / "index.html"
    print(  # noqa: T201
        f"\nreport    {page}\n"
        f"Dagster   make ui      then http://127.0.0.1:3000\n"
        f"MLflow    make mlflow  then http://127.0.0.1:5000 (make ui starts it too)\n"
        f"({time.monotonic() - started:.0f} s)"
    )
    return 0
