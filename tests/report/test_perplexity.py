"""Perplexities of every variant on every corpus, in every rendering."""

import csv

from hornbook.artifacts import read_json
from hornbook.lineage.workspace import Hasher
from hornbook.report.perplexity import cell_text, note
from hornbook.report.terminal import render
from tests.report.made_models import CORPORA
from tests.report.sample import VARIANTS

CELL = {"perplexity": 4.5, "stderr": 0.045, "is_trained_on": True}


def test_there_is_a_cell_for_every_variant_also_of_text_it_was_not_trained_on(made):
    rows = read_json(made / "artifacts/report/tables/tables.json")["perplexity"]
    assert [(row["source"], row["domain"]) for row in rows] == [
        (corpus, domain) for corpus in CORPORA for domain in (None, "science")
    ]
    for row in rows:
        told = {name: cell["is_trained_on"] for name, cell in row["cells"].items()}
        assert told == {name: row["source"] in used for name, used in VARIANTS.items()}


def test_a_cell_says_its_error_and_whether_it_was_trained_on():
    assert cell_text(CELL) == "4.50 \N{PLUS-MINUS SIGN} 0.04"
    assert cell_text(CELL | {"is_trained_on": False, "stderr": None}) == "(4.50)"
    assert cell_text(CELL | {"perplexity": 2004.5, "stderr": None}) == "2,004"
    assert cell_text(None) == "-"


def test_every_rendering_has_the_table(made):
    folder = made / "artifacts/report"
    tables = read_json(folder / "tables/tables.json")
    texts = [(folder / "tables" / f"tables.{e}").read_text("utf-8") for e in ("md", "html")]
    texts += [(folder / "page/index.html").read_text("utf-8"), render(tables)]
    for text in texts:
        assert "Perplexity on held-out text" in text
        assert "(2,004 \N{PLUS-MINUS SIGN} 0.04)" in text  # phi-1_5 has no web
        assert "5.50 \N{PLUS-MINUS SIGN} 0.04" in text
    assert "books: science" in texts[0]
    assert "(2,004 $\\pm$ 0.04)" in (folder / "tables/tables.tex").read_text("utf-8")


def test_csv_has_a_line_for_each_with_its_tokens_and_hash(made):
    with (made / "artifacts/report/tables/tables.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["table"] == "perplexity"]
    assert len(rows) == len(VARIANTS) * len(CORPORA) * 2
    assert rows[0] | {"task": "books", "value": "4.5", "items": "12800"} == rows[0]
    assert rows[0]["hash"] == Hasher(made).hash("artifacts/perplexity/phi-1_5")


def test_of_several_seeds_the_note_says_whose_error_it_is():
    found = {"a": {"context_tokens": 2048, "cells": []}}
    assert "windows of 2,048 tokens" in note(found, [0])
    assert "one model, that of seed 0" in note(found, [0, 1])
    assert "seed" not in note(found, [0])
