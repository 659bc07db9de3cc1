"""Which cells a run may change: of the tasks whose items, settings or model are other ones."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from hornbook.lineage.cells import TableCell, moved
from hornbook.lineage.diff import as_markdown, changed_numbers, diff, main
from hornbook.lineage.manifest import load_lock
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


def cell(task, value, stderr=0.1):
    return TableCell(task, frozenset({task}), "one", "acc", value, stderr, "evaluate@one-micro", ())


def test_cells_differ_by_number_error_or_presence():
    before = [cell("a", 0.5), cell("b", 0.5), cell("c", 0.5), cell("gone", 0.1)]
    after = [cell("a", 0.5), cell("b", 0.6), cell("c", 0.5, 0.2), cell("new", None, None)]
    found = moved(before, after)
    assert [str(one).split(maxsplit=2)[2] for one in found] == [
        "0.5 +- 0.1 -> 0.6 +- 0.1", "0.5 +- 0.1 -> 0.5 +- 0.2", "absent -> not run",
        "0.1 +- 0.1 -> absent",
    ]  # fmt: skip
    assert json.loads(json.dumps([one.as_json() for one in found]))[0]["after"] == {
        "value": 0.6, "stderr": 0.1,
    }  # fmt: skip


def written(value):
    """Tables with one micro-suite, as `tables.json` has it."""
    of_one = {"value": value, "stderr": 0.1, "metric": "acc", "stage": "evaluate@one-micro"}
    return {"micro": [{"task": "micro_steps", "cells": {"one": of_one}}], "tables": {}}


def test_a_diff_begins_with_the_numbers_of_both_tables(ran, monkeypatch, capsys):
    monkeypatch.setattr("hornbook.lineage.diff.TABLES", "end")
    monkeypatch.setattr("hornbook.lineage.cells.TABLES", "end")
    shown = {}
    monkeypatch.setattr("hornbook.lineage.cells.cached_text", lambda _, digest, __: shown[digest])
    shown[load_lock(ran.root)["end"].out_hash] = json.dumps(written(0.5))
    ran.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    ran.dvc("repro", "-q")
    shown[load_lock(ran.root)["end"].out_hash] = json.dumps(written(0.75))
    monkeypatch.chdir(ran.root)
    assert main(["HEAD", "workspace"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "1 of the tables' numbers differ"
    assert " ".join(told[1].split()) == "micro_steps@one acc 0.5 +- 0.1 -> 0.75 +- 0.1"
    assert any(line.startswith("first cause") for line in told)
    table = as_markdown(
        diff(ran.root, "HEAD", "workspace"), changed_numbers(ran.root, "HEAD", "workspace")
    )
    assert "| micro_steps@one | acc | 0.5 +- 0.1 | 0.75 +- 0.1 |" in table
    monkeypatch.setattr("hornbook.lineage.cells.cached_text", lambda *_: None)
    assert main(["HEAD", "workspace"]) == 0
    assert "not in the cache here; dvc fetch end" in capsys.readouterr().out
    assert main(["HEAD", "workspace", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["numbers"] is None
    assert found["stages"][0]["verdict"] == "first cause"
