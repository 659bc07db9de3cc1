"""Runs that overlap, are stopped or killed: nothing is lost, and the message says what to do."""

import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from threading import Thread

import pytest

from hornbook.errors import StageError
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.processes import RWLOCK
from hornbook.lineage.repro import Repro, failure, worked_on
from hornbook.lineage.run import run_stages
from hornbook.lineage.workspace import Hasher, stale_stages
from tests.toy import make_toy

RUNTIME = Path(__file__).parents[2] / "conf" / "runtime" / "default.yaml"
SLOW = "import time\nwhile pathlib.Path('slow').exists(): time.sleep(0.05)\n"
STARTED = "pathlib.Path('started').write_text(name)\n"
LEVELS = count(2)  # another for each test, or the run cache would have it
RUN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where tests run in the background
from pathlib import Path
from hornbook.lineage.run import run_stages
run_stages(Path.cwd(), sys.argv[1:], jobs=2, say=lambda line: print(line, flush=True))
"""


@pytest.fixture(scope="module")
def toy_once(tmp_path_factory):
    one = make_toy(tmp_path_factory.mktemp("repro") / "a toy")
    (one.root / "conf" / "runtime").mkdir(parents=True)
    shutil.copy(RUNTIME, one.root / "conf" / "runtime")
    one.edit("tool.py", "out = pathlib", f"{STARTED}{SLOW}out = pathlib")
    one.dvc("repro", "-q")
    one.commit("run once")
    return one


@pytest.fixture
def toy(toy_once):
    """The toy, up to date; what a test changes is put back."""
    yield toy_once
    (toy_once.root / "slow").unlink(missing_ok=True)
    toy_once.run("git", "checkout", "-q", "-f", ".")
    toy_once.dvc("checkout", "-q", "--force")


def until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def run_here(toy, *stages):
    """`run_stages` in a process of its own, as a terminal would have it."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *stages],
        cwd=toy.root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )  # fmt: skip


def is_fresh(toy):
    return not stale_stages(load_graph(toy.root), load_lock(toy.root), Hasher(toy.root))


def begin_slowly(toy):
    """`base` has another value and runs until the file `slow` goes."""
    (toy.root / "started").unlink(missing_ok=True)
    (toy.root / "slow").touch()
    toy.edit("params.yaml", "left:\n  level: 1", f"left:\n  level: {next(LEVELS)}")


def in_background(run):
    """The stage runs in a thread; it with the list that its outcome or error comes to."""
    ended: list[object] = []

    def go():
        try:
            ended.append(run.run())
        except StageError as error:
            ended.append(str(error))

    thread = Thread(target=go)
    thread.start()
    return thread, ended


def test_a_second_run_waits_for_the_first_and_does_nothing_again(toy):
    begin_slowly(toy)
    first = run_here(toy, "base")
    until((toy.root / "started").exists)
    assert worked_on(toy.root) == {"artifacts/base"}
    (toy.root / "started").unlink()
    told: list[str] = []
    second = Repro(toy.root, "base", told.append)
    thread, outcomes = in_background(second)
    until(lambda: any("waits" in line for line in told))
    (toy.root / "slow").unlink()
    thread.join(60)
    assert first.wait(60) == 0
    assert outcomes == ["unchanged"]
    assert worked_on(toy.root) == set()
    assert not (toy.root / "started").exists()
    assert sum("waits: process" in line for line in told) == 1
    assert not any("busy" in line for line in told)
    assert toy.run("cat", "artifacts/base/value.txt").partition("\n")[0] != "base 1"


def test_a_stopped_run_puts_the_last_good_artifact_back_and_leaves_no_process(toy):
    begin_slowly(toy)
    run = run_here(toy, "base", "branch@one")
    until((toy.root / "started").exists)
    assert not (toy.root / "artifacts" / "base").exists()  # DVC has taken it away
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=60)
    assert "stopping base" in said
    assert "its last good artifact is back in place" in said
    assert toy.run("cat", "artifacts/base/value.txt").startswith("base 1")
    assert "tool.py" not in toy.run("ps", "-o", "args", "--ppid", str(run.pid), check=False)
    (toy.root / "slow").unlink()
    result = run_stages(toy.root, ["base"], jobs=1, say=lambda _: None)
    assert result.done == {"base": "executed"}


