"""What is planned beside what DVC then does, after edits of every kind."""

import json
import random
import re
import shutil
from dataclasses import replace

import pytest

from hornbook.errors import ConfigError
from hornbook.lineage.cache import cached_file
from hornbook.lineage.forecast import Step, duration, forecast, wall_seconds
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.lineage.past import Takes
from hornbook.lineage.plan import Planned, as_json, lines, main, plan
from hornbook.lineage.repro import outcome_of
from hornbook.lineage.workspace import Hasher
from hornbook.report.statistics import size

STAGE = re.compile("Stage '([^']+)'")


def planned(toy) -> list[Step]:
    graph = load_graph(toy.root)
    return forecast(graph, load_lock(toy.root), Hasher(toy.root), toy.root, graph.stages)


def actions(toy) -> dict[str, str]:
    return {step.stage: step.action for step in planned(toy)}


def outcomes(toy) -> dict[str, str]:
    """What `dvc repro` does to each stage."""
    found = dict.fromkeys(load_graph(toy.root).stages, "executed")
    for line in toy.dvc("repro").splitlines():
        name, became = STAGE.match(line), outcome_of(line)
        if name and became:
            found[name.group(1)] = became
    return found


def test_nothing_is_planned_after_a_run(ran):
    assert planned(ran) == []


def test_a_value_runs_its_readers_and_maybe_what_follows_and_says_why(ran):
    ran.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    steps = {step.stage: step for step in planned(ran)}
    assert {name: step.action for name, step in steps.items()} == {
        "base": "run", "branch@one": "may run", "branch@two": "may run", "end": "may run",
    }  # fmt: skip
    assert steps["end"].chain == ("end", "branch@one", "base")
    assert [str(cause) for cause in steps["end"].causes] == ["left.level: 1 -> 2"]


def test_what_dvc_remembers_is_followed_to_the_end(ran):
    before = ("right:\n  level: 1", "right:\n  level: 2")
    ran.edit("params.yaml", *before)
    outcomes(ran)
    ran.edit("params.yaml", *reversed(before))
    assert actions(ran) == dict.fromkeys(("branch@one", "branch@two", "end"), "restore")
    (ran.root / "tool.py").write_text((ran.root / "tool.py").read_text() + "# other\n")
    assert set(actions(ran).values()) == {"run"}


def test_a_cache_without_the_artifact_restores_nothing(ran):
    before = ("right:\n  level: 1", "right:\n  level: 2")
    ran.edit("params.yaml", *before)
    outcomes(ran)
    ran.edit("params.yaml", *reversed(before))
    for listing in (ran.root / ".dvc/cache/files/md5").glob("*/*.dir"):
        listing.chmod(0o644)
        listing.unlink()
    assert actions(ran)["branch@one"] == "run"


@pytest.mark.parametrize("has_runs", [True, False])
def test_an_artifact_edited_by_hand_is_restored_by_the_record(ran, has_runs):
    if not has_runs:
        shutil.rmtree(ran.root / ".dvc/cache/runs")
    made = ran.root / "artifacts/branch/one/value.txt"
    made.unlink()
    made.write_text("by hand\n")
    assert actions(ran) == {"branch@one": "restore"}
    assert outcomes(ran)["branch@one"] == "run cache"


def test_an_artifact_that_the_cache_has_in_part_is_made_again(ran):
    folder = ran.root / ".dvc/cache/files/md5"
    listing = json.loads(cached_file(ran.root, load_lock(ran.root)["end"].out_hash).read_text())
    (folder / listing[0]["md5"][:2] / listing[0]["md5"][2:]).unlink()
    shutil.rmtree(ran.root / "artifacts/end")
    assert actions(ran) == {"end": "run"}
    assert outcomes(ran)["end"] == "executed"


@pytest.mark.parametrize("content", [b"cmd: python\ndeps: [", b"{}", b"\xff\xfe\x00", b""])
def test_a_damaged_file_of_the_run_cache_is_no_run(ran, content):
    for file in (ran.root / ".dvc/cache/runs").glob("*/*/*"):
        file.chmod(0o644)
        file.write_bytes(content)
        (file.parent / ".half.tmp").write_bytes(file.read_bytes()[:5])
    ran.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    assert actions(ran)["branch@one"] == "run"


@pytest.mark.parametrize("seed", range(3))
def test_after_any_edits_dvc_does_what_was_planned(ran, seed):
    rng = random.Random(seed)
    for _ in range(4):
        for _ in range(rng.randrange(1, 3)):
            _edit(ran, rng)
        expected = actions(ran)
        for name, became in outcomes(ran).items():
            action = expected.get(name)
            allowed = {
                None: {"unchanged"}, "run": {"executed"}, "restore": {"run cache"},
                "may run": {"executed", "run cache", "unchanged"},
            }[action]  # fmt: skip
            assert became in allowed, (name, action, became)


def _edit(toy, rng: random.Random) -> None:
    kind = rng.choice(["left", "right", "code", "data", "output"])
    if kind in {"left", "right"}:
        text = (toy.root / "params.yaml").read_text("utf-8")
        head, _, rest = text.partition(f"{kind}:\n  level: ")
        digit, tail = rest[0], rest[1:]
        other = str((int(digit) + rng.randrange(1, 3)) % 4)
        (toy.root / "params.yaml").write_text(f"{head}{kind}:\n  level: {other}{tail}")
    elif kind == "code":
        tool = toy.root / "tool.py"
        tool.write_text(f"{tool.read_text().rstrip()}\n# {rng.randrange(3)}\n")
    elif kind == "data":
        (toy.root / "data/raw.txt").write_text(f"raw {rng.randrange(3)}\n")
    else:
        made = toy.root / "artifacts/branch" / rng.choice(["one", "two"]) / "value.txt"
        made.unlink()
        made.write_text(f"by hand {rng.randrange(3)}\n")


