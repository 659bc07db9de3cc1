"""Sweeps on the toy graph: side by side, shared stages once, failures alone, nothing left over."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hornbook.diff.revisions import experiments, resolve_revision
from hornbook.errors import ConfigError, StageError
from hornbook.experiment.commands import main
from hornbook.experiment.points import points
from hornbook.experiment.records import describe, listing, record
from hornbook.experiment.schedule import Schedule
from hornbook.experiment.shared import side_by_side, work
from hornbook.experiment.snapshot import snapshot
from hornbook.experiment.workspace import workspace
from hornbook.lineage.leftovers import WORKSPACES, inside

ROOT = Path(__file__).resolve().parents[2]
DRIVER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where tests run in the background
import hornbook.experiment.points as points
from hornbook.__main__ import main
from tests.experiment.conftest import compose_levels
points.compose = compose_levels
sys.exit(main(["experiment", *sys.argv[1:]]))
"""


def logged(lab, tmp_path) -> Path:
    """Let the toy's stages say in a file that they ran; a level of 9 fails, one of 8 is slow."""
    log = tmp_path / "log.txt"
    lines = (
        f"open({str(log)!r}, 'a').write(f'{{name}} {{level}}\\n')",
        "import time",
        "assert level != 9, 'nine is too deep'",
        "time.sleep(60 * (level == 8))",
        "out = pathlib",
    )
    lab.edit("tool.py", "out = pathlib", "\n".join(lines))
    lab.commit("log")
    return log


def test_points_run_aside_and_a_failed_one_leaves_the_others_going(lab, tmp_path, capfd):
    log = logged(lab, tmp_path)
    with pytest.raises(StageError, match=r"1 of the experiments failed:\ndeep_level-9"):
        main(["run", "deep", "right.level=2,9,3", "--target", "branch@one"])
    told = capfd.readouterr().out
    assert "deep_level-3 | 2 stages done (1 executed, 1 run cache)" in told
    assert "nine is too deep" in told
    assert "    first, for the others too: base" in told
    ran = log.read_text().splitlines()
    assert ran.count("base 1") == 1, "what points share runs once"
    assert ran.count("one 2") == ran.count("one 3") == 1
    assert set(experiments(lab.root)) == {"deep_level-2", "deep_level-3"}
    assert lab.run("git", "status", "--porcelain") == ""
    assert lab.run("git", "stash", "list") == ""
    assert not [one for one in (lab.root / WORKSPACES).iterdir() if one.is_dir()]

    log.unlink()
    with pytest.raises(StageError, match="1 of the experiments failed"):
        main(["run", "deep", "right.level=2,9,3", "--target", "branch@one"])
    assert "deep_level-2: is there" in capfd.readouterr().out
    assert {line.split()[1] for line in log.read_text().splitlines()} == {"9"}

    assert main(["list"]) == 0
    for line, level in zip(listing(lab.root), (2, 3), strict=True):
        assert line.split()[2] == f"right.level={level}"
    lab.dvc("exp", "apply", "deep_level-3")
    assert "level: 3" in (lab.root / "params.yaml").read_text()


def test_one_that_equals_head_is_told_and_left_out(lab, capfd):
    with pytest.raises(ConfigError, match=r"right.level=1: nothing differs from HEAD"):
        main(["run", "same", "right.level=1"])
    assert main(["run", "some", "right.level=1,2", "--target", "branch@one"]) == 0
    assert "some_level-1: nothing differs from HEAD, left out" in capfd.readouterr().out
    one = record(lab.root, "some_level-2")
    assert one.overrides == ["right.level=2"]
    assert one.has("branch@one")
    assert not one.has("end"), "it was left out, and HEAD's record of it is not the experiment's"
    assert describe(lab.root, "some_level-2").tables == "not run"


def test_a_new_run_of_a_name_takes_its_place_once_it_is_there(lab):
    main(["run", "deep", "right.level=2", "--target", "base"])
    first = experiments(lab.root)["deep"]
    logged(lab, lab.root / ".hornbook")
    with pytest.raises(StageError, match="experiment deep failed"):
        main(["run", "deep", "right.level=9", "--target", "branch@one"])
    assert experiments(lab.root) == {"deep": first}
    main(["run", "deep", "right.level=3", "--target", "base"])
    second = experiments(lab.root)["deep"]
    assert second != first
    assert resolve_revision(lab.root, "deep") == second, "of one name there is one, at any commit"


