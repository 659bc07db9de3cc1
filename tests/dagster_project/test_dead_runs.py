"""A run whose process was killed is failed, so that it holds no slot and hides nothing."""

import os
import subprocess
import sys

import dagster as dg
import pytest

from dagster_project.dead_runs import end_dead_runs


@pytest.fixture
def instance(monkeypatch):
    monkeypatch.delenv("HORNBOOK_POSTGRES_URL", raising=False)
    with dg.DagsterInstance.ephemeral() as one:
        yield one


@dg.op
def nothing() -> None:
    pass


@dg.job
def some() -> None:
    nothing()


def started(instance, process):
    run = instance.create_run_for_job(some, status=dg.DagsterRunStatus.STARTED)
    instance.report_engine_event(f"Started process for run (pid: {process}).", run)
    return run.run_id


def status(instance, run):
    return instance.get_run_by_id(run).status


def test_a_run_whose_process_is_gone_is_failed_with_what_to_do(instance):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run = started(instance, gone.pid)
    assert end_dead_runs(instance) == [run]
    assert status(instance, run) == dg.DagsterRunStatus.FAILURE
    told = [entry.message for entry in instance.all_logs(run)]
    assert any("launch it again" in text for text in told)


def test_a_run_whose_process_lives_goes_on(instance):
    run = started(instance, os.getpid())
    assert end_dead_runs(instance) == []
    assert status(instance, run) == dg.DagsterRunStatus.STARTED


def test_a_later_process_of_the_same_number_is_another(instance, monkeypatch):
    run = started(instance, os.getpid())
    monkeypatch.setattr("dagster_project.dead_runs.SECONDS", -1e9)
    assert end_dead_runs(instance) == [run]


def test_a_run_that_has_not_said_where_it_runs_is_left_alone(instance):
    run = instance.create_run_for_job(some, status=dg.DagsterRunStatus.STARTED).run_id
    assert end_dead_runs(instance) == []
    assert status(instance, run) == dg.DagsterRunStatus.STARTED


def test_a_run_that_never_came_to_its_start_is_failed_after_a_while(instance, monkeypatch):
    run = instance.create_run_for_job(some, status=dg.DagsterRunStatus.STARTING).run_id
    assert end_dead_runs(instance) == []
    monkeypatch.setattr("dagster_project.dead_runs.START_SECONDS", -1.0)
    assert end_dead_runs(instance) == [run]
    assert status(instance, run) == dg.DagsterRunStatus.FAILURE


def test_processes_of_other_machines_are_not_judged(instance, monkeypatch):
    monkeypatch.setenv("HORNBOOK_POSTGRES_URL", "postgresql://somewhere/dagster")
    run = started(instance, 2**22 - 1)
    assert end_dead_runs(instance) == []
    assert status(instance, run) == dg.DagsterRunStatus.STARTED
