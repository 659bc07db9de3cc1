"""Models that were not trained here stand under our variants, and change nothing said of those."""

import csv
import re

import pytest

from hornbook.artifacts import read_json
from hornbook.lineage.manifest import load_lock
from hornbook.report.assemble import names_of
from hornbook.report.charts import SHADES, shade
from hornbook.report.document import document
from hornbook.report.markup import markdown
from hornbook.report.terminal import render, safety
from tests.report.made_models import GROUPS
from tests.report.sample import VARIANTS, run_into_place, write_workspace

MODELS = ("wide", "narrow")  # not in the order of the alphabet


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """A workspace with two models beside the variants, of which the second is of the hub."""
    root = write_workspace(tmp_path_factory.mktemp("models beside"), models=MODELS)
    for stage in ("benchmark_tables", "toxigen_plots", "report"):
        run_into_place(root, stage)
    return root


@pytest.fixture(scope="module")
def tables(beside):
    return read_json(beside / "artifacts/report/tables/tables.json")


@pytest.fixture(scope="module")
def page(beside):
    return (beside / "artifacts/report/page/index.html").read_text("utf-8")


def test_the_last_has_what_all_have_with_the_hash_of_each_artifact(beside):
    lock = load_lock(beside)
    last = beside / "artifacts/compared_scores/narrow"
    for name in MODELS:
        records = read_json(last / name / "artifacts.json")
        assert {key: one["hash"] for key, one in records.items()} == {
            key: lock[key].out_hash for key in records
        }
        own = {f"evaluate_compared@{name}", f"toxigen_compared@{name}"}
        assert set(records) - {"compared_scores@wide"} == own
    assert read_json(last / "summary.json")["models"] == ["wide", "narrow"]


def test_every_table_of_the_paper_has_a_row_for_each_below_the_variants(tables):
    for table in tables["tables"].values():
        rows = [(row["kind"], row["label"]) for row in table["rows"] if row["kind"] != "paper"]
        assert rows == [
            *(("ours", variant) for variant in VARIANTS), *(("compared", name) for name in MODELS)
        ]  # fmt: skip
    assert names_of(tables) == [*VARIANTS, *MODELS]


def test_a_score_is_that_of_its_evaluation_with_its_stage_and_hash(beside, tables):
    asked = read_json(beside / "artifacts/evaluate_compared/wide/choice/results.json")["cells"]
    row = next(row for row in tables["tables"]["table2"]["rows"] if row["label"] == "wide")
    cell = row["cells"]["BoolQ"]
    assert cell["value"] == next(one["value"] for one in asked if one["task"] == "boolq")
    assert cell["stage"] == "evaluate_compared@wide"
    assert cell["hash"] == load_lock(beside)["compared_scores@narrow"].out_hash
    assert (cell["overlap"], cell["clean"], cell["best"]) == (None, None, False)
    micro = next(row for row in tables["micro"] if row["task"] == "micro_mind")["cells"]
    assert set(micro) == {*VARIANTS, *MODELS}
    assert all("value" in cell for cell in row["cells"].values())


def without_hashes(value):
    """The invented artifacts have another size beside further stages."""
    if isinstance(value, dict):
        return {key: without_hashes(one) for key, one in value.items() if key != "hash"}
    return [without_hashes(one) for one in value] if isinstance(value, list) else value


def test_what_is_said_of_the_variants_is_the_same_without_them(made, tables):
    alone = read_json(made / "artifacts/report/tables/tables.json")
    assert alone["compared"] == []
    assert tables["differences"] == alone["differences"]
    for now, before in zip(tables["micro"], alone["micro"], strict=True):
        ours = {name: now["cells"][name] for name in VARIANTS}
        assert without_hashes(ours) == without_hashes(before["cells"])
    for name, table in alone["tables"].items():
        ours = [row for row in tables["tables"][name]["rows"] if row["kind"] != "compared"]
        assert without_hashes(ours) == without_hashes(table["rows"])


def test_every_rendering_says_what_they_are_and_what_is_not_tested(beside, tables, page):
    told = "wide, narrow were not trained here"
    hub = "narrow (someone/narrow@" + "0" * 40
    for text in (markdown(document(tables)), page, " ".join(render(tables).split())):
        assert told in text
        assert "No difference from it is tested" in text
    for text in (markdown(document(tables)), page):
        assert "wide: GPT2LMHeadModel, 124M parameters, reads 1,024 tokens, computed by" in text
        assert hub in text
    assert "| wide (compared) |" in markdown(document(tables))
    lines = render(tables).splitlines()
    assert any(re.match(r"  narrow \(compared\) .*\d\.\d{3}", line) for line in lines)
    rows = csv.DictReader((beside / "artifacts/report/tables/tables.csv").open(encoding="utf-8"))
    assert {row["model"] for row in rows if row["kind"] == "compared"} == set(MODELS)


def test_figure_2_has_bars_for_each(beside, page):
    scores = read_json(beside / "artifacts/report/toxigen/scores.json")
    assert [one["variant"] for one in scores["variants"]] == [*VARIANTS, *MODELS]
    rows = {(row["variant"], row["group"]): row["stage"] for row in scores["rows"]}
    assert rows["narrow", "women"] == "toxigen_compared@narrow"
    assert len(rows) == 5 * len(GROUPS)
    assert "Not trained here: wide, narrow" in scores["note"]
    assert "narrow" in safety(scores)
    drawn = page.partition('class="chart bars"')[2].partition("</svg>")[0]
    assert len(re.findall(r'class="bar v4', drawn)) == len(GROUPS)


def test_every_link_of_the_page_leads_to_an_artifact_of_the_page(beside, page):
    targets = set(re.findall(r'href="(artifact-[^"]+)\.html"', page))
    assert targets == {one for one in targets if f'id="{one}"' in page}
    assert {"artifact-evaluate_compared-wide", "artifact-toxigen_compared-narrow"} <= targets
    assert load_lock(beside)["toxigen_compared@wide"].out_hash in page
    assert "3 variants of one small language model" in page


def test_the_metrics_have_their_scores(beside):
    metrics = read_json(beside / "artifacts/report/tables/metrics.json")
    assert set(metrics) == {*VARIANTS, *MODELS}
    assert metrics["wide"]["choice/piqa/acc"] > 0


def test_colours_begin_again_where_the_page_has_no_more():
    assert [shade(0), shade(SHADES - 1), shade(SHADES)] == ["v0", f"v{SHADES - 1}", "v0"]


def test_several_seeds_and_models_beside_them(tmp_path):
    root = write_workspace(tmp_path, (0, 1), ("wide",))
    for stage in ("benchmark_tables", "toxigen_plots", "report"):
        run_into_place(root, stage)
    scores = read_json(root / "artifacts/report/toxigen/scores.json")
    last = scores["variants"][-1]
    assert (last["variant"], "seeds" in last, "low" in last) == ("wide", False, True)
    row = read_json(root / "artifacts/report/tables/tables.json")["micro"][0]["cells"]
    assert "seeds" in row["phi-1_5"]
    assert "seeds" not in row["wide"]
