"""The two workspaces of `tests/two_hosts.sh`: prepare them, compare what was trained."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from tests.train.conftest import SETTINGS, SHAPE, open_run
from tests.train.workspace import Workspace

STEPS, TOLERANCE = 60, 0.02
SHARED = replace(SETTINGS, engine="deepspeed", dtype="bfloat16", micro_sequences=1)


def prepare(folder: Path) -> None:
    for name, ranks in (("alone", 1), ("joined", 2)):
        settings = replace(SHARED, ranks=ranks)
        Workspace(open_run(folder, name, steps=STEPS).root, SHAPE, settings)


def compare(folder: Path) -> None:
    one, two = (
        json.loads((folder / name / "artifacts/train/toy/metrics.json").read_text("utf-8"))
        for name in ("alone", "joined")
    )
    print(f"loss {one['loss']:.5f} on one rank, {two['loss']:.5f} on two hosts")  # noqa: T201
    print(f"digest {one['digest'][:16]} on one rank, {two['digest'][:16]} on two hosts")  # noqa: T201
    assert one["digest"] == two["digest"], "another order of the text"
    assert abs(one["loss"] - two["loss"]) < TOLERANCE * one["loss"], "another loss"


if __name__ == "__main__":
    {"prepare": prepare, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
