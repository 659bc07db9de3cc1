"""The acceptance checks of the Dagster core on the toy graph, through the running UI."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import yaml

from tests.dagster_project.ui import ROOT, Ui, add_dagster, free_port
from tests.toy import make_toy

SRC = ROOT / "src"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ui(tmp_path_factory):
    """One UI over the toy graph that `dvc repro` ran before Dagster ever saw it."""
    toy = make_toy(tmp_path_factory.mktemp("ui") / "a toy")
    add_dagster(toy.root)
    toy.dvc("repro", "-q")
    toy.commit("ran")
    one = Ui(toy.root).start()
    one.toy = toy
    yield one
    one.stop()


def fresh(ui) -> None:
    ui.wait(lambda: not ui.stale(), 40, "everything to be in sync")


def test_what_dvc_ran_before_is_in_sync_without_a_single_run(ui):
    fresh(ui)
    assert ui.latest("branch/one")["outcome"] == "outside Dagster"
    assert ui.ask("{runsOrError{... on Runs{count}}}")["runsOrError"]["count"] == 0


def test_a_changed_value_shows_exactly_its_stages_and_why(ui):
    fresh(ui)
    ui.toy.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    ui.wait(lambda: {"branch/one", "branch/two"} <= ui.stale(), 40, "the two to be out of sync")
    assert "base" not in ui.stale()
    assert ("CODE", "has a new code version") in ui.why("branch/one")
    run = ui.materialise("branch/one", "branch/two", "end")
    assert run["status"] == "SUCCESS"
    fresh(ui)
    assert ui.latest("branch/one")["outcome"] == "executed"
    ui.toy.edit("params.yaml", "right:\n  level: 2", "right:\n  level: 1")
    ui.wait(lambda: "branch/one" in ui.stale(), 40, "the reverted value to show")
    ui.materialise("branch/one", "branch/two", "end")
    fresh(ui)
    assert ui.latest("branch/one")["outcome"] == "run cache"


def test_a_hand_edited_artifact_shows_and_its_consumer_refuses_it(ui):
    fresh(ui)
    (ui.root / "artifacts" / "base" / "value.txt").write_text("by hand\n")
    ui.wait(lambda: "base" in ui.stale(), 40, "the edit to show")
    run = ui.launch(["branch/one"])
    assert ui.finish(run)["status"] == "FAILURE"
    assert "dvc checkout artifacts/base" in ui.messages(run)
    assert (ui.root / "artifacts" / "branch" / "one" / "value.txt").exists()
    assert ui.materialise("base")["status"] == "SUCCESS"
    fresh(ui)
    assert "up to date" in ui.toy.dvc("status")


def test_a_run_outside_dagster_reaches_the_ui(ui):
    fresh(ui)
    ui.toy.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 3")
    ui.toy.dvc("repro", "-q")
    ui.wait(lambda: ui.latest("base")["outcome"] == "outside Dagster", 40, "the outside run")
    fresh(ui)
    ui.toy.run("git", "checkout", "-q", "params.yaml", "dvc.lock")
    ui.toy.dvc("checkout", "-q")
    ui.wait(lambda: '"level": 1' in str(ui.latest("base")["parameters"]), 40, "the checkout")
    fresh(ui)


def test_an_edited_input_shows_its_reader(ui):
    fresh(ui)
    (ui.root / "data" / "raw.txt").write_text("new\n")
    ui.wait(lambda: "base" in ui.stale(), 40, "the new input to show")
    assert any(category == "DATA" for category, _ in ui.why("base"))
    (ui.root / "data" / "raw.txt").write_text("raw\n")
    fresh(ui)


def test_dagster_and_dvc_write_the_same_lock(ui):
    fresh(ui)
    ui.finish(ui.launch(["base", "branch/one", "branch/two", "end"], config=None))
    by_dagster = yaml.safe_load((ui.root / "dvc.lock").read_text())
    ui.toy.dvc("repro", "-f", "--no-run-cache")
    assert yaml.safe_load((ui.root / "dvc.lock").read_text()) == by_dagster


def slow_tool(ui, seconds: float) -> None:
    text = (ui.root / "tool.py").read_text()
    assert "import pathlib, sys" in text
    (ui.root / "tool.py").write_text(f"import time; time.sleep({seconds})\n" + text)


def restore_tool(ui) -> None:
    ui.toy.run("git", "checkout", "-q", "tool.py")


def test_independent_branches_overlap(ui):
    fresh(ui)
    slow_tool(ui, 4)
    try:
        ui.wait(lambda: "base" in ui.stale(), 40, "the code change to show")
        run = ui.materialise("base", "branch/one", "branch/two", "end")
        steps = {s["stepKey"]: s for s in run["stepStats"]}
        one, two = steps["branch_one"], steps["branch_two"]
        assert run["status"] == "SUCCESS"
        assert one["startTime"] < two["endTime"]
        assert two["startTime"] < one["endTime"]
    finally:
        restore_tool(ui)
    ui.wait(lambda: "base" in ui.stale(), 40, "the code to be back")
    ui.materialise("base", "branch/one", "branch/two", "end")
    fresh(ui)


def processes_of(root: Path) -> list[psutil.Process]:
    """Stage processes of this toy, and of no other that the machine may be testing."""
    found = []
    for one in psutil.process_iter(["cmdline", "cwd"]):
        is_stage = "tool.py" in " ".join(one.info["cmdline"] or ())
        if is_stage and one.info["cwd"] == str(root.resolve()):
            found.append(one)
    return found


def test_cancelling_kills_the_stage_process(ui):
    fresh(ui)
    slow_tool(ui, 60)
    try:
        ui.wait(lambda: "base" in ui.stale(), 40, "the code change to show")
        run = ui.launch(["base"])
        ui.wait(lambda: processes_of(ui.root), 40, "the stage process")
        ui.ask(
            "mutation($id: String!){terminateRun(runId:$id){__typename}}",
            id=run,
        )
        assert ui.finish(run)["status"] == "CANCELED"
        ui.wait(lambda: not processes_of(ui.root), 20, "the stage process to be gone")
    finally:
        restore_tool(ui)
    ui.materialise("base")
    fresh(ui)


def test_a_killed_stage_fails_and_its_last_good_artifact_is_back(ui):
    fresh(ui)
    slow_tool(ui, 60)
    try:
        ui.wait(lambda: "base" in ui.stale(), 40, "the code change to show")
        run = ui.launch(["base"])
        ui.wait(lambda: processes_of(ui.root), 40, "the stage process")
        for process in processes_of(ui.root):
            process.kill()
        assert ui.finish(run)["status"] == "FAILURE"
        assert (ui.root / "artifacts" / "base" / "value.txt").exists()
    finally:
        restore_tool(ui)
    fresh(ui)


def part_of(ui, words: str) -> psutil.Process | None:
    """A living process of Dagster's by words of its command line."""
    for one in psutil.Process(ui.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a zombie is one too
            if words in " ".join(one.cmdline()):
                return one
    return None


@pytest.mark.parametrize("words", ["dagster api grpc", "dagster._daemon run"])
def test_a_part_of_dagster_that_was_killed_is_there_again(ui, words):
    fresh(ui)
    killed = part_of(ui, words)
    killed.kill()
    ui.wait(lambda: part_of(ui, words) not in {None, killed}, 90, "another one in its place")
    ui.toy.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    ui.wait(lambda: "branch/one" in ui.stale(), 60, "a change to show")
    ui.toy.run("git", "checkout", "-q", "params.yaml")
    fresh(ui)
    assert ui.materialise("branch/one")["status"] == "SUCCESS", "the daemon launches it"


def test_a_run_whose_daemon_was_killed_ends_and_can_be_launched_again(ui):
    fresh(ui)
    slow_tool(ui, 60)
    try:
        ui.wait(lambda: "base" in ui.stale(), 40, "the code change to show")
        run = ui.launch(["base"])
        ui.wait(lambda: processes_of(ui.root), 60, "the stage process")
        part_of(ui, "dagster._daemon run").kill()
        assert ui.finish(run, 120)["status"] in {"FAILURE", "CANCELED"}
        ui.wait(lambda: not processes_of(ui.root), 30, "the stage process to be gone")
    finally:
        restore_tool(ui)
    # nobody was left to put the last artifact back
    assert ui.materialise("base")["status"] == "SUCCESS"
    fresh(ui)


def test_a_second_one_over_the_same_checkout_names_the_first(ui):
    second = subprocess.run(
        [sys.executable, "-m", "dagster_project.ui", "--port", str(free_port())],
        cwd=ui.root, env=os.environ | {"PYTHONPATH": str(SRC)}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert second.returncode == 1
    assert f"it is up for this checkout already, at http://127.0.0.1:{ui.port}" in second.stderr


def test_nothing_outlives_a_killed_make_ui_and_it_starts_again(ui):
    below = psutil.Process(ui.process.pid).children(recursive=True)
    ui.process.kill()
    ui.process.wait()
    _, alive = psutil.wait_procs(below, timeout=60)
    assert alive == []
    ui.start()
    fresh(ui)


def test_the_status_survives_a_restart(ui):
    fresh(ui)
    ui.stop()
    ui.start()
    fresh(ui)


def test_selection_strings_work_on_the_command_line(ui):
    listed = ui.toy.run(
        "dagster", "asset", "list", "-m", "dagster_project.definitions",
        "--select", 'key:"branch/*" or group:end',
    )  # fmt: skip
    assert set(listed.split()) >= {"branch/one", "branch/two", "end"}
    assert "base" not in listed.split()


def test_broken_definitions_do_not_validate(ui, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ui.root, copy, ignore=shutil.ignore_patterns(".hornbook"))
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path)}
    good = subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False)
    assert good.returncode == 0, good.stderr
    (copy / "dvc.yaml").write_text("stages: [")
    bad = subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False)
    assert bad.returncode == 1
    assert b"not valid YAML" in bad.stdout + bad.stderr


