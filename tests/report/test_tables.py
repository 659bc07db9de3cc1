"""Scores beside the paper's figures: error, floor, overlap, stage, or the reason for none."""

import json

import pytest

from hornbook.artifacts import read_json, write_json, write_table
from hornbook.errors import ArtifactError, ExpectationError
from hornbook.report.assemble import assemble, reasons
from hornbook.report.cells import read_cells
from hornbook.report.document import document
from hornbook.report.markup import markdown
from hornbook.report.overlap import (
    Clean,
    ItemOverlap,
    ItemScore,
    Overlap,
    clean_score,
    overlap_of,
    read_scores,
)
from hornbook.report.terminal import main, render
from tests.report.made_models import REASON, cell, item_scores
from tests.report.sample import (
    VARIANTS,
    open_run,
    run_into_place,
    write_workspace,
)


@pytest.fixture(scope="module")
def tables(made):
    return read_json(made / "artifacts/report/tables/tables.json")


def ours(tables, table, variant):
    rows = tables["tables"][table]["rows"]
    return next(r["cells"] for r in rows if r["kind"] == "ours" and r["variant"] == variant)


def test_every_score_names_the_stage_it_came_from(tables):
    for name in ("table2", "table3", "table4"):
        for variant in VARIANTS:
            for found in ours(tables, name, variant).values():
                if found["value"] is not None:
                    suite = found["suite"]
                    assert found["stage"] == f"evaluate@{variant}-{suite}"


def test_a_cell_that_was_not_run_keeps_its_reason(tables):
    humaneval = ours(tables, "table4", "phi-1_5")["HumanEval_pass1"]
    assert (humaneval["value"], humaneval["not_run"]) == (None, REASON)
    assert REASON in reasons(tables)
    assert REASON in markdown(document(tables))
    assert REASON in render(tables)


def test_a_benchmark_without_any_evaluation_says_so(tables):
    mmlu = ours(tables, "table3", "phi-1_5")["MMLU_2shot"]
    assert "evaluate.suites of this experiment does not list" in mmlu["not_run"]


def test_code_tasks_of_the_micro_suites_stand_among_them(tables):
    functions = next(row for row in tables["micro"] if row["task"] == "micro_functions")
    assert functions["cells"]["phi-1_5"]["stage"] == "evaluate@phi-1_5-code"
    assert functions["cells"]["phi-1_5"]["overlap"]["items"] == 0.5
    assert not [row for row in tables["further"] if row["task"].startswith("micro_")]


def test_a_metric_that_is_not_the_papers_is_not_shown_as_it(tmp_path, figures_and_facts):
    file = tmp_path / "results.json"
    found = {"variant": "a", "suite": "choice", "cells": [cell("piqa", "acc_norm", 0.5)]}
    write_json(file, found)
    figures, facts = figures_and_facts
    cells = read_cells(file, "evaluate@a-choice")
    made = assemble(
        figures, cells, variants=["a"], facts=facts, seeds=[0], signal_stderrs=2.0, few_items=50
    )
    shown = ours(made, "table3", "a")["PIQA"]
    assert (shown["value"], shown["not_run"]) == (
        None,
        "the evaluation of piqa has no metric acc; it has acc_norm",
    )


def test_a_further_metric_of_a_benchmark_of_the_tables_stands_among_further_tasks(
    tmp_path, figures_and_facts
):
    file = tmp_path / "results.json"
    both = [cell("piqa", "acc", 0.5), cell("piqa", "acc_norm", 0.6)]
    write_json(file, {"variant": "a", "suite": "choice", "cells": both})
    figures, facts = figures_and_facts
    made = assemble(
        figures, read_cells(file, "evaluate@a-choice"), variants=["a"], facts=facts, seeds=[0],
        signal_stderrs=2.0, few_items=50,
    )  # fmt: skip
    assert ours(made, "table3", "a")["PIQA"]["value"] == 0.5
    further = [(row["task"], row["metric"], row["cells"]["a"]["value"]) for row in made["further"]]
    assert further == [("piqa", "acc_norm", 0.6)]


def test_a_cell_has_the_scores_of_its_own_metric(tmp_path):
    file = tmp_path / "items.parquet"
    cells = [cell("squad", "f1", 0.5), cell("squad", "exact_match", 0.5)]
    write_table(file, item_scores(cells))
    found = read_scores(file)
    assert set(found) == {("squad", "exact_match"), ("squad", "f1")}
    assert [len(rows) for rows in found.values()] == [10, 10]


def test_questions_solved_by_code_overlap_like_the_questions():
    corpus = {"gsm8k": {"1": ItemOverlap(frozenset({0}), 2)}}
    assert overlap_of("gsm8k_code", [corpus]) == Overlap(items=1.0, ngrams=0.5, checked=1)


def test_tokens_of_table_1_are_those_of_the_mixture(tables):
    cells = ours(tables, "table1", "phi-1_5-web")
    assert cells["train_tokens"]["value"] == 2_500_000
    assert cells["data_size_tokens"]["value"] == 3 * 900_000
    assert cells["train_gpu_hours"]["value"] is None