def test_changes_of_the_work_tree_go_with_it_and_stay(lab):
    lab.edit("tool.py", "import yaml", "import yaml  # edited")
    (lab.root / "data" / "raw.txt").write_text("other\n")
    before = lab.run("git", "diff")
    main(["run", "deep", "right.level=2", "--target", "base"])
    assert lab.run("git", "diff") == before
    shown = lab.run("git", "show", "--stat", experiments(lab.root)["deep"])
    assert all(name in shown for name in ("tool.py", "params.yaml", "dvc.lock", "data.dvc"))


def test_ctrl_c_ends_all_of_it(lab, tmp_path, monkeypatch):
    log = logged(lab, tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}{os.pathsep}{ROOT}")
    begun = subprocess.Popen(
        [sys.executable, "-c", DRIVER, "run", "slow", "right.level=8,18", "left.level=8"],
        cwd=lab.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not log.exists():
        assert time.monotonic() < deadline
        assert begun.poll() is None, begun.communicate()
        time.sleep(0.1)
    begun.send_signal(signal.SIGINT)
    _, said = begun.communicate(timeout=60)
    assert begun.returncode == 130
    assert "interrupted" in said
    assert inside(lab.root / ".dvc") == []
    assert experiments(lab.root) == {}
    assert not [one for one in (lab.root / WORKSPACES).iterdir() if one.is_dir()]
    assert lab.run("git", "status", "--porcelain") == ""


def test_a_begun_stage_of_a_failed_run_is_there_for_the_next(lab):
    (point,) = points(lab.root, "deep", ["right.level=2"])

    def fail():
        with workspace(lab.root, point, snapshot(lab.root)) as one:
            (one.folder / ".hornbook" / "pending" / "train-abc").mkdir(parents=True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    (folder,) = (one for one in (lab.root / WORKSPACES).iterdir() if one.is_dir())
    assert [one.name for one in folder.rglob("*")] == [".hornbook", "pending", "train-abc"]
    with workspace(lab.root, point, snapshot(lab.root)) as one:
        assert (one.folder / ".hornbook" / "pending" / "train-abc").is_dir()
        with (
            pytest.raises(ConfigError, match="deep is being run by process "),
            workspace(lab.root, point, snapshot(lab.root)),
        ):
            pass
    assert not folder.exists()


def test_no_more_run_at_once_than_the_machine_allows(lab, monkeypatch):
    works = work(lab.root, points(lab.root, "deep", ["right.level=2,3,4,5"]), [])
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3, 4, 5})
    assert side_by_side(works, None, 2) == 2
    assert side_by_side(works, None, 8) == 4
    assert side_by_side(works, 3, 1) == 3
    object.__setattr__(works[0], "threads", 3)
    assert side_by_side(works, None, 8) == 2


def test_a_gpu_is_given_to_one_at_a_time_and_shared_stages_are_waited_for(lab):
    works = work(lab.root, points(lab.root, "deep", ["right.level=2,3,4"]), [])
    for place, name, value in ((0, "is_on_gpu", True), (1, "is_on_gpu", True), (2, "after", [0])):
        object.__setattr__(works[place], name, value)
    plan = Schedule(lab.root, snapshot(lab.root), works, [], 3, None, print)
    plan._shared = {place: threading.Event() for place in range(3)}
    assert plan._ready([0, 1, 2]) == [0]
    plan._shared[0].set()
    assert plan._ready([0, 1, 2]) == [0, 2]
    plan._running[0] = None
    assert plan._ready([1, 2]) == [2]


def test_an_unknown_name_is_not_removed_and_those_known_are_named(lab):
    with pytest.raises(ConfigError, match="no experiment 'nothing'; there are: none"):
        main(["remove", "nothing"])
    main(["run", "deep", "right.level=2", "--target", "base"])
    with pytest.raises(ConfigError, match="no experiment 'nothing'; there are: deep"):
        main(["remove", "deep", "nothing"])
    assert main(["remove", "deep"]) == 0
    assert experiments(lab.root) == {}
    assert listing(lab.root)[0].startswith("no experiment yet")
