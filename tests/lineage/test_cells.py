"""Which cells a run may change: of the tasks whose items, settings or model are other ones."""

import shutil
from pathlib import Path

import pytest
import yaml

from hornbook.lineage.plan import as_json, lines, plan
from tests.toy import make_toy

ROOT = Path(__file__).resolve().parents[2]
TASKS = {"choice": ["arc_easy", "arc_challenge"], "micro": ["micro_mind", "micro_steps"]}
STAGES = {
    "evaluate": {
        "matrix": {"variant": ["one"], "suite": ["choice", "micro"]},
        "cmd": "mkdir -p artifacts/evaluate/${item.variant}-${item.suite}",
        "deps": ["artifacts/base", "data/benchmarks"],
        "params": ["evaluate"],
        "outs": ["artifacts/evaluate/${item.variant}-${item.suite}"],
        "meta": {"group": "evaluate"},
    }
}
MIND, STEPS = "data/benchmarks/micro/micro_mind.jsonl", "data/benchmarks/micro/micro_steps.jsonl"
ARC = "data/benchmarks/arc/easy.jsonl"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A run graph with two suites on items that DVC tracks, as `data/` is."""
    toy = make_toy(tmp_path_factory.mktemp("cells") / "a toy")
    graph = yaml.safe_load((toy.root / "dvc.yaml").read_text("utf-8"))
    graph["stages"] |= STAGES
    (toy.root / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    params = yaml.safe_load((toy.root / "params.yaml").read_text("utf-8"))
    settings = {"suites": TASKS, "seed": 1}
    (toy.root / "params.yaml").write_text(yaml.safe_dump(params | {"evaluate": settings}))
    for name in (MIND, STEPS, ARC):
        (toy.root / name).parent.mkdir(parents=True, exist_ok=True)
        (toy.root / name).write_text(f"{name}\n")
    runtime = toy.root / "conf" / "runtime"
    runtime.mkdir(parents=True)
    shutil.copy(ROOT / "conf" / "runtime" / "default.yaml", runtime)
    toy.run("git", "rm", "-q", "-r", "--cached", "--ignore-unmatch", "data")
    toy.dvc("add", "-q", "data")
    toy.dvc("repro", "-q")
    toy.commit("evaluated")
    toy.run("git", "tag", "evaluated")
    return toy


@pytest.fixture
def again(evaluated):
    """The same, put back after the test."""
    yield evaluated
    evaluated.run("git", "reset", "-q", "--hard", "evaluated")
    evaluated.dvc("checkout", "-q", "--force")


def cells(toy, *overrides):
    steps = as_json(plan(toy.root, overrides))["steps"]
    told = {step["stage"]: step["cells"] for step in steps}
    return {name: one["tasks"] for name, one in told.items() if one is not None}


@pytest.mark.parametrize("is_recorded", [False, True])
def test_items_of_one_task_change_its_cells_alone(again, is_recorded):
    (again.root / STEPS).write_text("another item\n")
    if is_recorded:
        again.dvc("add", "-q", "data")
        again.run("git", "commit", "-q", "-m", "another item", "data.dvc")
    assert cells(again) == {"evaluate@one-choice": [], "evaluate@one-micro": ["micro_steps"]}
    told = lines(plan(again.root))
    assert "    cells that may change: micro_steps" in told
    assert "    cells that may change: none, as all answers are kept" in told


def test_a_folder_that_two_tasks_read_changes_both(again):
    (again.root / ARC).write_text("another item\n")
    assert cells(again) == {
        "evaluate@one-choice": ["arc_easy", "arc_challenge"], "evaluate@one-micro": [],
    }  # fmt: skip


def test_a_task_more_is_the_only_one_and_another_seed_is_all_of_them(again):
    again.edit("params.yaml", "    - micro_mind\n", "    - micro_mind\n    - micro_social\n")
    assert cells(again)["evaluate@one-micro"] == ["micro_social"]
    again.edit("params.yaml", "  seed: 1", "  seed: 2")
    assert cells(again) == {
        "evaluate@one-choice": TASKS["choice"],
        "evaluate@one-micro": ["micro_mind", "micro_social", "micro_steps"],
    }


def test_a_model_that_may_change_takes_the_other_cells_with_it(again):
    again.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    (again.root / STEPS).write_text("another item\n")
    assert cells(again) == {"evaluate@one-choice": TASKS["choice"],
                            "evaluate@one-micro": TASKS["micro"]}  # fmt: skip