def test_time_is_that_of_the_newest_run_or_of_the_family(ran):
    folder = ran.root / ".hornbook/measurements"
    folder.mkdir(parents=True)
    (folder / "branch@one.json").write_text(json.dumps({"seconds": 40.0, "cpu_seconds": 70.0}))
    ran.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 5")
    takes = {step.stage: step.takes for step in planned(ran)}
    assert (takes["branch@one"].seconds, takes["branch@one"].cpu_seconds) == (40.0, 70.0)
    assert takes["branch@two"].seconds == pytest.approx(40.0)
    assert takes["branch@two"].basis == "other runs of branch here"
    assert (takes["end"].seconds, takes["end"].basis) == (None, "never run here")
    assert takes["end"].bytes == load_lock(ran.root)["end"].sizes["artifacts/end"]


def steps_of(**seconds: float) -> list[Step]:
    return [
        Step(name.replace("_", "@"), "run", (), (), Takes(one, one, None, None, None, "its newest"))
        for name, one in seconds.items()
    ]


def test_the_clock_runs_along_the_graph(ran):
    graph = load_graph(ran.root)
    steps = steps_of(base=10, branch_one=5, branch_two=7, end=1)
    assert wall_seconds(graph, steps, 1, around=0) == 23
    assert wall_seconds(graph, steps, 1, around=2) == 31
    assert wall_seconds(graph, steps, 2, cores=2, around=0) == 18
    assert wall_seconds(graph, steps_of(branch_two=7), 2, cores=2, around=0) == 7


def test_steps_that_need_the_same_cores_take_turns(ran):
    graph = load_graph(ran.root)
    alone = steps_of(branch_one=5, branch_two=7)
    greedy = [
        replace(step, takes=replace(step.takes, cpu_seconds=2 * (step.takes.seconds or 0)))
        for step in alone
    ]
    waiting = [replace(step, takes=replace(step.takes, cpu_seconds=0.0)) for step in alone]
    assert wall_seconds(graph, alone, 2, cores=2, around=0) == 7
    assert wall_seconds(graph, greedy, 2, cores=2, around=0) == pytest.approx(12)
    assert wall_seconds(graph, greedy, 2, cores=3, around=0) == pytest.approx(5 / 0.75 + 2)
    assert wall_seconds(graph, alone, 2, cores=1, around=0) == pytest.approx(12)
    assert wall_seconds(graph, waiting, 2, cores=1, around=0) == 7
    on_gpu = [
        replace(step, takes=replace(step.takes, cpu_seconds=0.0, gpu_hours=1.0)) for step in alone
    ]
    assert wall_seconds(graph, on_gpu, 2, cores=2, around=0) == 12


def written(toy) -> dict[str, int]:
    """When each file of the checkout was written, memories of hashes left out."""
    files = (file for file in toy.root.rglob("*") if ".hornbook" not in file.parts)
    return {str(file): file.stat().st_mtime_ns for file in files if file.is_file()}


def test_a_plan_of_a_stage_says_what_becomes_stale_beside_it(ran, monkeypatch):
    monkeypatch.setattr("hornbook.runtime.load_runtime", lambda _: type("R", (), {"jobs": 2}))
    ran.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    before = written(ran)
    found = plan(ran.root, names=["branch@one"])
    assert [step.stage for step in found.steps] == ["branch@one"]
    assert found.beside == ["branch@two", "end"]
    told = "\n".join(lines(found))
    assert "becomes stale, not selected: branch@two, end" in told
    assert "because right.level: 1 -> 2" in told
    assert "1 to run, 1 unchanged" in told
    (one,) = as_json(found)["steps"]
    assert (one["stage"], one["causes"][0]["text"]) == ("branch@one", "right.level: 1 -> 2")
    assert written(ran) == before
    with pytest.raises(ConfigError, match="no stage 'nothing'"):
        plan(ran.root, names=["nothing"])


def test_the_command_plans_overrides_of_the_real_graph(capsys):
    assert main(["web.filter.threshold=3.25", "--stage", "web_filter", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (step,) = [one for one in found["steps"] if one["stage"] == "web_filter"]
    assert any("web.filter.threshold" in cause["text"] for cause in step["causes"])
    assert "train@phi-1_5-web" in found["beside"]


def test_an_empty_plan_says_so_and_units_are_for_people():
    assert lines(Planned([], [], 7, {}, 2, 0.0)) == [
        "all 7 stages are up to date: nothing would run"
    ]
    restored = Takes(0.1, None, None, None, 102_000, "its run here")
    planned = Planned([Step("toxigen_plots", "restore", (), (), restored)], [], 7, {}, 2, 0.1)
    assert lines(planned)[-1] == "under 1 s on the clock, 2 side by side, 102 kB written"
    assert all("\n" not in line for line in lines(planned))
    assert [duration(s) for s in (0.2, 40, 600, 9000)] == ["under 1 s", "40 s", "10 min", "2.5 h"]
    assert [size(n) for n in (3, 4_560, 7.8e9)] == ["3 B", "4.56 kB", "7.8 GB"]
