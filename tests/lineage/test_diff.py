import pytest

from hornbook.errors import ConfigError
from hornbook.lineage.diff import diff


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
