"""Which stages share what, and how many of them at a time."""

import dataclasses
from pathlib import Path

import dagster as dg
import pytest
import yaml

from dagster_project import ui
from dagster_project.pools import limits, pool_of, set_slots
from hornbook.compose import compose
from hornbook.errors import ConfigError
from hornbook.lineage.manifest import load_graph
from hornbook.runtime import load_runtime

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runtime():
    return load_runtime(ROOT)


def pools(runtime, *overrides) -> dict[str, str]:
    graph = load_graph(ROOT, params=compose(ROOT, overrides))
    return {n: pool_of(s, graph, runtime) for n, s in graph.stages.items()}


def test_on_a_laptop_everything_shares_the_cores(runtime):
    assert set(pools(runtime).values()) == {"cpu"}


def test_what_runs_on_the_gpu_goes_one_by_one(runtime):
    found = pools(runtime, "train.device=cuda")
    assert {name for name, pool in found.items() if pool == "gpu"} == {
        "train@phi-1_5",
        "train@phi-1_5-web",
        "train@phi-1_5-web-only",
    }
    assert runtime.gpu_jobs == 1


def test_stages_that_ask_an_endpoint_share_it_and_leave_the_cores_alone(runtime):
    asking = dataclasses.replace(runtime, teacher_url="http://127.0.0.1:1/v1")
    found = pools(asking)
    assert found["book_answers"] == found["web_annotations"] == "endpoint"
    assert found["web_filter"] == "cpu"


def test_the_limits_of_the_runtime_reach_the_instance_and_the_executor(runtime):
    mine = dataclasses.replace(runtime, jobs=5, gpu_jobs=2, endpoint_jobs=3)
    assert {(one["value"], one["limit"]) for one in limits(mine)} == {
        ("cpu", 5),
        ("gpu", 2),
        ("endpoint", 3),
    }
    with dg.instance_for_test() as instance:
        set_slots(instance, mine)
        known = {p.name: p.limit for p in instance.event_log_storage.get_pool_limits()}
    assert known == {"cpu": 5, "gpu": 2, "endpoint": 3}


def test_a_pool_without_room_is_refused(monkeypatch):
    monkeypatch.setenv("HORNBOOK_GPU_JOBS", "0")
    with pytest.raises(ConfigError, match="HORNBOOK_GPU_JOBS"):
        load_runtime(ROOT)


def test_the_home_gets_what_it_lacks_and_keeps_what_is_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.delenv("HORNBOOK_POSTGRES_URL", raising=False)
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\nretention: {}\n")
    ui.prepare_home()
    settings = yaml.safe_load((tmp_path / "dagster.yaml").read_text())
    assert settings["concurrency"] == {"pools": {"granularity": "op"}}
    assert settings["retention"] == {}
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        known = {p.name: p.limit for p in instance.event_log_storage.get_pool_limits()}
    assert known["gpu"] == load_runtime(ROOT).gpu_jobs
