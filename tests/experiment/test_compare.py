"""Experiments side by side: what differs, the best of a row, and what to do for missing numbers."""

import csv
import json
from pathlib import Path

import pytest

from hornbook.errors import ConfigError
from hornbook.experiment import compare as module
from hornbook.experiment.commands import main
from hornbook.experiment.compare import CellRow, as_csv, as_json, compare, lines
from hornbook.experiment.records import Record
from hornbook.lineage.cells import TableCell

VALUES = {"evaluate": {"suites": {"choice": ["arc_easy"], "code": ["steps"]}}, "left": {"x": 1}}


def cell(task, value, metric="acc", stderr=0.01):
    return TableCell(task, frozenset({task}), "phi", metric, value, stderr, "evaluate@phi", ())


SIDES = {
    "HEAD": (VALUES, [cell("arc_easy", 0.5), cell("steps", 0.9), cell("web", 30.0, "perplexity")]),
    "lax": (
        VALUES | {"left": {"x": 2}, "further_seeds": {"a": 1}},
        [cell("arc_easy", 0.6, stderr=None), cell("steps", 0.9), cell("web", 20.0, "perplexity")],
    ),
    "half": (VALUES | {"left": {}}, None),
    "gone": (VALUES, []),
}

AWAY = "gone: its tables are not in the cache here"


@pytest.fixture
def sides(monkeypatch):
    """Four revisions: two with numbers, one that stopped before, one whose tables are away."""

    class Side(Record):
        values = property(lambda self: SIDES[self.name][0])
        lock = property(lambda self: {"of": self.name})

        def has(self, _stage):
            return SIDES[self.name][1] is not None

    names = ("gone", "half", "lax")
    monkeypatch.setattr(module, "record", lambda root, name: Side(root, name, f"rev-{name}"))
    monkeypatch.setattr(module, "experiments", lambda _: dict.fromkeys(names, ""))
    monkeypatch.setattr(module, "table_cells", lambda _, lock: SIDES[lock["of"]][1] or [])


def test_all_experiments_stand_beside_head_with_what_differs(sides):
    told = [" ".join(line.split()) for line in lines(compare(Path(), []))]
    assert told == [
        "value HEAD gone half lax",
        "left absent absent {} absent",
        "left.x 1 1 absent 2",
        "",
        "cell metric HEAD gone half lax",
        "arc_easy@phi acc 0.5 +- 0.01 - - 0.6 *",
        "steps@phi acc 0.9 +- 0.01 - - 0.9 +- 0.01",
        "web@phi perplexity 30 +- 0.01 - - 20 +- 0.01 *",
        "",
        "* the best of its row, by its number alone: mind the errors beside it",
        f"{AWAY}: dvc exp pull REMOTE gone",
        "half: its tables are not of its values: run it without --target",
    ]


def test_cells_are_chosen_by_metric_and_suite_and_by_being_different(sides):
    def tasks(**options):
        return [row.task for row in compare(Path(), ["lax"], **options).rows]

    assert tasks() == ["arc_easy", "web"]
    assert tasks(is_all=True) == ["arc_easy", "steps", "web"]
    assert tasks(metric="perplexity") == ["web"]
    assert tasks(metric="acc", is_all=True) == ["arc_easy", "steps"]
    assert tasks(suite="code", is_all=True) == ["steps"]
    assert tasks(suite="perplexity") == ["web"]
    with pytest.raises(ConfigError, match="no cell has the metric 'f1'; there are acc, perplexity"):
        tasks(metric="f1")
    with pytest.raises(ConfigError, match="the suite 'cod'; there are choice, code, perplexity"):
        tasks(suite="cod")


def test_a_sheet_and_json_have_values_errors_and_the_best(sides):
    found = compare(Path(), ["lax"])
    rows = list(csv.reader(as_csv(found).splitlines()))
    assert rows[0] == [
        "kind",
        "name",
        "variant",
        "metric",
        "HEAD",
        "HEAD error",
        "lax",
        "lax error",
    ]
    assert rows[1] == ["value", "left.x", "", "", "1", "", "2", ""]
    assert rows[2] == ["cell", "arc_easy", "phi", "acc", "0.5", "0.01", "0.6", ""]
    made = json.loads(json.dumps(as_json(found)))
    assert made["values"] == [{"key": "left.x", "values": [1, 2]}]
    assert made["cells"][1]["numbers"][1] == {"value": 20.0, "stderr": 0.01, "interval": None}
    assert made["cells"][1]["best"] == [1]
    assert made["columns"][0] == {
        "name": "HEAD", "revision": "rev-HEAD", "tables": "there", "do": None,
    }  # fmt: skip


def test_without_an_experiment_it_says_how_to_make_one(lab):
    with pytest.raises(ConfigError, match="no experiment yet; hornbook experiment run NAME"):
        main(["compare"])
    with pytest.raises(ConfigError, match="'strict' is neither a git revision nor an experiment"):
        main(["compare", "strict"])


def test_a_number_that_is_none_is_never_the_best_and_is_text_for_programs():
    def cell(value: float) -> TableCell:
        return TableCell("t", frozenset(), "v", "acc", value, None, "s", ())

    nan, inf = float("nan"), float("inf")
    row = CellRow("t", "v", "acc", [cell(nan), cell(0.25), cell(inf), cell(0.5)])
    assert row.best == {3}
    assert CellRow("t", "v", "acc", [cell(nan), cell(float("nan"))]).is_same
    numbers = as_json(module.Compared([], {}, [row]))["cells"][0]["numbers"]
    assert [one["value"] for one in numbers] == ["nan", 0.25, "inf", 0.5]
