"""Identity and execution are apart: each value of params.yaml has its stages, runtime none."""

from dataclasses import fields
from pathlib import Path

import pytest

from hornbook.lineage import compared
from hornbook.lineage.code import required
from hornbook.lineage.further_seeds import NOTHING, REPEATED, further_seeds
from hornbook.lineage.manifest import load_graph, lookup
from hornbook.lineage.workspace import Hasher, flatten, identity
from hornbook.runtime import Runtime
from hornbook.stages import STAGES

ROOT = Path(__file__).resolve().parents[1]
GRAPH = load_graph(ROOT)
SEEDS = [0, 1, 2]
SEEDED = load_graph(
    ROOT, params=GRAPH.params | {"seeds": SEEDS, "further_seeds": further_seeds(ROOT, SEEDS)}
)
BESIDE = load_graph(
    ROOT,
    params=GRAPH.params
    | {
        "compared": {
            "names": ["wide", "narrow"],
            "models": {n: {"folder": f"/models/{n}", "hub": None} for n in ("wide", "narrow")},
            "scores": {"wide": NOTHING, "narrow": "artifacts/compared_scores/wide"},
            "last": "artifacts/compared_scores/narrow",
        }
    },
)
GROWN = SEEDED.stages | BESIDE.stages


def readers(key: str) -> set[str]:
    """Stages that declare a key or a section around it."""
    return {
        stage.name
        for stage in GRAPH.stages.values()
        if any(key == param or key.startswith(f"{param}.") for param in stage.params)
    }


def test_every_value_is_read_by_a_stage_or_says_where_an_input_is():
    unread = [key for key in flatten(GRAPH.params) if not readers(key)]
    only_places = ("compared.", "data.", "environment.", "further_seeds.", "models.")
    assert set(unread) == {key for key in unread if key.startswith(only_places)}


@pytest.mark.parametrize("key", sorted(k for k in flatten(GRAPH.params) if readers(k))[::7])
def test_a_changed_value_changes_the_identity_of_its_readers_only(key):
    changed = with_other_value(GRAPH.params, key)
    other, hasher = load_graph(ROOT, params=changed), Hasher(ROOT)
    moved = {
        name
        for name, stage in GRAPH.stages.items()
        if identity(stage, GRAPH, hasher) != identity(other.stages[name], other, hasher)
    }
    assert moved == readers(key)


def with_other_value(params, key):
    head, _, rest = key.partition(".")
    if not rest:
        return params | {head: "another value"}
    return params | {head: with_other_value(params[head], rest)}


def test_a_web_threshold_never_touches_phi_1_5():
    reached = GRAPH.descendants(readers("web.filter.threshold"))
    assert "train@phi-1_5" not in reached
    assert {"train@phi-1_5-web", "train@phi-1_5-web-only"} <= reached


def test_no_runtime_value_is_identity():
    names = {field.name for field in fields(Runtime)}
    assert "runtime" not in GRAPH.params
    assert not names & {key.rpartition(".")[2] for key in flatten(GRAPH.params)}


def test_each_stage_lists_the_code_that_it_runs():
    for family, needed in required(ROOT).items():
        for stage in GROWN.values():
            if stage.family == family:
                listed = [path for path in stage.code if path.startswith("src/")]
                assert listed == needed, f"{stage.name}: run hornbook code-deps --write"


def test_every_stage_of_the_manifest_has_a_function_and_the_reverse():
    assert {stage.family for stage in GROWN.values()} == set(STAGES)


def moved(grown):
    """The stages of today's graph that are other ones in a grown graph."""
    hasher = Hasher(ROOT)
    return {
        name
        for name, stage in GRAPH.stages.items()
        if identity(stage, GRAPH, hasher) != identity(grown.stages[name], grown, hasher)
    }


def test_further_seeds_leave_all_of_seed_0_as_it_was_but_what_reads_all_seeds():
    assert moved(SEEDED) == {"benchmark_tables", "toxigen_plots", "report"} == readers("seeds")
    added = {stage.family for name, stage in SEEDED.stages.items() if name not in GRAPH.stages}
    assert added == set(REPEATED)
    assert len(SEEDED.stages) == len(GRAPH.stages) + 2 * (3 * 3 + 1)


def test_a_further_seed_is_trained_on_what_seed_0_is_and_read_by_the_tables():
    for variant in ("phi-1_5", "phi-1_5-web", "phi-1_5-web-only"):
        first, second = (SEEDED.stages[f"train{n}"] for n in (f"@{variant}", f"_seed@{variant}-2"))
        assert first.inputs == second.inputs
        assert first.params == second.params
        assert "benchmark_tables" in SEEDED.descendants([second.name])
    scores = SEEDED.stages["seed_scores@2"]
    assert "seed_scores@1" in scores.producers
    assert scores.inputs.keys() == {
        "artifacts/seed_scores/1",
        *(SEEDED.stages[n].out for n in SEEDED.stages if n.endswith("-2")),
    }


def test_a_compared_model_leaves_all_as_it_was_but_what_reads_the_tables_rows():
    assert (
        moved(BESIDE)
        == {"benchmark_tables", "toxigen_plots", "report"}
        == readers("compared.names")
    )
    added = {stage.family for name, stage in BESIDE.stages.items() if name not in GRAPH.stages}
    assert added == set(compared.REPEATED)
    assert len(BESIDE.stages) == len(GRAPH.stages) + 2 * 3
    assert "compared_scores@wide" in BESIDE.stages["compared_scores@narrow"].producers
    for name in ("evaluate_compared@wide", "toxigen_compared@wide"):
        assert not BESIDE.stages[name].producers, "no stage of ours makes it"
        assert "/models/wide" in BESIDE.stages[name].sources


def test_what_stands_for_no_scores_is_code_that_every_reader_runs_anyway():
    for name in ("benchmark_tables", "toxigen_plots", "report"):
        assert NOTHING in GRAPH.stages[name].code
        assert not any("artifacts/seed_scores" in path for path in GRAPH.stages[name].deps)
        assert not any("artifacts/compared_scores" in path for path in GRAPH.stages[name].deps)
    assert NOTHING in SEEDED.stages["seed_scores@1"].code
    assert NOTHING in BESIDE.stages["compared_scores@wide"].code


def test_every_declared_parameter_exists():
    for stage in GRAPH.stages.values():
        for key in stage.params:
            lookup(GRAPH.params, key)
