"""The whole graph at scale=smoke, in a clone whose path has a space, with DVC alone afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hornbook.experiment.commands import describe
from hornbook.lineage.manifest import load_graph

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


class Clone:
    """A checkout with the commands a person would type."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, ok: tuple[int, ...] = (0,)) -> str:
        here = str(Path(sys.executable).parent)
        done = subprocess.run(
            command,
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ
            | {
                "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": "src",
                "DVC_NO_ANALYTICS": "1",
            },
        )
        assert done.returncode in ok, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout + done.stderr

    def hornbook(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
        return self.run(sys.executable, "-m", "hornbook", *arguments, ok=ok)

    def lock(self) -> dict:
        return yaml.safe_load((self.root / "dvc.lock").read_text())


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone in which the whole graph ran once."""
    root = tmp_path_factory.mktemp("graph") / "a clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(root)], check=True)
    one = Clone(root)
    one.run("git", "config", "filter.hornbook-lock.clean", "python -m hornbook.lineage.lock_filter")
    told = one.hornbook("demo", "scale=smoke")
    assert "index.html" in told
    return one


def test_a_second_run_has_nothing_to_do(clone):
    assert "nothing to do" in clone.hornbook("run")
    assert "up to date" in clone.run("dvc", "status")


def test_dvc_alone_shows_metrics_graph_and_plots(clone):
    assert "train/phi-1_5/metrics.json" in clone.run("dvc", "metrics", "show")
    assert "train@phi-1_5" in clone.run("dvc", "dag", "--dot")
    assert "train" in clone.run("dvc", "params", "diff", "--all", "HEAD")
    clone.run("dvc", "plots", "show", "--out", "dvc_plots")
    assert (clone.root / "dvc_plots" / "index.html").exists()


def test_artifacts_travel_through_a_remote(clone, tmp_path):
    clone.run("dvc", "remote", "add", "--local", "--force", "--default", "far", str(tmp_path))
    clone.run("dvc", "push", "web_filter")
    before = (clone.root / "artifacts/web/filtered/part-00000.parquet").read_bytes()
    subprocess.run(
        ["rm", "-rf", "artifacts/web/filtered", ".dvc/cache"], cwd=clone.root, check=True
    )
    clone.run("dvc", "pull", "web_filter")
    assert (clone.root / "artifacts/web/filtered/part-00000.parquet").read_bytes() == before
    clone.run("dvc", "commit", "--force")  # fills the cache again


def test_the_same_inputs_give_the_same_bytes(clone):
    before = clone.lock()
    families = (
        "topic_proposals",
        "topic_seeds",
        "book_excerpts",
        "book_answers",
        "synthetic_books",
        "web_corpus",
        "code_corpus",
    )
    for family in (*families, "web_classifier", "train@phi-1_5"):
        clone.run("dvc", "repro", "--single-item", "--force", "--no-run-cache", family)
    assert clone.lock() == before


def test_a_threshold_makes_stale_exactly_the_branches_with_web_data(clone):
    clone.hornbook("compose", "scale=smoke", "web.filter.threshold=2.7")
    found = json.loads(clone.hornbook("status", "--json", ok=(0, 1)))
    graph = load_graph(clone.root)
    assert set(found) == {"web_filter"} | graph.descendants(["web_filter"])
    assert "train@phi-1_5" not in found
    assert "web.filter.threshold" in found["web_filter"][0]
    clone.hornbook("compose", "scale=smoke")
    assert "up to date" in clone.hornbook("status")


def test_a_stage_with_a_broken_input_ends_in_one_message_and_loses_nothing(clone):
    crawl = clone.root / "data" / "web" / "crawl-00000.warc.gz"
    content = crawl.read_bytes()
    crawl.unlink()
    crawl.write_bytes(b"")
    try:
        told = clone.hornbook("run", "web_corpus", ok=(2,))
        assert "crawl-00000.warc.gz is empty" in told
        assert (clone.root / "artifacts/web/corpus/part-00000.parquet").exists()
    finally:
        crawl.write_bytes(content)
    clone.hornbook("run", "web_corpus")


def test_an_unreachable_teacher_is_named(clone):
    clone.hornbook("compose", "scale=smoke", "books.answers.count=361")
    environment = {"HORNBOOK_TEACHER_URL": "http://127.0.0.1:9/v1"}
    os.environ.update(environment)
    try:
        told = clone.hornbook("run", "book_answers", ok=(2,))
    finally:
        for name in environment:
            del os.environ[name]
        clone.hornbook("compose", "scale=smoke")
    assert "http://127.0.0.1:9/v1 cannot be reached" in told
    assert (clone.root / "artifacts/books/answers/part-00000.parquet").exists()


def test_an_experiment_leaves_the_work_tree_clean_and_is_explained(clone):
    clone.run(
        "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qam", "smoke"
    )
    before = clone.run("git", "status", "--short")
    clone.hornbook(
        "experiment", "run", "strict", "scale=smoke", "web.filter.threshold=2.7",
        "--target", "web_filter",
    )  # fmt: skip
    assert clone.run("git", "status", "--short") == before
    told = clone.hornbook("diff", "HEAD", "strict", "--stage", "web_filter")
    assert told.splitlines()[0].split() == ["first", "cause", "web_filter"]
    assert "web.filter.threshold: 2.5 -> 2.7" in told


def test_a_further_seed_trains_every_variant_again_and_widens_the_errors(clone):
    before = clone.run("git", "status", "--short")
    clone.hornbook(
        "experiment", "run", "two-seeds", "scale=smoke", "seeds=[0,1]", "--target", "report"
    )
    assert clone.run("git", "status", "--short") == before
    told = clone.hornbook("diff", "HEAD", "two-seeds", "--json")
    verdicts = {one["stage"]: one["verdict"] for one in json.loads(told)}
    variants = ("phi-1_5", "phi-1_5-web", "phi-1_5-web-only")
    assert {stage for stage, verdict in verdicts.items() if verdict == "added"} == {
        "seed_scores@1",
        *(f"{family}_seed@{v}-1" for family in ("train", "evaluate", "toxigen") for v in variants),
    }
    assert set(verdicts) - {s for s, v in verdicts.items() if v == "added"} == {
        "benchmark_tables",
        "toxigen_plots",
        "report",
    }, "nothing of seed 0 is trained or evaluated again"
    tables = describe(clone.root, "two-seeds").tables
    assert "means over the seeds 0, 1 of training" in tables
    assert "| mind | acc | phi-1_5-web |" in tables.partition("## By seed")[2]
