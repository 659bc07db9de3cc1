"""Experiments that are killed at any moment: the same command works, and nothing stays behind."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hornbook.diff.revisions import experiments
from hornbook.errors import ConfigError, StageError
from hornbook.experiment.commands import main
from hornbook.experiment.snapshot import snapshot
from hornbook.experiment.workspace import absolute
from hornbook.lineage.gc import main as gc
from hornbook.lineage.holding import using_cache, using_tree
from hornbook.lineage.leftovers import WORKSPACES, inside, leftovers
from hornbook.lineage.unused import free
from tests.experiment.test_sweep import DRIVER, ROOT
from tests.toy import Toy


@pytest.fixture
def slow(lab, tmp_path, monkeypatch):
    """A file; while it is there, a stage with an even level runs and has begun something."""
    gate = tmp_path / "slow"
    lines = (
        "import time",
        "begun = pathlib.Path('.hornbook/pending/x-1/journal')",
        "begun.parent.mkdir(parents=True, exist_ok=True)",
        "begun.write_text('half')",
        f"open({str(tmp_path / 'log')!r}, 'a').write(f'{{name}} {{level}}\\n')",
        f"while level % 2 == 0 and pathlib.Path({str(gate)!r}).exists(): time.sleep(0.05)",
        "begun.unlink()",
        "out = pathlib",
    )
    lab.edit("tool.py", "out = pathlib", "\n".join(lines))
    lab.commit("slow")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}{os.pathsep}{ROOT}")
    gate.touch()
    return gate


def begin(lab, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, *words],
        cwd=lab.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def until(condition, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def ran(gate: Path) -> list[str]:
    log = gate.with_name("log")
    return log.read_text().splitlines() if log.exists() else []


def is_whole(root: Path) -> bool:
    """Whether every object of the cache is what its name says."""
    return all(
        hashlib.md5(file.read_bytes()).hexdigest() == file.parent.name + file.name.split(".")[0]
        for file in (root / ".dvc/cache/files/md5").glob("??/*")
    )


def folders(root: Path) -> list[str]:
    return sorted(one.name for one in (root / WORKSPACES).iterdir())


@pytest.mark.parametrize("who", ["starter", "everybody"])
def test_a_killed_run_ends_with_its_starter_and_the_same_command_goes_on(lab, slow, who, capfd):
    words = ("run", "deep", "right.level=2", "--target", "branch@one")
    one = begin(lab, *words)
    until(lambda: "one 2" in ran(slow))
    workers = inside(lab.root / WORKSPACES / "tmp-deep")
    for process in [one.pid, *(workers if who == "everybody" else ())]:
        os.kill(process, signal.SIGKILL)
    one.wait()
    until(lambda: not inside(lab.root / ".dvc"))
    assert experiments(lab.root) == {}
    assert lab.run("git", "status", "--porcelain") == ""
    assert is_whole(lab.root)

    (left,) = leftovers(lab.root, has_scores=False)
    assert (left.is_free, left.reason.split(",")[0]) == (False, "the experiment deep")
    slow.unlink()
    assert main(list(words)) == 0
    assert set(experiments(lab.root)) == {"deep"}
    assert folders(lab.root) == []
    assert is_whole(lab.root)
    assert "outs" not in lab.dvc("status")


def test_what_a_killed_run_left_goes_with_gc_when_it_may(lab, slow, monkeypatch, capsys):
    one = begin(lab, "run", "deep", "right.level=2", "--target", "branch@one")
    until(lambda: "one 2" in ran(slow))
    os.killpg(one.pid, signal.SIGKILL)
    one.wait()
    until(lambda: not inside(lab.root / ".dvc"))
    assert gc(["--yes"]) == 0
    assert folders(lab.root), "an interrupted stage goes on from it"
    assert "--begun frees it" in capsys.readouterr().out
    assert gc(["--yes", "--begun"]) == 0
    assert folders(lab.root) == []


def test_of_a_killed_sweep_the_same_command_runs_what_is_missing(lab, slow):
    words = ("run", "deep", "left.level=3,4,6", "--target", "base", "--jobs", "2")
    one = begin(lab, *words)
    until(lambda: {"base 4", "base 6"} <= {*ran(slow)} or ("base 3" in ran(slow) and one.poll()))
    os.kill(one.pid, signal.SIGKILL)
    one.wait()
    until(lambda: not inside(lab.root / ".dvc"))
    slow.unlink()
    assert main(list(words)) == 0
    assert set(experiments(lab.root)) == {f"deep_level-{level}" for level in (3, 4, 6)}
    assert ran(slow).count("base 3") == 1
    assert folders(lab.root) == []
    assert lab.run("git", "status", "--porcelain") == ""


def test_a_commit_or_an_edit_meanwhile_changes_no_later_point(lab, slow):
    begun = snapshot(lab.root)
    one = begin(lab, "run", "deep", "right.level=2,4", "--target", "branch@one", "--jobs", "1")
    until(lambda: "one 2" in ran(slow))
    lab.edit("tool.py", "import yaml", "import yaml  # edited")
    lab.commit("meanwhile")
    slow.unlink()
    said, _ = one.communicate(timeout=60)
    assert one.returncode == 0, said
    for revision in experiments(lab.root).values():
        assert lab.run("git", "rev-parse", f"{revision}^").strip() == begun.baseline
        assert "# edited" not in lab.run("git", "show", f"{revision}:tool.py")


def test_while_an_experiment_runs_nothing_is_freed_and_what_it_made_stays(lab, slow, capsys):
    one = begin(lab, "run", "deep", "right.level=2", "--target", "branch@one")
    until(lambda: "one 2" in ran(slow))
    with pytest.raises(StageError, match=r"left as it is: in use: process \d+ "):
        free(lab.root)
    assert gc([]) == 0
    assert "an experiment runs in it (process " in capsys.readouterr().out
    slow.unlink()
    assert one.wait(timeout=60) == 0
    assert free(lab.root) == 0
    lab.dvc("exp", "apply", "deep")
    assert (lab.root / "artifacts/branch/one/value.txt").read_text().startswith("one 2")


def test_gc_waits_for_nobody_and_a_run_waits_for_gc(lab):
    said: list[str] = []
    with using_cache(lab.root), pytest.raises(StageError, match="in use: process"):
        free(lab.root)
    holder = subprocess.Popen(
        ["flock", "--exclusive", str(lab.root / ".dvc/cache/hornbook.held"), "sleep", "2"]
    )
    time.sleep(0.5)
    began = time.monotonic()
    with using_cache(lab.root, said.append):
        assert time.monotonic() - began > 0.5
    assert "frees what nothing refers to" in said[0]
    holder.wait()


def test_nothing_is_promoted_under_a_run(lab, slow):
    slow.unlink()
    main(["run", "deep", "right.level=3", "--target", "branch@one"])
    with (
        using_tree(lab.root),
        pytest.raises(StageError, match=r"works on this checkout; wait until it ends, or promote"),
    ):
        main(["promote", "deep"])
    with using_tree(lab.root):
        assert main(["promote", "deep", "--branch", "aside"]) == 0
    assert main(["promote", "deep"]) == 0


@pytest.mark.parametrize("place", ["clone", "merge", "dvc"])
def test_a_promotion_that_was_killed_is_finished_by_the_same_command(lab, place, monkeypatch):
    main(["run", "deep", "right.level=3", "--target", "branch@one"])
    before = lab.run("git", "rev-parse", "HEAD")
    driver = f"""
