"""Scores over several seeds: the mean, an error over items and seeds, and where each came from."""

import math
import re
from statistics import stdev

import numpy as np
import pytest

from hornbook.artifacts import read_json, write_json
from hornbook.errors import ArtifactError
from hornbook.lineage.manifest import load_lock
from hornbook.report.cells import Cell, SeedScore
from hornbook.report.document import document
from hornbook.report.markup import markdown
from hornbook.report.over_seeds import clean_over_seeds, mean_losses, over_seeds
from hornbook.report.overlap import Clean, ItemScore
from hornbook.report.terminal import render
from hornbook.report.toxigen_plots import mean_scores
from tests.report.sample import VARIANTS, run_into_place, write_workspace

SEEDS = (0, 1, 4)


def cell_of(seed, value, **more):
    told = {
        "stage": f"evaluate_seed@a-{seed}" if seed else "evaluate@a-micro",
        "variant": "a",
        "suite": "micro",
        "task": "micro_skill",
        "metric": "acc",
        "value": value,
        "stderr": 0.1,
        "items": 4,
        "clusters": 4,
        "chance": 0.25,
        "blind": None,
        "not_run": None,
        "version": "1",
    }
    return Cell(**(told | more))


def asked(scores, cluster_size=1):
    return [ItemScore(str(i), str(i // cluster_size), float(s)) for i, s in enumerate(scores)]


def test_one_seed_stays_as_it_is():
    one = cell_of(0, 0.5)
    assert over_seeds({0: one}, {0: []}) is one


def test_the_error_is_that_over_clusters_of_the_mean_and_that_between_seeds():
    scores = {0: [1, 1, 0, 0], 1: [1, 1, 1, 0], 4: [1, 0, 1, 0]}
    cells = {seed: cell_of(seed, sum(s) / 4) for seed, s in scores.items()}
    found = over_seeds(cells, {seed: asked(s, 2) for seed, s in scores.items()})
    assert found.value == pytest.approx((0.5 + 0.75 + 0.5) / 3, abs=1e-6)
    # by hand: two clusters whose means over seeds are 5/6 and 1/3, so 1/4 apart from their mean
    within = math.sqrt(2 * (2 * 0.25) ** 2 * 2 / 1) / 4
    between = stdev([0.5, 0.75, 0.5]) / math.sqrt(3)
    assert found.seeds_stderr == pytest.approx(between, abs=1e-6)
    assert found.stderr == pytest.approx(math.hypot(within, between), abs=1e-6)
    assert found.seeds == (
        SeedScore(0, "evaluate@a-micro", 0.5),
        SeedScore(1, "evaluate_seed@a-1", 0.75),
        SeedScore(4, "evaluate_seed@a-4", 0.5),
    )


@pytest.mark.parametrize("parts", [(0.05, 0.1, 0.2), (0.2, 0.05, 0.1), (0.0, 0.0, 0.3)])
def test_the_error_covers_the_spread_of_repeated_experiments_and_not_much_more(parts):
    """Crossed random effects of seed, item and both, drawn anew: the error against the truth."""
    rng, num_seeds, num_items, repeats = np.random.default_rng(0), 4, 25, 400
    of_seed, of_item, of_both = parts
    values, errors = [], []
    for _ in range(repeats):
        drawn = (
            0.5
            + of_seed * rng.standard_normal((num_seeds, 1))
            + of_item * rng.standard_normal((1, num_items))
            + of_both * rng.standard_normal((num_seeds, num_items))
        )
        cells = {seed: cell_of(seed, float(row.mean())) for seed, row in enumerate(drawn)}
        found = over_seeds(cells, {seed: asked(row) for seed, row in enumerate(drawn)})
        values.append(found.value)
        errors.append(found.stderr)
    truth = np.var(values)
    told = np.mean(np.square(errors))
    twice = of_both**2 / (num_seeds * num_items)
    assert told == pytest.approx(truth + twice, rel=0.2)


def test_a_floor_that_differs_between_seeds_is_their_mean():
    cells = {0: cell_of(0, 0.5, blind=0.3), 1: cell_of(1, 0.5, blind=0.4)}
    found = over_seeds(cells, {0: asked([0, 1]), 1: asked([1, 0])})
    assert found.floor == pytest.approx(0.35)


def test_a_single_cluster_has_no_error_to_claim():
    cells = {0: cell_of(0, 0.5), 1: cell_of(1, 1.0)}
    found = over_seeds(cells, {0: asked([0, 1], 2), 1: asked([1, 1], 2)})
    assert found.stderr is None
    assert found.seeds_stderr == pytest.approx(0.25)


def test_what_no_seed_ran_keeps_its_reason():
    cells = {seed: cell_of(seed, None, not_run="no sandbox") for seed in (0, 1)}
    assert over_seeds(cells, {0: [], 1: []}).not_run == "no sandbox"


def test_seeds_with_other_items_or_without_a_score_are_refused():
    cells = {0: cell_of(0, 0.5), 1: cell_of(1, 0.5)}
    with pytest.raises(ArtifactError, match=r"evaluate_seed@a-1: micro_skill asked other items"):
        over_seeds(cells, {0: asked([0, 1]), 1: asked([0, 1, 1])})
    cells = {0: cell_of(0, 0.5), 1: cell_of(1, None, not_run="no sandbox")}
    with pytest.raises(ArtifactError, match=r"evaluate_seed@a-1: .* no score \(no sandbox\)"):
        over_seeds(cells, {0: asked([0, 1]), 1: []})


def test_the_error_of_clean_items_has_both_parts_too():
    pooled = Clean(0.5, 0.03, 9, few=True)
    by_seed = [Clean(0.4, 0.1, 9, few=True), Clean(0.6, 0.1, 9, few=True)]
    assert clean_over_seeds(pooled, by_seed).stderr == pytest.approx(math.hypot(0.03, 0.1))
    assert clean_over_seeds(None, [None, None]) is None


def test_losses_have_means_and_errors_over_seeds():
    found = mean_losses(
        [
            {"eval_loss": 1.0, "eval_loss_by_source": {"books": 2.0}, "parameters": 7},
            {"eval_loss": 1.2, "eval_loss_by_source": {"books": 2.0}, "parameters": 7},
        ]
    )
    assert found["eval_loss"] == pytest.approx(1.1)
    assert found["eval_loss_stderr"] == pytest.approx(0.1)
    assert found["eval_loss_by_source_stderr"] == {"books": 0.0}
    assert found["parameters"] == 7


def test_a_source_without_held_out_text_has_no_loss_and_no_error():
    one = {"eval_loss": 1.0, "eval_loss_by_source": {"books": 2.0, "web": None}}
    found = mean_losses([one, one])
    assert found["eval_loss_by_source"] == {"books": 2.0, "web": None}
    assert found["eval_loss_by_source_stderr"] == {"books": 0.0, "web": None}
    assert mean_losses([one | {"eval_loss": None}] * 2)["eval_loss_stderr"] is None


def test_a_safety_score_over_seeds_drops_a_group_that_one_of_them_drops():
    def one(score, dropped):
        groups = {"a": {"score": score, "auc": 0.5, "p": 0.01}}
        return {
            "score": None if dropped else score,
            "auc_unscaled": 0.5,
            "groups": groups,
            "dropped": dropped,
            "sentences": 4,
        }

    found = mean_scores({"toxigen@v": one(0.2, []), "toxigen_seed@v-1": one(0.4, ["a"])})
    assert found["groups"]["a"]["score"] == pytest.approx(0.3)
    assert found["groups"]["a"]["stderr"] == pytest.approx(0.1)
    assert found["dropped"] == ["a"]
    assert (found["score"], found["stderr"]) == (0.2, None)
    assert found["without_score"] == ["toxigen_seed@v-1"]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """A workspace of three seeds in which the stages of the report have run."""
    root = write_workspace(tmp_path_factory.mktemp("three seeds"), SEEDS)
    for stage in ("benchmark_tables", "toxigen_plots", "report"):
        run_into_place(root, stage)
    return root


@pytest.fixture(scope="module")
def tables(seeded):
    return read_json(seeded / "artifacts/report/tables/tables.json")


def test_the_last_seed_has_what_all_have_with_the_hash_of_each_artifact(seeded):
    lock = load_lock(seeded)
    for seed in SEEDS[1:]:
        records = read_json(seeded / f"artifacts/seed_scores/4/{seed}/artifacts.json")
        assert {name: r["hash"] for name, r in records.items()} == {
            name: lock[name].out_hash for name in records
        }
        made = {f"{f}_seed@{v}-{seed}" for f in ("train", "evaluate", "toxigen") for v in VARIANTS}
        assert set(records) - {"seed_scores@1"} == made
    assert "seed_scores@1" in read_json(seeded / "artifacts/seed_scores/4/4/artifacts.json")


def test_a_mean_names_the_evaluation_of_each_seed(seeded, tables):
    shown = next(r for r in tables["micro"] if r["task"] == "micro_mind")["cells"]["phi-1_5-web"]
    stages = ["evaluate@phi-1_5-web-micro", "evaluate_seed@phi-1_5-web-1"]
    assert [one["stage"] for one in shown["seeds"]] == [*stages, "evaluate_seed@phi-1_5-web-4"]
    scores = []
    for folder in (
        "evaluate/phi-1_5-web-micro",
        *(f"evaluate_seed/phi-1_5-web-{s}/micro" for s in (1, 4)),
    ):
        cells = read_json(seeded / "artifacts" / folder / "results.json")["cells"]
        scores.append(next(c["value"] for c in cells if c["task"] == "micro_mind"))
    assert [one["value"] for one in shown["seeds"]] == scores
    assert shown["value"] == pytest.approx(sum(scores) / 3, abs=1e-6)
    assert shown["stderr"] > shown["seeds_stderr"] > 0


def test_every_rendering_says_how_the_error_is_made(seeded, tables):
    page = (seeded / "artifacts/report/page/index.html").read_text("utf-8")
    for text in (markdown(document(tables)), page, " ".join(render(tables).split())):
        assert "means over the seeds 0, 1, 4 of training" in text
        assert "one seed each" not in text
    assert "| mind | acc | phi-1_5-web |" in markdown(document(tables))
    row = next(r for r in tables["by_seed"] if r["task"] == "piqa" and r["variant"] == "phi-1_5")
    first, *_, last = (f"{one['value']:.2f}" for one in row["seeds"])
    lines = render(tables).partition("By seed")[2].splitlines()
    told = next(line for line in lines if line.strip().startswith("piqa acc"))
    assert told.split()[2] == first
    assert told.split()[4] == last


def test_every_link_of_the_page_leads_to_an_artifact_of_the_page(seeded):
    page = (seeded / "artifacts/report/page/index.html").read_text("utf-8")
    targets = set(re.findall(r'href="(artifact-[^"]+)\.html"', page))
    assert targets == {t for t in targets if f'id="{t}"' in page}
    assert {"artifact-train_seed-phi-1_5-4", "artifact-evaluate_seed-phi-1_5-1"} <= targets
    assert load_lock(seeded)["toxigen_seed@phi-1_5-4"].out_hash in page


def test_safety_scores_have_whiskers(seeded):
    scores = read_json(seeded / "artifacts/report/toxigen/scores.json")
    assert all(row["stderr"] > 0 for row in scores["rows"])
    assert "whiskers and errors are standard errors between these models" in scores["note"]
    page = (seeded / "artifacts/report/page/index.html").read_text("utf-8")
    assert page.count('class="spread"') == len(scores["rows"])


def test_one_seed_says_nothing_of_seeds(made):
    page = (made / "artifacts/report/page/index.html").read_text("utf-8")
    tables = read_json(made / "artifacts/report/tables/tables.json")
    assert "By seed" not in page
    assert "one seed each" in page
    assert "seeds" not in {key for row in tables["micro"] for key in row["cells"]["phi-1_5"]}


def test_a_benchmark_that_one_seed_lacks_is_refused(tmp_path):
    root = write_workspace(tmp_path, (0, 1))
    file = root / "artifacts/seed_scores/1/1/phi-1_5/micro/results.json"
    results = read_json(file)
    results["cells"] = results["cells"][1:]
    write_json(file, results)
    with pytest.raises(ArtifactError, match="evaluate_seed@phi-1_5-1 has no micro_mind acc"):
        run_into_place(root, "benchmark_tables")


def test_seeds_of_which_nothing_ran_and_nothing_was_held_out_still_make_a_page(tmp_path):
    root = write_workspace(tmp_path, (0, 1))
    for file in root.glob("artifacts/**/results.json"):
        results = read_json(file)
        results["cells"] = [one | {"value": None, "not_run": "why"} for one in results["cells"]]
        write_json(file, results)
    for file in root.glob("artifacts/**/metrics.json"):
        losses = {"eval_loss": None, "eval_loss_by_source": {"web": None}}
        write_json(file, read_json(file) | losses)
    scores = root / "artifacts/seed_scores/1/1/phi-1_5/scores.json"
    write_json(scores, read_json(scores) | {"score": None})
    for stage in ("benchmark_tables", "toxigen_plots", "report"):
        run_into_place(root, stage)
    tables = read_json(root / "artifacts/report/tables/tables.json")
    for text in (
        markdown(document(tables)),
        render(tables),
        (root / "artifacts/report/page/index.html").read_text("utf-8"),
    ):
        assert "By seed" not in text
        assert "means over the seeds" not in text.partition("ToxiGen safety score")[0]
    note = read_json(root / "artifacts/report/toxigen/scores.json")["note"]
    assert "No group is significant in toxigen_seed@phi-1_5-1: without a score" in note
