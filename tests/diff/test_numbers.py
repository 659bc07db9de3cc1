"""The numbers of the tables come first, with their errors and how far they moved."""

import json

import pytest

from hornbook.diff.causes import diff
from hornbook.diff.command import main
from hornbook.diff.markdown import as_markdown
from hornbook.diff.numbers import changed_numbers, moved
from hornbook.lineage import cells
from hornbook.lineage.cells import TableCell, read_scores, read_tables
from hornbook.lineage.manifest import load_lock
from hornbook.plain import json_text


def cell(task, value, stderr=0.1):
    return TableCell(task, frozenset({task}), "one", "acc", value, stderr, "evaluate@one-micro", ())


def test_cells_differ_by_number_error_or_presence():
    before = [cell("a", 0.5), cell("b", 0.5), cell("c", 0.5), cell("gone", 0.1)]
    after = [cell("a", 0.5), cell("b", 0.6), cell("c", 0.5, 0.2), cell("new", None, None)]
    found = moved(before, after)
    assert [one.columns()[2:] for one in found] == [
        ("0.5 +- 0.1", "0.6 +- 0.1", "+0.1 (0.7 errors)"),
        ("0.5 +- 0.1", "0.5 +- 0.2", "+0 (0.0 errors)"),
        ("absent", "not run", ""),
        ("0.1 +- 0.1", "absent", ""),
    ]
    first = json.loads(json.dumps(found[0].as_json()))
    assert first["after"] == {"value": 0.6, "stderr": 0.1, "interval": None}
    assert first["change"] == pytest.approx(0.1)
    assert first["change_stderr"] == pytest.approx(0.02**0.5)  # of independent errors


def scored(score, low, high, auc=0.6):
    """ToxiGen's scores of one variant, as `scores.json` has them."""
    one = {
        "variant": "one", "stage": "toxigen@one", "score": score, "low": low, "high": high,
        "auc_unscaled": auc, "auc_unscaled_low": None, "auc_unscaled_high": None,
    }  # fmt: skip
    return list(read_scores({"variants": [one]}))


def test_scores_with_intervals_are_compared_by_whether_these_overlap():
    near = moved(scored(0.2, 0.1, 0.3), scored(0.35, 0.3, 0.4))
    apart = moved(scored(0.2, 0.1, 0.3), scored(0.35, 0.31, 0.4, auc=0.5))
    assert [one.columns() for one in near] == [
        ("toxigen@one", "safety score", "0.2 (0.1 to 0.3)", "0.35 (0.3 to 0.4)",
         "+0.15 (intervals overlap)"),
    ]  # fmt: skip
    assert [one.columns()[4] for one in apart] == ["+0.15 (intervals apart)", "-0.1"]
    assert [one.is_clear for one in (*near, *apart)] == [False, True, False]
    assert near[0].as_json()["intervals_overlap"] is True


def test_what_is_no_number_equals_itself_and_is_told_as_such():
    nan = float("nan")
    assert moved([cell("a", nan)], [cell("a", nan)]) == []
    found = moved([cell("a", 0.5)], [cell("a", nan)])
    assert found[0].columns()[2:] == ("0.5 +- 0.1", "nan +- 0.1", "+nan (nan errors)")
    assert not found[0].is_clear
    assert '"NaN"' in json_text(found[0].as_json())


def written(value):
    """Tables with one micro-suite, as `tables.json` has it."""
    of_one = {"value": value, "stderr": 0.1, "metric": "acc", "stage": "evaluate@one-micro"}
    return {"micro": [{"task": "micro_steps", "cells": {"one": of_one}}], "tables": {}}


def test_a_diff_begins_with_the_numbers_of_both_tables(ran, monkeypatch, capsys):
    monkeypatch.setattr(cells, "SOURCES", {"end": ("tables.json", read_tables)})
    shown = {}
    monkeypatch.setattr(cells, "cached_json", lambda _, digest, __: shown[digest])
    shown[load_lock(ran.root)["end"].out_hash] = written(0.5)
    ran.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    ran.dvc("repro", "-q")
    shown[load_lock(ran.root)["end"].out_hash] = written(0.75)
    monkeypatch.chdir(ran.root)
    assert main(["HEAD", "workspace"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[2].startswith("Numbers: 1 of the tables differ, none clearly")
    assert told[4].split() == [
        "micro_steps@one", "acc", "0.5", "+-", "0.1", "0.75", "+-", "0.1", "+0.25",
        "(1.8", "errors)",
    ]  # fmt: skip
    assert told.index("First causes") > 4
    table = as_markdown(
        diff(ran.root, "HEAD", "workspace"), changed_numbers(ran.root, "HEAD", "workspace")
    )
    assert "| micro_steps@one | acc | 0.5 +- 0.1 | 0.75 +- 0.1 | +0.25 (1.8 errors) |" in table


def test_tables_that_are_not_here_are_named_with_what_brings_them(ran, monkeypatch, capsys):
    monkeypatch.setattr(cells, "SOURCES", {"end": ("tables.json", read_tables)})
    ran.run("git", "tag", "begun")
    ran.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    ran.dvc("repro", "-q")
    monkeypatch.chdir(ran.root)
    assert main(["begun", "workspace"]) == 0
    told = capsys.readouterr().out
    assert "Numbers of the tables: not in the cache here." in told
    assert "`dvc fetch --all-commits end` brings it from a remote" in told
    assert "`dvc fetch end` brings it from a remote, `hornbook run end` makes it again." in told
    assert main(["begun", "workspace", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["numbers"] is None
    assert found["stages"][0]["verdict"] == "first cause"
