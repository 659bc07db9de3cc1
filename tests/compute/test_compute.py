"""The map over shards: order, resume, the loss of workers, errors."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hornbook.compute import Shard, map_shards
from hornbook.errors import InputError, StageError
from tests.compute.work import deadly, doubled, refusing
from tests.made_run import file_bytes, made_run


def shards(count: int = 9, **more: object) -> list[Shard]:
    return [Shard(f"{n:05d}", {"number": n, **more}, 100 + n) for n in range(count)]


def run_in(root, workers: int = 2):
    return made_run(root, "web_corpus", reads=[], params={}, workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_shards(tmp_path, workers):
    done = map_shards(run_in(tmp_path, workers), "doubling", doubled, shards())
    assert [one.facts["number"] for one in done] == list(range(9))
    assert [(one.folder / "out.txt").read_text() for one in done] == [str(2 * n) for n in range(9)]


def test_the_number_of_workers_changes_no_byte(tmp_path):
    found = []
    for workers in (1, 2):
        run = run_in(tmp_path / str(workers), workers)
        map_shards(run, "doubling", doubled, shards())
        found.append(file_bytes(run.pending / "doubling"))
    assert found[0] == found[1]


def test_two_workers_are_two_processes(tmp_path):
    meet = tmp_path / "meet"
    meet.mkdir()
    done = map_shards(run_in(tmp_path), "doubling", doubled, shards(4, meet=str(meet)))
    assert len({one.facts["pid"] for one in done}) == 2


def test_what_workers_used_is_accounted_for_once(tmp_path):
    run = run_in(tmp_path)
    map_shards(run, "doubling", doubled, shards())
    assert run.workers_cpu_seconds > 0
    assert 10 < run.workers_peak_rss_mib < 2000
    alone = run_in(tmp_path / "alone", workers=1)
    map_shards(alone, "doubling", doubled, shards())
    assert alone.workers_cpu_seconds == 0


def test_finished_shards_are_not_worked_on_again(tmp_path):
    mark = str(tmp_path / "marks")
    run = run_in(tmp_path)
    with pytest.raises(InputError, match="number 5 is damaged"):
        map_shards(run, "doubling", refusing, shards(mark=mark))
    finished = {p.name.split("-")[0] for p in (tmp_path / "marks").iterdir()}
    done = map_shards(run, "doubling", doubled, shards(mark=mark))
    assert [one.facts["number"] for one in done] == list(range(9))
    calls = [p.name.split("-")[0] for p in (tmp_path / "marks").iterdir()]
    assert sorted(calls) == sorted(set(calls))
    assert finished


def test_a_worker_that_dies_once_costs_its_shard_a_second_try(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    done = map_shards(run_in(tmp_path), "step", deadly, shards(marks=str(marks), lives=1))
    assert [(one.folder / "out.txt").read_text() for one in done] == [str(2 * n) for n in range(9)]
    assert not any((one.folder / "half.txt").exists() for one in done)


def test_a_shard_that_always_kills_its_worker_is_named(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    with pytest.raises(StageError, match=r"died 3 times.*00003.*HORNBOOK_WORKERS=1"):
        map_shards(run_in(tmp_path), "step", deadly, shards(marks=str(marks), lives=99))


def test_progress_counts_the_bytes_of_what_was_done_before(tmp_path, capsys):
    run = run_in(tmp_path, workers=1)
    map_shards(run, "doubling", doubled, shards())
    map_shards(run, "doubling", doubled, shards())
    assert capsys.readouterr().out.count("936/936 bytes 100%") == 2


def test_no_worker_outlives_a_killed_stage(tmp_path):
    root = Path(__file__).resolve().parents[2]
    meet = tmp_path / "meet"
    meet.mkdir()
    script = tmp_path / "stage.py"
    script.write_text(
        "import sys, pathlib\n"
        "from tests.compute.test_compute import map_shards, run_in, shards\n"
        "from tests.compute.work import sleeping\n"
        "if __name__ == '__main__':\n"
        "    place = pathlib.Path(sys.argv[1])\n"
        "    map_shards(run_in(place), 'step', sleeping, shards(2, meet=str(place / 'meet')))\n"
    )
    path = os.pathsep.join((str(root), str(root / "src")))
    stage = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], env=os.environ | {"PYTHONPATH": path}
    )
    until = time.monotonic() + 60
    while len(list(meet.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    workers = [int(file.name) for file in meet.iterdir()]
    assert len(workers) == 2
    stage.kill()
    stage.wait()
    until = time.monotonic() + 10
    while any(psutil.pid_exists(one) for one in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(psutil.pid_exists(one) for one in workers)


@pytest.fixture(scope="module")
def two_nodes():
    """A Ray cluster of two nodes on this machine."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    cluster.add_node(num_cpus=1)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_ADDRESS", cluster.address)
        yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_ray_gives_the_bytes_of_this_process_though_a_worker_is_killed(tmp_path, two_nodes):
    marks = tmp_path / "marks"
    marks.mkdir()
    work = shards(marks=str(marks), lives=1)
    alone = run_in(tmp_path / "alone", workers=1)
    (marks / "0").touch()
    map_shards(alone, "step", deadly, work)
    (marks / "0").unlink()
    spread = run_in(tmp_path / "spread")
    spread.runtime = replace(spread.runtime, compute="ray")
    map_shards(spread, "step", deadly, work)
    assert len(list(marks.iterdir())) == 1
    assert file_bytes(spread.pending / "step") == file_bytes(alone.pending / "step")


def test_an_error_of_the_work_comes_back_from_ray_as_it_is(tmp_path, two_nodes):
    run = run_in(tmp_path)
    run.runtime = replace(run.runtime, compute="ray")
    with pytest.raises(InputError, match="number 5 is damaged"):
        map_shards(run, "step", refusing, shards())
