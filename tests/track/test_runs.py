"""MLflow has one run for each artifact of a trained or evaluated variant, and only one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hornbook.artifacts import read_json, write_json
from hornbook.errors import ArtifactError, ConfigError
from hornbook.lineage.manifest import load_graph, load_lock
from hornbook.track.index import load, tracking_uri
from hornbook.track.records import name, numeric, read_record
from hornbook.track.runs import FAMILIES, main, track, tracked
from tests.report.made_models import REASON
from tests.report.sample import write_lock, write_workspace

ROOT = Path(__file__).resolve().parents[2]
MEASURED = {"seconds": 151.0, "tokens_per_second": 16_556.0}


@pytest.fixture(autouse=True)
def _local_store(monkeypatch):
    for variable in ("MLFLOW_TRACKING_URI", "HORNBOOK_HOME"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A workspace in git whose runs were written, with measurements of two stages."""
    folder = write_workspace(tmp_path_factory.mktemp("a workspace"))
    for command in (["init", "-q"], ["add", "dvc.yaml", "dvc.lock"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, "commit", "-qm", "all"], cwd=folder, check=True)
    out_hash = load_lock(folder)["train@phi-1_5"].out_hash
    file = folder / ".hornbook/measurements/train@phi-1_5.json"
    write_json(file, {**MEASURED, "out_hash": out_hash})
    out_hash = load_lock(folder)["perplexity@phi-1_5-web"].out_hash
    written = {"inference": {"ms_per_token": 0.4, "device": "A"}, "out_hash": out_hash}
    write_json(file.with_name("perplexity@phi-1_5-web.json"), written)
    track(folder)
    return folder


@pytest.fixture(scope="module")
def client(root):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri(root))


def run_of(root, client, stage):
    return client.get_run(tracked(root)[stage]["run_id"])


def test_each_training_evaluation_perplexity_and_safety_score_has_a_run(root):
    families = [stage.partition("@")[0] for stage in tracked(root)]
    assert {f: families.count(f) for f in families} == {
        "train": 3, "evaluate": 12, "perplexity": 3, "toxigen": 3, "red_team": 3
    }  # fmt: skip


def test_models_of_further_seeds_have_runs_with_variant_and_seed(tmp_path):
    root = write_workspace(tmp_path, (0, 1))
    lock = load_lock(root)
    found = {
        stage.family: read_record(root, stage, lock[stage.name])
        for stage in load_graph(root).stages.values()
        if stage.family in FAMILIES and stage.name.endswith("@phi-1_5-web-1")
    }
    assert set(found) == {"train_seed", "evaluate_seed", "toxigen_seed"}
    for family, record in found.items():
        assert record.stage == f"{family}@phi-1_5-web-1", "the name of the run"
        assert (record.tags["variant"], record.tags["seed"]) == ("phi-1_5-web", "1")
    assert found["train_seed"].curve
    metrics = found["evaluate_seed"].metrics
    assert {"piqa/acc", "mbpp/pass_at_1", "micro_mind/acc_stderr"} <= set(metrics)
    assert json.loads(found["evaluate_seed"].tags["not_run"]) == {"humaneval": REASON}


def test_models_that_were_not_trained_here_have_runs_that_say_what_they_are(tmp_path):
    root = write_workspace(tmp_path, models=("wide", "narrow"))
    lock = load_lock(root)
    found = {
        stage.family: read_record(root, stage, lock[stage.name])
        for stage in load_graph(root).stages.values()
        if stage.family in FAMILIES and stage.instance == "narrow"
    }
    assert set(found) == {"evaluate_compared", "toxigen_compared"}
    assert {record.tags["variant"] for record in found.values()} == {"narrow"}
    asked = found["evaluate_compared"]
    assert asked.tags["model.architecture"] == "GPT2LMHeadModel"
    assert asked.tags["model.hub"].startswith("someone/narrow@")
    assert {"piqa/acc", "micro_mind/acc_stderr"} <= set(asked.metrics)
    assert json.loads(asked.tags["not_run"]) == {"humaneval": REASON}


def test_tracking_again_writes_nothing_even_when_the_index_is_lost(root, client):
    before = tracked(root)
    assert len(track(root)) == 24
    index = root / ".hornbook/mlflow/index.json"
    kept = index.read_text("utf-8")
    index.unlink()
    assert len(track(root)) == 24
    assert tracked(root) == before
    assert json.loads(index.read_text("utf-8")) == json.loads(kept)
    experiment = client.get_experiment_by_name("hornbook").experiment_id
    runs = client.search_runs([experiment])
    assert len(runs) == 24 + 1, "and the graph run above them"


def test_a_run_names_revision_stage_hash_and_variant(root, client):
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()
    tags = run_of(root, client, "evaluate@phi-1_5-web-micro").data.tags
    assert tags["git.revision"] == head
    assert tags["dvc.stage"] == "evaluate@phi-1_5-web-micro"
    assert tags["dvc.hash"] == load_lock(root)["evaluate@phi-1_5-web-micro"].out_hash
    assert (tags["variant"], tags["suite"]) == ("phi-1_5-web", "micro")
    assert tags["report"] == "artifacts/report/page/artifact-evaluate-phi-1_5-web-micro.html"