def test_a_lock_held_by_another_process_is_waited_for(ui):
    fresh(ui)
    hold = "from dvc.repo import Repo; import time\nr = Repo('.')\nwith r.lock: time.sleep(8)"
    other = subprocess.Popen([sys.executable, "-c", hold], cwd=ui.root)
    time.sleep(1.5)
    assert ui.materialise("end")["status"] == "SUCCESS"
    assert other.wait() == 0


def test_one_launch_brings_all_that_is_stale_to_its_end(ui):
    fresh(ui)
    ui.toy.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 4")
    ui.wait(lambda: "base" in ui.stale(), 40, "the change to show")
    run = ui.finish(ui.launch(job="rerun_stale"))
    assert run["status"] == "SUCCESS"
    assert len(run["stepStats"]) == 4
    fresh(ui)
    assert "left.level: 1 -> 4" in ui.latest("base")["because"]
    assert "executed" in {ui.latest(key)["outcome"] for key in ("branch/one", "end")}
    ui.toy.run("git", "checkout", "-q", "params.yaml")
    ui.wait(lambda: "base" in ui.stale(), 40, "the value to be back")
    assert ui.finish(ui.launch(job="rerun_stale"))["status"] == "SUCCESS"
    fresh(ui)
    assert ui.latest("end")["outcome"] in {"run cache", "unchanged"}