@pytest.mark.parametrize(
    ("value", "is_signal"), [(0.31 + 2 * 0.021, False), (0.31 + 2 * 0.021 + 1e-6, True)]
)
def test_a_signal_is_more_than_two_errors_above_the_higher_floor(
    tmp_path, value, is_signal, figures_and_facts
):
    file = tmp_path / "results.json"
    found = {"variant": "a", "suite": "micro", "cells": [cell("micro_skill", "acc", value)]}
    write_json(file, found)
    figures, facts = figures_and_facts
    made = assemble(
        figures,
        read_cells(file, "evaluate@a-micro"),
        variants=["a"],
        facts=facts,
        seeds=[0],
        signal_stderrs=2.0,
        few_items=50,
    )
    shown = made["micro"][0]["cells"]["a"]
    assert shown["floor"] == 0.31  # blind, which is above chance
    assert shown["signal"] is is_signal


@pytest.fixture
def figures_and_facts():
    from hornbook.report.figures import load_figures

    return load_figures(), {"a": {"budget_tokens": 1, "data_tokens": 1, "drawn_tokens": {}}}


def test_overlap_unites_the_corpora_of_the_variant():
    books = {
        "micro_order": {"1": ItemOverlap(frozenset({0, 1}), 4), "2": ItemOverlap(frozenset(), 4)}
    }
    code = {
        "micro_order": {"1": ItemOverlap(frozenset({1, 2}), 4), "2": ItemOverlap(frozenset(), 4)}
    }
    assert overlap_of("micro_order", [books]) == Overlap(items=0.5, ngrams=0.25, checked=2)
    assert overlap_of("micro_order", [books, code]) == Overlap(items=0.5, ngrams=0.375, checked=2)


def test_overlap_of_a_task_that_nothing_checked_is_unknown_not_zero():
    short = {"micro_order": {"1": ItemOverlap(frozenset(), 0)}}
    assert overlap_of("micro_order", [short]) is None
    assert overlap_of("other", [short]) is None


def test_overlap_depends_on_what_the_variant_was_trained_on(tables):
    by_variant = next(row for row in tables["micro"] if row["task"] == "micro_pronoun")["cells"]
    found = {name: shown["overlap"]["ngrams"] for name, shown in by_variant.items()}
    assert found == {"phi-1_5": 0.25, "phi-1_5-web": 0.25, "phi-1_5-web-only": 0.125}


def test_metrics_for_dvc_are_numbers_by_variant(made):
    metrics = read_json(made / "artifacts/report/tables/metrics.json")
    assert sorted(metrics) == sorted(VARIANTS)
    assert metrics["phi-1_5"]["code/mbpp/pass@1"] == 0.012
    assert "code/humaneval/pass@1" not in metrics["phi-1_5"]


def test_unverified_figures_are_marked_in_every_rendering(tables, made):
    page = (made / "artifacts/report/page/index.html").read_text("utf-8")
    assert "0.743?" in markdown(document(tables))
    assert "0.743?" in render(tables)
    assert "not seen in the paper's text\">0.743<sup>?</sup>" in page
    assert "0.766?" not in markdown(document(tables))


def test_the_caveat_stands_beside_the_micro_scores(tables, made):
    page = (made / "artifacts/report/page/index.html").read_text("utf-8")
    for text in (markdown(document(tables)), page, " ".join(render(tables).split())):
        assert "phi-1_5 1.25M, phi-1_5-web 833K, phi-1_5-web-only 0" in text
        assert "share an author" in text
        assert "the order of the variants here is not the paper" in text


def test_a_damaged_result_names_the_file_and_the_remedy(tmp_path):
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"variant": "a"}))
    with pytest.raises(ArtifactError, match=r"results\.json .* run: dvc repro evaluate@a-micro"):
        read_cells(file, "evaluate@a-micro")


def test_a_score_outside_zero_and_one_stops_the_stage(tmp_path):
    root = write_workspace(tmp_path)
    file = root / "artifacts/evaluate/phi-1_5-micro/results.json"
    results = read_json(file)
    results["cells"][0]["value"] = 90.0
    write_json(file, results)
    with pytest.raises(ExpectationError, match="evaluate@phi-1_5-micro micro_mind acc"):
        run_into_place(root, "benchmark_tables")


def test_the_same_artifacts_give_the_same_bytes(made):
    again = open_run(made, "benchmark_tables")
    from hornbook.report.tables import benchmark_tables

    benchmark_tables(again)
    for file in again.out.iterdir():
        assert file.read_bytes() == (made / "artifacts/report/tables" / file.name).read_bytes()


def test_the_command_prints_the_tables_and_what_it_took_here(made, monkeypatch, capsys):
    from hornbook.lineage.manifest import load_lock

    out_hash = load_lock(made)["train@phi-1_5"].out_hash
    took = {"seconds": 151.0, "cpu_seconds": 150.0, "tokens_per_second": 16_556.0}
    measured = made / ".hornbook/measurements"
    write_json(measured / "train@phi-1_5.json", {**took, "out_hash": out_hash})
    write_json(measured / "train@phi-1_5-web.json", {**took, "out_hash": "of other bytes"})
    monkeypatch.chdir(made)
    assert main(["--stale"]) == 0
    shown = capsys.readouterr().out
    assert "Table 2" in shown
    assert "16.6K" in shown
    assert "train@phi-1_5-web " not in shown


