"""A stage as a process: what it sees, what it leaves behind, how it resumes."""

import re
import shutil

import pandas as pd
import pytest
from pydantic.dataclasses import dataclass

import hornbook.stages
from hornbook.artifacts import read_json
from hornbook.config import STRICT, Expectation
from hornbook.errors import ArtifactError, ConfigError, ExpectationError
from hornbook.lineage.leftovers import leftovers
from hornbook.stage import run_stage
from tests.made_run import CONF, made_run


@dataclass(frozen=True, config=STRICT)
class Level:
    level: int


@pytest.fixture
def work(toy, monkeypatch):
    """The toy checkout with its `base` stage replaced by a function of the test."""
    shutil.copytree(CONF / "runtime", toy.root / "conf" / "runtime")
    monkeypatch.delenv("DVC_ROOT", raising=False)

    def run(function):
        monkeypatch.setattr("tests.core.stages.function", function)
        monkeypatch.setitem(hornbook.stages.STAGES, "base", "tests.core.stages:stage")
        run_stage(toy.root, "base")
        return toy.root / "artifacts" / "base"

    run.root = toy.root
    return run


def test_a_stage_sees_what_is_declared_and_nothing_else(work):
    def stage(run):
        assert run.section("left", Level).level == 1
        assert run.input("data/raw.txt").read_text() == "raw\n"
        with pytest.raises(ConfigError, match=r"reads 'right', which dvc\.yaml does not declare"):
            run.section("right", Level)
        with pytest.raises(ConfigError, match=r"reads tool2\.py, which dvc\.yaml does not list"):
            run.input("tool2.py")
        run.summary(rows=3)

    assert read_json(work(stage) / "summary.json") == {"rows": 3}


def test_a_failed_stage_leaves_the_old_artifact_and_finds_its_journal_again(work):
    def first(run):
        (run.out / "value.txt").write_text("good")

    def broken(run):
        (run.pending / "journal").write_text("half")
        (run.out / "value.txt").write_text("bad")
        raise ArtifactError("stop")

    def again(run):
        assert (run.pending / "journal").read_text() == "half"
        assert not list(run.out.iterdir()), "the output starts empty"
        (run.out / "value.txt").write_text("better")

    out = work(first)
    with pytest.raises(ArtifactError, match="stop"):
        work(broken)
    assert (out / "value.txt").read_text() == "good"
    assert (work(again) / "value.txt").read_text() == "better"
    assert not list((work.root / ".hornbook" / "pending").iterdir())


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("params.yaml", "left:\n  level: 2\nright:\n  level: 1\n", r"left\.level: 1 -> 2"),
        ("tool.py", "pass\n", r"code tool\.py changed"),
        ("data/raw.txt", "other\n", r"data data/raw\.txt changed"),
        ("params.yaml", "left:\n  level: 1\nright:\n  level: 9\n", None),
        ("artifacts/base/value.txt", "by hand", None),  # it is replaced
    ],
)
def test_what_changes_while_a_stage_runs_is_told_and_the_result_not_taken(work, file, text, told):
    def good(run):
        (run.out / "value.txt").write_text("good")

    def disturbed(run):
        (work.root / file).write_text(text)
        (run.pending / "journal").write_text("half")
        (run.out / "value.txt").write_text("better")

    out = work(good)
    if told is None:
        assert (work(disturbed) / "value.txt").read_text() == "better"
        return
    with pytest.raises(ArtifactError, match=f"(?s)record would say.*{told}.*put it back"):
        work(disturbed)
    assert (out / "value.txt").read_text() == "good"
    assert list((work.root / ".hornbook" / "pending").glob("*/journal"))


@pytest.mark.parametrize("file", ["tool.py", "data/raw.txt"])
def test_what_was_another_file_in_between_is_told_and_the_stage_begun_anew(work, file):
    place = work.root / file

    def switched(run):
        (run.pending / "journal").write_text("half")
        before = place.read_text()
        place.unlink()
        place.write_text("pass  # of another branch\n")
        place.unlink()
        place.write_text(before)
        (run.out / "value.txt").write_text("of which code?")

    def again(run):
        assert not (run.pending / "journal").exists()
        place.read_text()
        (run.out / "value.txt").write_text("better")

    with pytest.raises(ArtifactError, match=rf"replaced and are what they were again.*{file}\. "):
        work(switched)
    assert not (work.root / "artifacts" / "base").exists()
    (aside,) = (work.root / ".hornbook" / "pending").glob("*.replaced/journal")
    work.root.joinpath("tool.py").touch()
    assert (work(again) / "value.txt").read_text() == "better"
    assert aside.exists(), "who knows better can go on from it"
    (row,) = leftovers(work.root, has_scores=False)
    assert row.is_free


def test_who_only_reads_and_git_status_stop_no_stage(work, toy):
    toy.run("git", "add", "-A")
    toy.run("git", "commit", "-q", "-m", "toy")

    def looked_at(run):
        toy.run("git", "status")
        (work.root / "tool.py").read_text()
        (work.root / "other").hardlink_to(work.root / "tool.py")
        (run.out / "value.txt").write_text("good")

    assert (work(looked_at) / "value.txt").read_text() == "good"


def test_measurements_stay_out_of_the_artifact(work):
    def stage(run):
        run.summary(rows=1)
        run.measure(tokens_per_second=12.5)

    out = work(stage)
    assert [file.name for file in out.iterdir()] == ["summary.json"]
    measured = read_json(work.root / ".hornbook" / "measurements" / "base.json")
    assert measured["tokens_per_second"] == 12.5
    assert measured["out_hash"].endswith(".dir")


UNIQUE = Expectation(type="expect_column_values_to_be_unique", kwargs={"column": "id"})


def test_a_broken_dataset_stops_the_stage_and_names_its_rows(work):
    def stage(run):
        frame = pd.DataFrame({"id": ["a", "b", "b"], "n": [1, 2, 3]})
        run.expect("rows", frame, [UNIQUE], key="id")

    with pytest.raises(ExpectationError, match=r"(?s)id: b, b.*dvc checkout artifacts/base"):
        work(stage)
    kept = read_json(work.root / ".hornbook" / "checks" / "base.json")
    assert kept["rows"]["success"] is False
    assert not (work.root / "artifacts" / "base").exists()


def test_a_good_dataset_keeps_its_results_without_time_or_place(work):
    def stage(run):
        run.expect("rows", pd.DataFrame({"id": ["a", "b"]}), [UNIQUE], key="id")

    text = (work(stage) / "expectations.json").read_text()
    assert '"success": true' in text
    assert str(work.root) not in text
    assert "202" not in text, "no date"


def test_an_unknown_expectation_is_a_configuration_error(work):
    def stage(run):
        odd = Expectation(type="expect_wonders", kwargs={})
        run.expect("rows", pd.DataFrame({"id": ["a"]}), [odd], key="id")

    with pytest.raises(ConfigError, match="'expect_wonders' is not one"):
        work(stage)


def test_an_unknown_stage_lists_the_stages(work):
    with pytest.raises(ConfigError, match="no stage 'nothing'; the stages are base, branch@one"):
        run_stage(work.root, "nothing")


@pytest.mark.parametrize(
    ("path", "way"),
    [("data/web", "run: dvc pull data.dvc"), ("/models/wide", "put it back, or compose without")],
)
def test_an_input_that_went_away_comes_back_in_its_own_way(tmp_path, path, way):
    run = made_run(tmp_path, "web_corpus", reads=[path], params={})
    with pytest.raises(
        ArtifactError, match=f"web_corpus needs {path}, which is not there; {re.escape(way)}"
    ):
        run.input(path)
