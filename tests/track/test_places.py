"""Where a run of MLflow stands, what it is called, what it read, and which model is promoted."""

import json
import sqlite3
import sys
import time
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs

import pytest
import yaml

from hornbook.artifacts import read_json, write_json
from hornbook.lineage.manifest import load_lock
from hornbook.measure.usage import Usage
from hornbook.track.addresses import models_page
from hornbook.track.index import folder, load, tracking_uri
from hornbook.track.runs import promote, track, tracked
from hornbook.track.shown import is_drawn, rank, shown_as
from tests.report.sample import write_lock, write_workspace

MICRO, TRAIN, TOXIGEN = "evaluate@phi-1_5-web-micro", "train@phi-1_5-web", "toxigen@phi-1_5-web"
POINT = {"seconds": 2.0, "metrics": {"system/cpu_utilization_percentage": 50.0}}


@pytest.fixture(autouse=True)
def _local_store(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def root(tmp_path):
    folder = write_workspace(tmp_path)
    measured = {"seconds": 9.0, "usage": [POINT], "out_hash": load_lock(folder)[TRAIN].out_hash}
    write_json(folder / f".hornbook/measurements/{TRAIN}.json", measured)
    return folder


def client(root):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri(root))


def run_of(root, stage):
    return client(root).get_run(tracked(root)[stage]["run_id"])


def parent_of(root, run):
    return client(root).get_run(run.data.tags["mlflow.parentRunId"])


def changed(root, stage, out):
    """Other bytes of a stage's artifact, recorded as such; the new lock."""
    file = root / out / "metrics.json"
    write_json(file, {**read_json(file), "loss": 0.5})
    write_lock(root)
    return load_lock(root)[stage].out_hash


def test_scores_stand_under_their_model_and_models_under_the_graph_run(root):
    track(root, stages=[MICRO])  # the model's run is written with it
    score = run_of(root, MICRO)
    model = parent_of(root, score)
    assert (score.info.run_name, model.info.run_name) == (
        "phi-1_5-web / seed 0 / micro", "phi-1_5-web / seed 0"
    )  # fmt: skip
    above = parent_of(root, model)
    assert above.info.run_name.startswith("graph ")
    assert "mlflow.parentRunId" not in above.data.tags
    track(root, stages=[TOXIGEN])
    assert parent_of(root, run_of(root, TOXIGEN)).info.run_id == model.info.run_id


def test_models_compare_by_their_main_scores(root):
    track(root, stages=[MICRO, TOXIGEN])
    metrics = run_of(root, TRAIN).data.metrics
    own = run_of(root, MICRO).data.metrics
    assert metrics["benchmarks/micro_mind.acc"] == own["micro_mind/acc"]
    assert metrics["stderr/benchmarks.micro_mind.acc"] == own["micro_mind/acc_stderr"]
    assert metrics["toxigen/score"] == run_of(root, TOXIGEN).data.metrics["score"]
    assert not [key for key in metrics if key.endswith(("_chance", "_items")) or "groups" in key]


def test_a_perplexity_is_one_chart_for_each_corpus(root):
    track(root, stages=["perplexity@phi-1_5-web"])
    metrics = run_of(root, TRAIN).data.metrics
    own = run_of(root, "perplexity@phi-1_5-web").data.metrics
    found = {key: value for key, value in metrics.items() if "perplexity" in key}
    assert found["perplexity/web"] == own["web/perplexity"]
    assert found["stderr/perplexity.web"] == own["web/perplexity_stderr"]
    assert {key.partition("/")[2].removeprefix("perplexity.") for key in found} == {
        "books", "code", "web"
    }, "and neither losses nor domains"  # fmt: skip


def test_comparisons_open_with_the_losses_and_domains_stand_last(root):
    def shown(key):
        return rank(key), shown_as(key, drawn)

    drawn = {"tokens", "loss", "eval_loss", "lr", "loss_books", "loss_books/code"}
    assert [name for _, name in sorted(map(shown, drawn))] == [
        "curves/loss", "curves/eval_loss", "curves/lr", "curves/loss_books", "curves/tokens",
        "train_domains/loss_books/code",
    ]  # fmt: skip
    assert shown_as("best_eval_loss", drawn) == "best_eval_loss"
    assert is_drawn("eval_loss_by_source/books", {"eval_loss_books"})
    assert not is_drawn("eval_loss_by_source/books", drawn)
    track(root, stages=[TRAIN])
    run = tracked(root)[TRAIN]["run_id"]
    with sqlite3.connect(folder(root) / "mlflow.db") as store:
        found = store.execute("select key from latest_metrics where run_uuid = ?", [run])
        assert next(found) == ("curves/loss",)


def test_the_experiment_tells_the_way_to_its_models_and_keeps_a_note_of_its_own(root):
    track(root, stages=[TRAIN])
    one = client(root)
    known = one.get_experiment_by_name("hornbook")
    assert models_page(known.experiment_id) in known.tags["mlflow.note.content"]
    one.set_experiment_tag(known.experiment_id, "mlflow.note.content", "ours")
    track(root, stages=[TOXIGEN])
    assert one.get_experiment_by_name("hornbook").tags["mlflow.note.content"] == "ours"
    shown = parse_qs(models_page(known.experiment_id).partition("?")[2])
    found = one.search_runs(
        [known.experiment_id], shown["searchFilter"][0],
        order_by=[f"{shown['orderByKey'][0]} ASC"],
    )  # fmt: skip
    assert [run.data.tags["stage.family"] for run in found] == ["train"]