INFERENCE = {"ms_per_token": 0.3822, "memory_mib": 5.53, "memory_of": "weights and cache",
             "context_tokens": 128, "dtype": "float32", "attention": "sdpa",
             "device": "A Processor x 1"}  # fmt: skip


def test_table_1_has_what_this_machine_measured_beside_the_papers_figures(
    made, tables, monkeypatch, capsys
):
    from hornbook.lineage.manifest import load_lock

    lock, folder = load_lock(made), made / ".hornbook/measurements"
    for variant, out_hash in (
        ("phi-1_5", lock["perplexity@phi-1_5"].out_hash),
        ("phi-1_5-web", "of other bytes"),
    ):
        write_json(folder / f"perplexity@{variant}.json",
                   {"inference": INFERENCE, "out_hash": out_hash})  # fmt: skip
    monkeypatch.chdir(made)
    assert main(["--stale"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "phi-1.5 (paper) 1,500 <3 3.5 30B 150B" in lines
    assert "phi-1_5 (ours) - 0.382 0.0058 1.8M 2.5M" in lines
    assert "phi-1_5-web (ours) - - - 2.7M 2.5M" in lines, "measured on other bytes"
    told = " ".join(lines)
    assert "A Processor x 1, float32, sdpa attention, context 128" in told
    assert "phi-1_5-web, phi-1_5-web-only" in told
    assert "run: hornbook perplexity phi-1_5-web" in told
    for name in ("tables.json", "tables.md", "tables.csv"):
        assert "0.3822" not in (made / "artifacts/report/tables" / name).read_text("utf-8")


def scores(*values, prefix=""):
    return [ItemScore(f"{prefix}{n}", str(n), value) for n, value in enumerate(values)]


def test_the_clean_score_is_over_items_of_which_no_corpus_of_the_variant_has_anything():
    books = {"piqa": {str(n): ItemOverlap(frozenset({0} if n == 1 else ()), 4) for n in range(4)}}
    web = {"piqa": {str(n): ItemOverlap(frozenset({3} if n == 2 else ()), 4) for n in range(4)}}
    asked = scores(0.0, 1.0, 1.0, 1.0)
    both = clean_score("piqa", asked, [books, web], most_share=0.0, few_items=3)
    assert both == Clean(0.5, pytest.approx(0.5), 2, few=True)
    alone = clean_score("piqa", asked, [books], most_share=0.0, few_items=3)
    assert (alone.value, alone.items, alone.few) == (pytest.approx(2 / 3), 3, False)
    lax = clean_score("piqa", asked, [books, web], most_share=0.25, few_items=3)
    assert (lax.value, lax.items) == (0.75, 4)


def test_edited_copies_and_items_that_were_not_looked_for_are_not_clean():
    corpus = {
        "piqa": {
            "0": ItemOverlap(frozenset(), 4, copied=True),
            "1": ItemOverlap(frozenset(), 0),
            "2": ItemOverlap(frozenset(), 4),
        }
    }
    found = clean_score("piqa", scores(1.0, 1.0, 0.25), [corpus], most_share=0.0, few_items=1)
    assert found == Clean(0.25, None, 1, few=False)
    assert clean_score("siqa", scores(1.0), [corpus], most_share=0.0, few_items=1) is None
    none = clean_score("piqa", scores(1.0), [corpus], most_share=0.0, few_items=1)
    assert none == Clean(None, None, 0, few=True)


def test_questions_solved_by_code_are_clean_when_the_questions_are():
    corpus = {"gsm8k": {"gsm8k/0": ItemOverlap(frozenset({1}), 2),
                        "gsm8k/1": ItemOverlap(frozenset(), 2)}}  # fmt: skip
    asked = scores(1.0, 0.0, prefix="gsm8k_code/gsm8k/")
    found = clean_score("gsm8k_code", asked, [corpus], most_share=0.0, few_items=1)
    assert (found.value, found.items) == (0.0, 1)


def test_every_score_stands_beside_that_over_clean_items(tables, made):
    row = next(row for row in tables["micro"] if row["task"] == "micro_pronoun")
    clean = row["cells"]["phi-1_5"]["clean"]
    assert (clean["value"], clean["items"], clean["few"]) == (pytest.approx(0.4), 5, True)
    page = (made / "artifacts/report/page/index.html").read_text("utf-8")
    for text in (markdown(document(tables)), page):
        assert "0.400 \N{PLUS-MINUS SIGN} 0.141 (n=5, few)" in text
        assert "clean items" in text
    assert "0.40 n=5" in render(tables)
    metrics = read_json(made / "artifacts/report/tables/metrics.json")
    assert metrics["phi-1_5"]["micro/micro_pronoun/acc/clean"] == 0.4


def test_tables_of_the_paper_have_a_row_for_clean_items(tables):
    shown = markdown(document(tables))
    assert "| phi-1_5 (ours, clean items) | - |" in shown
