from pathlib import Path

import pytest

from hornbook.diff.causes import Cause, Change, StageDiff, causes, diff, explain
from hornbook.errors import ConfigError
from hornbook.lineage.manifest import Graph, LockEntry


def verdicts(found) -> dict[str, str]:
    return {one.stage: one.verdict for one in found}


def test_a_changed_value_is_the_first_cause_and_the_rest_followed(ran):
    ran.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    ran.dvc("repro", "-q")
    found = diff(ran.root, "HEAD", "workspace")
    assert verdicts(found) == {
        "base": "first cause",
        "branch@one": "followed",
        "branch@two": "followed",
        "end": "followed",
    }
    assert str(found[0].changes[0]) == "parameter left.level: 1 -> 2"


def test_code_that_changed_nothing_has_no_effect(ran):
    ran.edit("tool.py", "import yaml", "import yaml  # a comment")
    ran.dvc("repro", "-q")
    assert set(verdicts(diff(ran.root, "HEAD", "workspace")).values()) == {"no effect"}


def test_one_stage_is_explained_with_its_ancestors_only(ran):
    ran.edit("params.yaml", "right:\n  level: 1", "right:\n  level: 2")
    ran.dvc("repro", "-q")
    assert set(verdicts(diff(ran.root, "HEAD", ".", "branch@one"))) == {"branch@one"}


def test_an_unknown_name_lists_what_there_is(ran):
    with pytest.raises(ConfigError, match="neither a git revision nor an experiment"):
        diff(ran.root, "HEAD", "nowhere")


def test_a_stage_that_only_one_side_has_is_explained_too(ran):
    before = (ran.root / "dvc.yaml").read_text("utf-8")
    ran.edit("dvc.yaml", "two: {extra: base}", "two: {extra: base}\n      three: {extra: base}")
    ran.edit("params.yaml", "left:\n  level: 1", "left:\n  level: 2")
    ran.dvc("repro", "-q")
    ran.commit("a branch more")
    (ran.root / "dvc.yaml").write_text(before)
    found = verdicts(diff(ran.root, "HEAD~1", "HEAD", "branch@three"))
    assert found == {"base": "first cause", "branch@three": "added"}
    with pytest.raises(ConfigError, match=r"no stage 'branch@four'.*branch@three"):
        diff(ran.root, "HEAD~1", "HEAD", "branch@four")


def test_a_change_is_told_once_with_the_stages_that_it_changed_and_those_that_it_did_not():
    one, two = Change("code", "src/a.py", "1", "2"), Change("parameter", "x", "1", "2")
    above, other = Change("upstream", "first", "1", "2"), Change("input", "data/x", "1", "2")
    found = causes([
        StageDiff("first", "first cause", (one,)),
        StageDiff("second", "first cause", (above, one, two)),
        StageDiff("third", "no effect", (one, other)),
        StageDiff("fourth", "followed", (above,)),
    ])  # fmt: skip
    assert found == [
        Cause(one, alone=("first",), beside=("second",), without=("third",)),
        Cause(two, alone=(), beside=("second",), without=()),
        Cause(other, alone=(), beside=(), without=("third",)),
    ]


def test_versions_of_libraries_are_a_kind_of_their_own():
    before, after = (
        LockEntry("cmd", {}, {"environment.torch": version, "seed": seed}, {"out": out})
        for version, seed, out in (("2.1", 0, "a"), ("2.2", 1, "b"))
    )
    found = explain(Graph(Path(), {}, {}), {"train": before}, {"train": after})
    assert [str(one) for one in found[0].changes] == [
        'environment environment.torch: "2.1" -> "2.2"', "parameter seed: 0 -> 1",
    ]  # fmt: skip


def test_same_inputs_and_other_bytes_are_not_deterministic():
    before, after = (LockEntry("cmd", {"in": "1"}, {}, {"out": out}) for out in "ab")
    found = explain(Graph(Path(), {}, {}), {"train": before}, {"train": after})
    assert found == [StageDiff("train", "not deterministic", ())]
