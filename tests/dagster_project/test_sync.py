"""What happens outside Dagster becomes events, once each, and looking for it is cheap."""

import os
import shutil
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.executor import unchanged_steps
from dagster_project.experiments import KEY, experiment_names, experiment_updates, own_values
from dagster_project.plan import as_markdown, current_plan
from dagster_project.sync import Seen, sync_events
from dagster_project.watch import changes, look, look_at_data, look_at_definitions
from hornbook.lineage.plan import plan
from tests.toy import make_toy

ROOT = Path(__file__).resolve().parents[2]
STEPS = ["base", "branch_one", "branch_two", "end"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A toy graph that DVC has run; each test leaves it as it was."""
    one = make_toy(tmp_path_factory.mktemp("sync") / "a toy")
    shutil.copytree(ROOT / "conf" / "runtime", one.root / "conf" / "runtime")
    one.dvc("repro", "-q")
    one.commit("ran")
    return one


@pytest.fixture
def toy(made):
    yield made
    made.run("git", "checkout", "-q", ".")
    made.dvc("checkout", "-q", "-f")


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def report(instance, events) -> set[str]:
    """Give the events to the instance as the sensor does; the assets they are of."""
    for event in events:
        instance.report_runless_asset_event(event)
    return {event.asset_key.to_user_string() for event in events}


def test_all_that_dvc_ran_is_reported_once(toy, instance):
    everything = {"base", "branch/one", "branch/two", "end", "data/raw.txt"}
    assert report(instance, sync_events(instance, toy.root)) == everything
    assert sync_events(instance, toy.root) == []


def test_an_edited_artifact_is_reported_unless_its_step_is_writing_it(toy, instance):
    report(instance, sync_events(instance, toy.root))
    (toy.root / "artifacts" / "base" / "value.txt").write_text("by hand\n")
    assert sync_events(instance, toy.root, running={"base"}) == []
    (event,) = sync_events(instance, toy.root)
    assert event.asset_key == dg.AssetKey("base")
    assert event.metadata["restore"].value == "dvc checkout artifacts/base"
    toy.dvc("checkout", "-q", "-f")
    report(instance, [event])
    assert report(instance, sync_events(instance, toy.root)) == {"base"}


def test_a_look_tells_what_changed_and_never_reads_a_file(toy, monkeypatch):
    before, definitions = look_at_data(toy.root), look_at_definitions(toy.root)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("a file was read"))
    file = toy.root / "artifacts" / "end" / "value.txt"
    os.utime(file, ns=(1, 1))
    assert changes(before, look_at_data(toy.root)) == {str(file)}
    os.utime(toy.root / "tool.py", ns=(1, 1))
    (toy.root / ".dvc" / "tmp" / "of-dvc").touch()  # what DVC keeps for itself defines nothing
    assert changes(definitions, look_at_definitions(toy.root)) == {str(toy.root / "tool.py")}


def test_a_link_to_nothing_hides_no_other_file(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    (tmp_path / "b").write_text("b")
    assert set(look([tmp_path, tmp_path / "not there"])) == {str(tmp_path / "b")}


def test_the_sensor_rests_a_hundred_times_what_a_look_took():
    seen = Seen(looked={}, looked_at=100.0, synced_at=100.0, cost=0.1)
    idle: frozenset[str] = frozenset()
    assert seen.is_soon(idle, 109.9)
    assert not seen.is_soon(idle, 110.1)
    assert not seen.is_soon(frozenset({"base"}), 101.0)  # something began
    assert seen.is_same({}, idle, 699.0)
    assert not seen.is_same({}, idle, 701.0)  # Dagster's own record is asked again
    assert not seen.is_same({"x": (1, 2, 3)}, idle, 101.0)


def test_only_what_is_unchanged_with_all_that_it_reads_goes_without_a_process(toy):
    assert unchanged_steps(toy.root, [*STEPS, "other"], {}) == STEPS
    forced = {"ops": {"branch_one": {"config": {"force": True}}}}
    assert unchanged_steps(toy.root, STEPS, forced) == ["base", "branch_two"]
    toy.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    assert unchanged_steps(toy.root, STEPS, {}) == ["base"]
    (toy.root / "dvc.yaml").write_text("stages: [")
    assert unchanged_steps(toy.root, STEPS, {}) == []


def test_the_plan_is_told_once_for_each_state_of_things(toy, instance):
    (event,) = current_plan(instance, toy.root)
    assert event.metadata["stages to do"].value == 0
    report(instance, [event])
    assert current_plan(instance, toy.root) == []
    toy.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    (event,) = current_plan(instance, toy.root)
    assert event.metadata["to run"].value == 1
    assert event.metadata["may run"].value == 3
    assert "| base | run | time unknown" in as_markdown(plan(toy.root))
    assert "left.level: 1 -> 2" in event.metadata["plan"].value


def test_an_experiment_of_elsewhere_becomes_a_partition_and_goes_with_it(toy, instance):
    toy.dvc("exp", "run", "-q", "--temp", "-n", "high", "-S", "right.level=7")
    requests, events = experiment_updates(instance, toy.root)
    assert [request.partition_keys for request in requests] == [["high"]]
    instance.add_dynamic_partitions("experiment", ["high", "by-hand"])
    (event,) = events
    assert (event.asset_key, event.partition) == (KEY, "high")
    assert "right.level" in event.metadata["difference"].value
    assert event.metadata["overrides"].value == "right.level=7"
    report(instance, events)
    assert experiment_updates(instance, toy.root) == ([], [])
    assert toy.run("git", "status", "--porcelain") == ""
    toy.dvc("exp", "remove", "-q", "high")
    (gone,), events = experiment_updates(instance, toy.root)
    assert (gone.partition_keys, events) == (["high"], [])  # what was never run stays
    assert own_values(toy.root, "high") == []
    assert experiment_names.name == "experiment"