def test_runs_of_an_experiment_are_called_by_it_and_promote_nothing(root):
    track(root, stages=[MICRO], experiment="strict-web")
    run = run_of(root, TRAIN)
    assert run.info.run_name == "phi-1_5-web / seed 0 / exp strict-web"
    assert run.data.tags["dvc.experiment"] == "strict-web"
    above = parent_of(root, run)
    assert above.info.run_name == "exp strict-web"
    assert "hornbook diff HEAD strict-web" in above.data.tags["mlflow.note.content"]
    assert client(root).get_registered_model("phi-1_5-web").aliases == {}


def test_a_dagster_run_is_the_graph_run_and_linked(root):
    track(root, stages=[MICRO], dagster_run_id="0123456789")
    run = run_of(root, TRAIN)
    assert parent_of(root, run).info.run_name == "Dagster 01234567"
    assert run.data.tags["dagster.url"].endswith("/runs/0123456789")


def test_what_was_read_is_there_by_its_dvc_hash(root):
    lock, file = load_lock(root), root / "dvc.lock"
    recorded = yaml.safe_load(file.read_text())
    read = {"path": "artifacts/train/phi-1_5-web", "md5": lock[TRAIN].out_hash, "size": 7}
    recorded["stages"][MICRO]["deps"] = [read]
    file.write_text(yaml.safe_dump(recorded))
    track(root, stages=[MICRO])
    read = {one.dataset.name: one.dataset for one in run_of(root, MICRO).inputs.dataset_inputs}
    assert read["artifacts/train/phi-1_5-web"].digest == lock[TRAIN].out_hash
    assert json.loads(read["artifacts/train/phi-1_5-web"].source)["stage"] == TRAIN
    assert json.loads(read["artifacts/train/phi-1_5-web"].profile) == {"bytes": 7}


def test_a_checkpoint_is_a_version_and_the_recorded_one_is_promoted(root):
    track(root, stages=[TRAIN])
    store = client(root)
    first = store.get_model_version_by_alias("phi-1_5-web", "promoted")
    assert first.tags["dvc.hash"] == load_lock(root)[TRAIN].out_hash
    before = (root / "dvc.lock").read_text()
    new = changed(root, TRAIN, "artifacts/train/phi-1_5-web")
    track(root, stages=[TRAIN], experiment="other")
    assert store.get_model_version_by_alias("phi-1_5-web", "promoted").version == first.version
    promote(root)  # dvc.lock records the experiment's now
    second = store.get_model_version_by_alias("phi-1_5-web", "promoted")
    assert second.tags["dvc.hash"] == new
    (root / "dvc.lock").write_text(before)
    promote(root)
    assert store.get_model_version_by_alias("phi-1_5-web", "promoted").version == first.version


def test_the_card_of_a_version_says_where_its_bytes_are(root, tmp_path):
    from mlflow.artifacts import download_artifacts

    track(root, stages=[TRAIN])
    run_id = tracked(root)[TRAIN]["run_id"]
    file = download_artifacts(
        run_id=run_id, artifact_path="model/model.json", dst_path=str(tmp_path),
        tracking_uri=tracking_uri(root),
    )  # fmt: skip
    card = read_json(Path(file))
    assert card["dvc"] == {
        "path": "artifacts/train/phi-1_5-web", "md5": load_lock(root)[TRAIN].out_hash,
        "stage": TRAIN,
    }  # fmt: skip


def test_what_the_machine_did_meanwhile_is_drawn_over_time(root):
    track(root, stages=[TRAIN])
    points = client(root).get_metric_history(
        tracked(root)[TRAIN]["run_id"], "system/cpu_utilization_percentage"
    )
    assert [(point.value, point.step) for point in points] == [(50.0, 0)]


def test_an_index_that_is_lost_makes_no_second_graph_run(root):
    track(root, stages=[MICRO])
    (root / ".hornbook/mlflow/index.json").unlink()
    track(root, stages=[TOXIGEN])
    experiment = client(root).get_experiment_by_name("hornbook").experiment_id
    names = [run.info.run_name for run in client(root).search_runs([experiment])]
    assert len([name for name in names if name.startswith("graph ")]) == 1
    assert len(load(root)) >= 1


def test_usage_is_counted_and_ends(monkeypatch):
    monkeypatch.setattr("hornbook.measure.usage.FIRST_SECONDS", 0.05)
    usage = Usage()
    busy = time.monotonic() + 0.4
    while time.monotonic() < busy:
        sum(range(1000))
    points = usage.stop()
    assert points
    assert max(one["metrics"]["system/stage_cpu_cores"] for one in points) > 0.2
    count = len(points)
    time.sleep(0.2)
    assert len(points) == count


def test_an_import_of_torch_that_is_going_on_does_not_end_the_count(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))  # as its import begins
    monkeypatch.setattr("hornbook.measure.usage.FIRST_SECONDS", 0.05)
    usage = Usage()
    time.sleep(0.4)
    points = usage.stop()
    assert len(points) > 1
    assert not [key for key in points[0]["metrics"] if "gpu" in key]


def test_a_long_stage_has_no_more_points_than_a_short_one(monkeypatch):
    monkeypatch.setattr("hornbook.measure.usage.FIRST_SECONDS", 0.001)
    monkeypatch.setattr("hornbook.measure.usage.MOST_POINTS", 8)
    usage = Usage()
    time.sleep(0.8)
    points = usage.stop()
    assert 1 <= len(points) <= 8
    assert points[-1]["seconds"] > 0.2