def test_a_stage_that_was_killed_is_told_with_what_to_do(toy):
    begin_slowly(toy)
    run = Repro(toy.root, "base", lambda _: None)
    thread, errors = in_background(run)
    until((toy.root / "started").exists)
    assert run.process
    toy.run("pkill", "-9", "-f", "-g", str(run.process.pid), "tool.py base", check=False)
    thread.join(60)
    assert "base failed: it was killed (SIGKILL)" in errors[0]
    assert "memory" in errors[0]


def test_a_process_that_was_killed_leaves_no_lock(toy):
    begin_slowly(toy)
    run = Repro(toy.root, "base", lambda _: None)
    thread, _ = in_background(run)
    until((toy.root / "started").exists)
    assert run.process
    os.killpg(run.process.pid, signal.SIGKILL)  # DVC and the stage, which can clean up nothing
    thread.join(60)
    assert "artifacts/base" in (toy.root / RWLOCK).read_text()
    assert worked_on(toy.root) == set()
    (toy.root / "slow").unlink()
    assert Repro(toy.root, "base", lambda _: None).run() == "executed"


@pytest.mark.parametrize("left", ['{"artifacts/ba', ""])
def test_a_lock_file_that_was_half_written_is_removed_and_that_is_said(toy, left):
    file = toy.root / RWLOCK
    file.parent.mkdir(exist_ok=True)
    file.write_text(left)
    said: list[str] = []
    assert Repro(toy.root, "base", said.append).run() == "unchanged"
    assert any("half-written by a killed process" in line for line in said)


def test_a_lock_whose_number_another_process_has_now_is_named(toy):
    toy.edit("params.yaml", "left:\n  level: 1", f"left:\n  level: {next(LEVELS)}")
    with subprocess.Popen(["sleep", "60"]) as other:
        info = f'{{"pid": {other.pid}, "cmd": "dvc repro base"}}'
        lock = toy.root / RWLOCK
        lock.write_text(f'{{"write": {{"{toy.root}/artifacts/base": {info}}}}}')
        with pytest.raises(StageError, match=rf"belongs to `sleep 60` now.* rm {RWLOCK}"):
            Repro(toy.root, "base", lambda _: None).run()
        other.kill()
    assert Repro(toy.root, "base", lambda _: None).run() == "executed"
    assert not is_fresh(toy)  # of those behind it


def test_a_failed_stage_says_its_own_words_first(toy):
    said = [
        "reading 3 files",
        "hornbook: ArtifactError: part-2.jsonl, line 7: no text",
        "mend the line and run again",
        "ERROR: failed to reproduce 'base': failed to run: python tool.py, exited with 2",
    ]
    told = failure(toy.root, "base", said).splitlines()
    assert told[:2] == [
        "base failed: ArtifactError: part-2.jsonl, line 7: no text",
        "mend the line and run again",
    ]
    assert told[2:4] == ["before that:", "  reading 3 files"]
    assert told[-1].endswith("dvc checkout artifacts/base")


def test_a_stage_without_words_of_its_own_is_shown_to_its_end(toy):
    said = ["Traceback", "KeyError: 'text'", "ERROR: failed to reproduce 'base': exited with 1"]
    assert failure(toy.root, "base", said).splitlines()[:3] == ["base failed: Traceback", *said[1:]]


def test_a_failed_stage_has_its_artifact_back_and_says_so(toy):
    toy.edit("tool.py", "import yaml", "import yaml; sys.exit('hornbook: no such page')")
    result = run_stages(toy.root, ["base"], jobs=1, say=lambda _: None)
    told = result.failed["base"].splitlines()
    assert told[0] == "base failed: no such page"
    assert told[-1] == "its last good artifact is back in place"
    assert (toy.root / "artifacts" / "base" / "value.txt").exists()
