"""The stage on a Ray cluster of two nodes that loses a worker and then a node."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hornbook.sample.crawl import files
from hornbook.web.corpus import web_corpus
from tests.made_run import file_bytes
from tests.web.test_corpus import made, put

pytestmark = pytest.mark.slow
COPIES = 24


def crawl(root: Path) -> None:
    """The sample's crawl many times under other names; one shard each."""
    for copy in range(COPIES):
        for name, content in files(60, copy).items():
            put(root, f"{copy:02d}-{name}", content)


def kill_a_busy_worker(killed: list[int]) -> None:
    """End one process that works on a shard as soon as there is one, without a warning."""
    until = time.monotonic() + 120
    while not killed and time.monotonic() < until:
        for process in psutil.process_iter(["cmdline"]):
            if (process.info["cmdline"] or [""])[0].startswith("ray::worked"):
                os.kill(process.pid, signal.SIGKILL)
                killed.append(process.pid)
                return
        time.sleep(0.01)


def test_the_corpus_is_the_same_though_a_worker_and_a_node_are_lost(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    crawl(tmp_path / "alone")
    crawl(tmp_path / "spread")
    alone = made(tmp_path / "alone", workers=1, shard_bytes=1)
    web_corpus(alone)

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    second = cluster.add_node(num_cpus=1)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    killed: list[int] = []
    watcher = threading.Thread(target=kill_a_busy_worker, args=(killed,))
    watcher.start()
    leaver = threading.Timer(8, cluster.remove_node, args=(second, False))
    leaver.start()
    try:
        run = made(tmp_path / "spread", workers=2, shard_bytes=1)
        run.runtime = replace(run.runtime, compute="ray")
        web_corpus(run)
    finally:
        leaver.cancel()
        watcher.join()
        ray.shutdown()
        cluster.shutdown()
    assert len(killed) == 1
    assert file_bytes(run.out) == file_bytes(alone.out)
