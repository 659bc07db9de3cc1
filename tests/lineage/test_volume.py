"""What a graph that was measured at one scale says of another."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hornbook.compose import compose
from hornbook.errors import InputError
from hornbook.lineage.manifest import Graph, load_graph, load_lock
from hornbook.lineage.past import NEWEST, Past, Takes
from hornbook.lineage.shortfall import shortfalls
from hornbook.lineage.volume import Volumes, value_at

ROOT = Path(__file__).resolve().parents[2]
LOCK = load_lock(ROOT)


def graph_of(root: Path, *overrides: str) -> Graph:
    """The graph of the checkout with other values, its artifacts below `root`."""
    values: Mapping[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params = compose(ROOT, overrides) if overrides else values
    return replace(load_graph(ROOT, params=params), root=root)


def measure(root: Path, name: str, **values: Any) -> None:
    folder = root / ".hornbook" / "measurements"
    folder.mkdir(parents=True, exist_ok=True)
    taken = {"seconds": 20.0, "cpu_seconds": 10.0, "fixed_seconds": 8.0} | values
    (folder / f"{name}.json").write_text(json.dumps(taken))


def summary(root: Path, artifact: str, **values: Any) -> None:
    folder = root / "artifacts" / artifact
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(values))


def takes(root: Path, name: str, *overrides: str, device: str | None = None) -> Takes:
    return Past(graph_of(root, *overrides), LOCK, root, device).takes(name)


@pytest.mark.parametrize(
    "name", ["book_answers", "tokens@web", "train@phi-1_5", "toxigen@phi-1_5", "topic_seeds"]
)
def test_as_much_as_was_recorded_takes_as_long(tmp_path, name):
    measure(tmp_path, name)
    found = takes(tmp_path, name)
    assert (found.seconds, found.cpu_seconds, found.basis) == (20.0, 10.0, NEWEST)
    assert found.bytes == sum(LOCK[name].sizes.values())


def test_a_count_of_conf_is_what_the_time_goes_by_but_for_the_start(tmp_path):
    measure(tmp_path, "book_answers")
    found = takes(tmp_path, "book_answers", "books.answers.count=18000")
    assert (found.seconds, found.cpu_seconds) == (8 + 12 * 2, 8 + 2 * 2)
    assert found.basis == "2 x its newest run here, by books.answers.count"
    assert found.bytes == 2 * sum(LOCK["book_answers"].sizes.values())


def test_what_follows_grows_with_what_it_reads_and_what_is_beside_it_does_not(tmp_path):
    for name in ("tokens@books", "tokens@web", "dedup@web"):
        measure(tmp_path, name)
    more = "books.answers.count=90000"
    read = LOCK["tokens@books"].read
    own = read["artifacts/clean/decontaminated/books"]
    rest = read["artifacts/tokens/tokenizer"]
    factor = takes(tmp_path, "tokens@books", more)
    # decontamination reads the benchmarks too, which do not grow
    assert factor.seconds == pytest.approx(8 + 12 * (8.8 * own + rest) / (own + rest), rel=0.05)
    assert takes(tmp_path, "tokens@web", more).basis == NEWEST
    # it looks everything up in ten times as many books, and writes what it did before
    web = takes(tmp_path, "dedup@web", more)
    assert "by bytes read" in web.basis
    assert web.bytes == sum(LOCK["dedup@web"].sizes.values())


def test_a_measurement_at_another_scale_says_how_much_it_did(tmp_path):
    measure(tmp_path, "book_answers", work=360.0, place="procedural")
    found = takes(tmp_path, "book_answers")
    assert found.seconds == pytest.approx(8 + 12 * 9000 / 360)
    assert found.basis == "25 x its newest run here, by books.answers.count"


def test_a_larger_model_takes_longer_and_is_larger(tmp_path):
    for name in ("train@phi-1_5", "toxigen@phi-1_5"):
        measure(tmp_path, name, fixed_seconds=0.0)
    for name in ("train@phi-1_5", "toxigen@phi-1_5"):
        found = takes(tmp_path, name, "model.width=256", "model.mlp_width=1024")
        assert found.seconds is not None
        assert 60 < found.seconds < 80  # a little less than four times the operations
    size = sum(LOCK["train@phi-1_5"].sizes.values())
    found = takes(tmp_path, "train@phi-1_5", "model.width=256", "model.mlp_width=1024")
    assert found.bytes is not None
    assert 2.5 * size < found.bytes < 4 * size
    twice = takes(tmp_path, "train@phi-1_5", "mixture.variants.phi-1_5.budget_tokens=5000000")
    assert twice.seconds == pytest.approx(40)


def test_at_paper_scale_a_training_goes_by_what_was_published(tmp_path):
    measure(tmp_path, "train@phi-1_5")
    measure(tmp_path, "toxigen@phi-1_5")
    found = takes(tmp_path, "train@phi-1_5", "scale=paper")
    assert found.gpu_hours is not None
    assert found.seconds is not None
    # 6 x 1.4B x 150B operations at 46 % of 312 TFLOP/s are about 2,300 hours
    assert found.gpu_hours == pytest.approx(2290, rel=0.02)
    assert found.seconds == pytest.approx(found.gpu_hours * 3600 / 32)
    assert found.basis == "32 x A100-40G at the pace of phi-1, 8 A100"
    faster = takes(tmp_path, "train@phi-1_5", "scale=paper", device="H100-80G")
    assert faster.gpu_hours is not None
    assert faster.gpu_hours < found.gpu_hours / 2
    with pytest.raises(InputError, match=r"'A99' is not known; there are V100-16G"):
        takes(tmp_path, "train@phi-1_5", "scale=paper", device="A99")
    elsewhere = takes(tmp_path, "toxigen@phi-1_5", "scale=paper")
    assert (elsewhere.seconds, elsewhere.basis) == (None, "never run on cuda")


def test_a_teacher_that_is_paid_costs_its_tokens_and_nobody_knows_how_fast_it_is(tmp_path):
    measure(tmp_path, "web_annotations")
    summary(tmp_path, "web/annotations", prompt_tokens=1_000_000, completion_tokens=100_000)
    overrides = ("teacher=openai", "web.annotations.sample=6000")
    found = takes(tmp_path, "web_annotations", *overrides)
    assert found.cost_usd == pytest.approx(10 * (0.15 + 0.06))
    assert (found.seconds, found.basis) == (None, "never run on gpt-4o-mini")
    assert takes(tmp_path, "web_annotations").cost_usd is None


def test_what_conf_leaves_open_is_not_guessed(tmp_path):
    measure(tmp_path, "topic_seeds")
    found = takes(tmp_path, "topic_seeds", "topics.selection.count=100")
    assert (found.seconds, found.basis) == (None, "topics.selection.count: not measured here")


def test_a_mixture_that_nothing_can_fill_is_named_before_the_run(tmp_path):
    for corpus in ("books", "code", "web"):
        summary(tmp_path, f"tokens/{corpus}", splits={"train": {"tokens": 400_000}})
    graph = graph_of(tmp_path, "scale=paper")
    head, *told = shortfalls(graph, LOCK, ["tokens@web", "mixture@phi-1_5-web-only"])
    assert head.startswith("mixture@phi-1_5-web-only would be refused")
    assert "  web: 88,000,000,000 tokens, of 400,000 there: 87,999,600,000 are missing" in told
    # also what lasts too short a time; answers of another teacher may be of any length
    longer = graph_of(tmp_path, "mixture.variants.phi-1_5.budget_tokens=500000000")
    _, books, code = shortfalls(longer, LOCK, ["mixture@phi-1_5"])
    assert (
        books == "  books: 500,000,000 tokens x 4/5 = 400,000,000, of 400,000 there: 1000.00 epochs"
    )
    assert code.startswith("  code: ")
    other = graph_of(tmp_path, "scale=paper", "teacher=openai")
    assert not any("books" in line for line in shortfalls(other, LOCK, ["mixture@phi-1_5"]))
    enough = graph_of(tmp_path, "mixture.variants.phi-1_5.budget_tokens=2000000")
    assert shortfalls(enough, LOCK, ["mixture@phi-1_5"]) == []
    growth = Volumes(graph, LOCK).growth("book_answers")
    assert growth == pytest.approx(25_000_000 / 9000)


def test_values_are_found_in_trees_and_in_records():
    assert value_at({"a": {"b": {"c": 1}}}, "a.b.c") == 1
    assert value_at({"a.b": {"c": 2}}, "a.b.c") == 2
    assert value_at({"a.b": 3}, "a.b.c") is None
    assert value_at({}, "a") is None