def test_definitions_are_loaded_again_while_a_run_goes_on_and_it_ends_well(ui):
    fresh(ui)
    slow_tool(ui, 15)
    try:
        ui.wait(lambda: "base" in ui.stale(), 40, "the code change to show")
        run = ui.launch(["base", "branch/one"])
        ui.wait(lambda: processes_of(ui.root), 40, "the stage process")
        ui.toy.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 9")
        ui.wait(lambda: "branch/two" in ui.stale(), 30, "the change to show during the run")
        assert ui.finish(run)["status"] == "SUCCESS"
    finally:
        restore_tool(ui)
        ui.toy.run("git", "checkout", "-q", "params.yaml")
    ui.wait(lambda: "base" in ui.stale(), 40, "the code to be back")
    ui.finish(ui.launch(job="rerun_stale"))
    fresh(ui)


def test_a_failure_shows_the_words_of_the_stage_first(ui):
    fresh(ui)
    text = (ui.root / "tool.py").read_text()
    (ui.root / "tool.py").write_text(
        "import sys; sys.exit('hornbook: ConfigError: no left.level')\n"
    )
    try:
        ui.wait(lambda: "base" in ui.stale(), 40, "the code change to show")
        run = ui.launch(["base"])
        assert ui.finish(run)["status"] == "FAILURE"
        failed = [
            e["error"]["message"] for e in ui.events(run) if e["__typename"] == "RunFailureEvent"
        ]
        first, _, rest = failed[0].partition("\n")
        assert first.endswith("Failure: base failed: ConfigError: no left.level")
        assert "artifacts/base is the last good one again" in rest
        assert "ERROR: failed to reproduce" not in failed[0]
    finally:
        (ui.root / "tool.py").write_text(text)
    fresh(ui)


def test_a_broken_manifest_shows_and_recovers(ui):
    fresh(ui)
    text = (ui.root / "dvc.yaml").read_text()
    (ui.root / "dvc.yaml").write_text("stages: [")
    try:
        ui.wait(lambda: "not valid YAML" in ui.load_error(), 30, "the error to show")
    finally:
        (ui.root / "dvc.yaml").write_text(text)
    ui.wait(lambda: not ui.load_error(), 30, "the definitions to be back")
    fresh(ui)


def test_an_experiment_made_outside_is_a_partition_until_it_is_removed(ui):
    fresh(ui)
    ui.toy.dvc("exp", "run", "-q", "--temp", "-n", "high", "-S", "right.level=7")
    ui.wait(lambda: ui.partitions("experiments") == ["high"], 40, "the partition")
    ui.wait(lambda: "right.level" in ui.latest("experiments")["difference"], 30, "its difference")
    assert ui.toy.run("git", "status", "--porcelain") == ""
    ui.toy.dvc("exp", "remove", "-q", "high")
    ui.wait(lambda: ui.partitions("experiments") == [], 40, "the partition to go")


def test_step_metadata_is_what_a_person_looks_for(ui):
    fresh(ui)
    ui.materialise("branch/two")
    shown = ui.latest("branch/two")
    assert shown["outcome"] == "unchanged"
    assert shown["dvc/hash"].endswith(".dir")
    assert shown["bytes"] > 0
    assert json.loads(shown["parameters"]) == {"right": {"level": 1}}
