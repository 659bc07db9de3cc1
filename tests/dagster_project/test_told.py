"""What the UI tells: failures, broken configuration, columns, numbers."""

import subprocess
import time
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from dagster_project import ui
from dagster_project.checks import check_evaluation, check_result, failed_result
from dagster_project.columns import column_metadata, column_sources, column_types, table_file
from dagster_project.failure import own_message
from dagster_project.manifest import graph_of
from dagster_project.metadata import flat_numbers
from dagster_project.watch import keep_conf_error, require_sound_conf
from hornbook.artifacts import write_json
from hornbook.errors import ConfigError
from hornbook.stage import failed_checks

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["x  1/2", "hornbook: ConfigError: a=1: expected 2"], "ConfigError: a=1: expected 2"),
        (
            [
                "strict |  0:06  hornbook: InputError: no",
                "hornbook: StageError: experiment strict failed (its messages are above):",
                "web_filter failed: InputError: no",
                "run it again",
            ],
            "web_filter failed: InputError: no\nrun it again",
        ),
        (
            ["x", "Traceback (most recent call last):", "  File y", "ValueError: no"],
            "ValueError: no\nTraceback (most recent call last):\n  File y\nValueError: no",
        ),
        (["last words"], "last words"),
        ([], "it ended without a word"),
    ],
)
def test_the_stage_speaks_before_the_tools_around_it(lines, message):
    assert own_message(lines) == message


def test_conf_that_does_not_compose_keeps_definitions_from_loading_until_it_does(
    tmp_path, monkeypatch
):
    def refuse(*_: object) -> bool:
        raise ConfigError("conf/web/laptop.yaml: web.filter.treshold is not a setting")

    monkeypatch.setattr(ui, "write_params", refuse)
    assert not ui.compose_again(tmp_path)
    with pytest.raises(ConfigError, match=r"does not compose.*\n.*web\.filter\.treshold"):
        require_sound_conf(tmp_path)
    monkeypatch.setattr(ui, "write_params", lambda *_: True)
    assert ui.compose_again(tmp_path)
    require_sound_conf(tmp_path)
    keep_conf_error(None, tmp_path)  # nothing to forget is no error


@pytest.mark.parametrize(
    ("changed", "is_needed"),
    [
        (["conf/web/laptop.yaml"], True),
        (["conf/web/laptop.yaml", "params.yaml"], False),  # git checkout, or hornbook compose
        (["conf/runtime/local.yaml"], False),
        (["params.yaml", "dvc.yaml"], False),
    ],
)
def test_values_are_composed_where_nobody_else_has(tmp_path, changed, is_needed):
    assert ui.needs_composing({str(tmp_path / name) for name in changed}, tmp_path) is is_needed


def test_values_edited_before_the_start_are_found_by_git(tmp_path):
    for command in (("init", "-q"), ("add", "-A")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "conf" / "web").mkdir(parents=True)
    file = tmp_path / "conf" / "web" / "a b.yaml"
    file.write_text("x: 1\n")
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    file.write_text("x: 2\n")
    assert ui.edited_conf(tmp_path) == {str(file)}


def test_numbers_have_keys_of_their_own():
    told = {"rows": 3, "kind": "x", "is_on": True, "loss": {"web": 1.5, "inner": {"code": 2}}}
    assert flat_numbers(told) == {"rows": 3, "loss/web": 1.5, "loss/inner/code": 2}


def test_checks_are_those_that_the_artifact_carries(tmp_path):
    """A fresh clone has artifacts and nothing of the runs that made them."""
    stage = graph_of(ROOT).stages["web_filter"]
    nothing = check_result(tmp_path, stage)
    assert (nothing.passed, nothing.severity) == (False, dg.AssetCheckSeverity.WARN)
    one = {"type": "t", "kwargs": {}, "success": True, "observed": 3, "unexpected": 0, "rows": []}
    found = {"documents": {"success": True, "rows": 3, "expectations": [one]}}
    write_json(tmp_path / stage.out / "expectations.json", found)
    assert check_result(tmp_path, stage).passed
    assert check_evaluation(tmp_path, stage).asset_key == dg.AssetKey("web_filter")
    found["documents"] |= {"success": False, "expectations": [one | {"success": False}]}
    write_json(failed_checks(tmp_path, stage.name), found)
    failed = failed_result(tmp_path, stage, since=0.0)
    assert failed is not None
    assert not failed.passed
    assert "**no**" in str(failed.metadata["results"].value)
    assert failed_result(tmp_path, stage, since=time.time() + 60) is None


def with_columns():
    return [stage for stage in graph_of(ROOT).stages.values() if "columns" in stage.meta]


def table(stage) -> pd.DataFrame:
    first = table_file(ROOT / stage.out, stage)
    if first is None:
        pytest.skip(f"{stage.out} is not here")
    shards = sorted(first.parent.glob(first.name.replace("00000", "*")))
    return pd.concat([pd.read_parquet(shard) for shard in shards])


def test_declared_columns_name_stages_that_are_read():
    graph = graph_of(ROOT)
    for stage in with_columns():
        read = {graph.stages[name].family for name in stage.producers}
        for told in stage.meta["columns"].values():
            places = [told] if isinstance(told, str) else told
            assert read & {place.partition(":")[0] for place in places}, stage.name


@pytest.mark.parametrize("stage", with_columns(), ids=lambda stage: stage.name)
def test_a_column_that_is_passed_on_is_what_its_producer_wrote(stage):
    graph, mine = graph_of(ROOT), table(stage)
    for column in column_types(ROOT / stage.out, stage):
        for name, read in column_sources(ROOT, stage, graph, column):
            theirs = table(graph.stages[name])
            if column == read == "id":
                assert mine["id"].isin(theirs["id"]).all()
            elif column == read:
                both = mine[["id", column]].merge(theirs[["id", read]], on="id")
                assert len(both) == len(mine)
                assert (both[f"{column}_x"] == both[f"{read}_y"]).all(), column


def test_a_table_tells_its_columns_and_where_they_are_from(tmp_path):
    graph = graph_of(ROOT)
    for name, columns in (("web_corpus", ["id", "text"]), ("web_scores", ["id", "score"])):
        folder = tmp_path / graph.stages[name].out
        folder.mkdir(parents=True)
        pd.DataFrame({c: ["x"] for c in columns}).to_parquet(folder / "part-00000.parquet")
    told = column_metadata(tmp_path, graph.stages["web_scores"], graph)
    assert [c.name for c in told["dagster/column_schema"].columns] == ["id", "score"]
    assert told["dagster/column_lineage"].deps_by_column == {
        "id": [dg.TableColumnDep(asset_key=dg.AssetKey("web_corpus"), column_name="id")],
        "score": [dg.TableColumnDep(asset_key=dg.AssetKey("web_corpus"), column_name="text")],
    }
    assert column_metadata(tmp_path, graph.stages["tokenizer"], graph) == {}