def test_a_training_has_parameters_curve_throughput_and_shape(root, client):
    run = run_of(root, client, "train@phi-1_5")
    assert run.info.status == "FINISHED"
    assert run.data.params == {"train.lr": "0.006", "model.layers": "4"}
    assert run.data.tags["model.parameters"] == "1323008"
    assert run.data.tags["model.hidden_size"] == "128"
    assert run.data.metrics["measured/tokens_per_second"] == 16_556.0
    curve = client.get_metric_history(run.info.run_id, "curves/loss")
    assert [point.step for point in curve] == list(range(1, 2442, 4))
    assert (run.info.end_time - run.info.start_time) == 151_000


def test_measurements_of_other_bytes_are_not_joined(root):
    other = root / ".hornbook/measurements/train@phi-1_5-web.json"
    write_json(other, {**MEASURED, "out_hash": "of other bytes"})
    stage = load_graph(root).stages["train@phi-1_5-web"]
    record = read_record(root, stage, load_lock(root)[stage.name])
    assert record.seconds is None
    assert not [key for key in record.metrics if key.startswith("measured/")]


def test_an_evaluation_has_every_score_with_its_error_and_reasons_for_the_rest(root, client):
    run = run_of(root, client, "evaluate@phi-1_5-code")
    assert run.data.metrics["mbpp/pass_at_1"] == 0.012
    assert run.data.metrics["mbpp/pass_at_1_stderr"] == 0.021
    assert "humaneval/pass_at_1" not in run.data.metrics
    assert json.loads(run.data.tags["not_run"]) == {"humaneval": REASON}


def test_perplexity_has_a_metric_for_each_corpus_and_each_of_its_domains(root, client):
    run = run_of(root, client, "perplexity@phi-1_5-web")
    metrics = run.data.metrics
    assert (metrics["books/perplexity"], metrics["books/perplexity_stderr"]) == (5.5, 0.045)
    assert metrics["web/science/perplexity"] == 2005.5
    assert (metrics["web/loss"], metrics["web/science/tokens"]) == (1.5, 12_800)
    assert "web/science/perplexity_stderr" not in metrics, "of one document there is none"
    assert run.data.tags["variant"] == "phi-1_5-web"
    assert metrics["measured/inference/ms_per_token"] == 0.4


def test_a_dagster_run_is_named_once(root, client):
    first = track(root, dagster_run_id="run-1", stages=["toxigen@phi-1_5"])
    track(root, dagster_run_id="run-2", stages=["toxigen@phi-1_5"])
    assert client.get_run(first[0].run_id).data.tags["dagster.run_id"] == "run-1"


def test_a_half_written_run_is_replaced(root, client):
    stage = "toxigen@phi-1_5-web"
    link = tracked(root)[stage]
    client.update_run(link["run_id"], status="RUNNING")
    (root / ".hornbook/mlflow/index.json").unlink()
    track(root)
    assert tracked(root)[stage]["run_id"] != link["run_id"]
    assert client.get_run(link["run_id"]).info.lifecycle_stage == "deleted"


def test_nothing_new_costs_no_import_of_mlflow_and_little_time(root):
    code = (
        "import sys; from pathlib import Path; from hornbook.track.runs import track, tracked;"
        f"root = Path({str(root)!r}); assert len(track(root)) == len(tracked(root)) == 24;"
        "assert not [m for m in ('mlflow', 'pandas', 'torch') if m in sys.modules]"
    )
    before = os.times()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    after = os.times()  # processor time, because other processes may keep this one waiting
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 1.5


def test_new_bytes_get_a_run_of_their_own(tmp_path):
    stage = "toxigen@phi-1_5"
    folder = write_workspace(tmp_path)
    first = track(folder, stages=[stage])[0]
    file = folder / "artifacts/toxigen/phi-1_5/scores.json"
    write_json(file, read_json(file) | {"score": 0.9})
    (folder / ".hornbook/mlflow/index.json").unlink()
    with pytest.raises(ArtifactError, match=r"not the recorded one.*dvc checkout"):
        track(folder, stages=[stage])
    write_lock(folder)
    second = track(folder, stages=[stage])[0]
    assert second.run_id != first.run_id
    assert set(load(folder)) >= {(stage, second.dvc_hash)}


def test_without_stages_an_artifact_that_is_not_here_is_left_out(root):
    file = root / "artifacts/toxigen/phi-1_5-web-only/scores.json"
    content, index = file.read_text("utf-8"), root / ".hornbook/mlflow/index.json"
    kept = index.read_text("utf-8")
    try:
        file.unlink()
        index.unlink()
        assert len(track(root)) == 23
    finally:
        file.write_text(content)
        index.write_text(kept)


def test_a_stage_without_a_run_is_refused(root):
    with pytest.raises(ConfigError, match=r"'topic_seeds' has no MLflow run.*train@phi-1_5"):
        track(root, stages=["topic_seeds"])


def test_the_command_tells_how_many_are_new(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    assert main([]) == 0
    assert capsys.readouterr().out == "24 runs in MLflow, 0 of them new\n"


def test_names_have_only_the_characters_that_mlflow_takes():
    assert name("pass@1 (strict)") == "pass_at_1 _strict_"


def test_only_finite_numbers_become_metrics():
    values = {"a": {"b": 1, "c": True, "d": None, "e": float("nan")}, "f": "text", "g": 0.5}
    assert numeric(values) == {"a/b": 1.0, "g": 0.5}