import os, signal, sys
import hornbook.experiment.points as points, hornbook.experiment.promote as promote
from tests.experiment.conftest import compose_levels
points.compose = promote.compose = compose_levels
promote.write_params = lambda _: False
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if {place!r} == "clone":
    promote._write_conf = die
if {place!r} == "merge":
    before = promote.git
    promote.git = lambda root, *a, **k: die() if a[0] == "merge" else before(root, *a, **k)
if {place!r} == "dvc":
    promote._check_out = die
promote.promote(promote.Path.cwd(), "deep")
"""
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}{os.pathsep}{ROOT}")
    ended = subprocess.run([sys.executable, "-c", driver], cwd=lab.root, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (lab.run("git", "rev-parse", "HEAD") == before) is (place != "dvc")
    assert lab.run("git", "status", "--porcelain") == ""
    assert main(["promote", "deep"]) == 0
    assert (lab.root / "artifacts/branch/one/value.txt").read_text().startswith("one 3")
    assert lab.run("git", "rev-parse", "HEAD~1") == before
    assert lab.run("git", "for-each-ref", "refs/hornbook") == ""
    assert folders(lab.root) == []
    assert lab.run("git", "status", "--porcelain") == ""


def test_a_repository_without_a_commit_is_told_so(tmp_path):
    one = Toy(tmp_path)
    one.run("git", "init", "-q")
    with pytest.raises(ConfigError, match="no commit yet, at which an experiment could begin"):
        snapshot(tmp_path)


def test_a_relative_folder_of_the_environment_is_the_one_of_the_shell(tmp_path):
    found = absolute(tmp_path / "here", {"HORNBOOK_SHARED_DATA": "../data", "HOME": "home"})
    assert found == {"HORNBOOK_SHARED_DATA": str(tmp_path / "data")}
    assert absolute(tmp_path, {"HORNBOOK_SHARED_DATA": "/data"}) == {}
