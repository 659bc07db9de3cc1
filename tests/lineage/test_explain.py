"""Where something comes from: every recorded input of every stage behind it, and nothing else."""

import json

import pytest

from hornbook.errors import ConfigError
from hornbook.lineage import cells
from hornbook.lineage.explain import as_prov, find, main, provenance, total, tree
from hornbook.lineage.manifest import load_lock
from hornbook.lineage.pieces import Missing
from tests.report.sample import write_workspace


def test_everything_behind_a_stage_is_named_once(ran):
    lock = load_lock(ran.root)
    nodes = provenance(ran.root, lock, "end")
    assert list(nodes) == ["end", "branch@one", "branch@two", "base"]
    assert nodes["base"].sources == {
        "data/raw.txt": lock["base"].deps["data/raw.txt"], "tool.py": lock["base"].deps["tool.py"],
    }  # fmt: skip
    assert nodes["branch@one"].params == {"right.level": 1}
    lines = tree(nodes, "end")
    assert lines[0].startswith(f"end  {lock['end'].out_hash[:7]}  artifacts/end")
    assert sum(line.strip().startswith("base  ") for line in lines) == 1
    assert sum(line.strip() == "base (above)" for line in lines) == 1
    assert any("values left.level=1" in line for line in lines)
    assert set(provenance(ran.root, lock, "base")) == {"base"}


def test_what_it_took_counts_only_where_these_bytes_were_made_here(ran):
    lock = load_lock(ran.root)
    folder = ran.root / ".hornbook/measurements"
    folder.mkdir(parents=True)
    took = {"seconds": 10.0, "cpu_seconds": 30.0, "out_hash": lock["base"].out_hash}
    (folder / "base.json").write_text(json.dumps(took))
    (folder / "end.json").write_text(json.dumps(took))  # of other bytes
    nodes = provenance(ran.root, lock, "end")
    assert (nodes["base"].seconds, nodes["end"].seconds) == (10.0, None)
    assert "4 stages, 30 s of CPU, without 3 that were not made here" in total(nodes)


def test_the_prov_document_links_every_run_to_what_it_read_and_wrote(ran):
    nodes = provenance(ran.root, load_lock(ran.root), "end")
    found = as_prov(nodes)
    assert set(found["activity"]) == {f"hornbook:run/{name}" for name in nodes}
    for link in (*found["used"].values(), *found["wasGeneratedBy"].values()):
        assert link["prov:entity"] in found["entity"]
        assert link["prov:activity"] in found["activity"]
    read = {
        link["prov:entity"] for link in found["used"].values()
        if link["prov:activity"] == "hornbook:run/end"
    }  # fmt: skip
    written = found["wasGeneratedBy"]["_:g/branch@one"]["prov:entity"]
    assert written in read
    assert json.loads(json.dumps(found)) == found


def test_a_name_is_a_stage_an_artifact_or_a_cell(tmp_path):
    root = write_workspace(tmp_path / "made")
    lock = load_lock(root)
    assert find(root, lock, "train@phi-1_5") == ("train@phi-1_5", "stage train@phi-1_5")
    assert find(root, lock, "artifacts/web/filtered/part-0.parquet")[0] == "web_filter"
    with pytest.raises(ConfigError, match="no recorded stage, no artifact and no cell"):
        find(root, lock, "micro_steps@phi-1_5")  # the cache has no tables of it


def test_a_cell_is_found_in_the_tables_that_the_cache_has(ran, monkeypatch, capsys):
    cell = {"stage": "branch@one", "metric": "acc", "value": 0.75, "stderr": 0.02}
    tables = {
        "tables": {"table4": {
            "columns": [{"key": "HumanEval_pass1", "label": "HumanEval", "task": "humaneval"}],
            "rows": [{"kind": "ours", "variant": "phi-1_5",
                      "cells": {"HumanEval_pass1": cell | {"metric": "pass@1"}}}]}},
        "micro": [{"task": "micro_steps", "cells": {"phi-1_5": cell}}], "further": [],
    }  # fmt: skip
    (ran.root / "artifacts/end/tables.json").write_text(json.dumps(tables))
    lock = load_lock(ran.root)
    monkeypatch.setattr(cells, "SOURCES", {"end": ("tables.json", cells.read_tables)})
    monkeypatch.setattr(cells, "cached_json", lambda *_: tables)
    assert find(ran.root, lock, "steps@phi-1_5") == (
        "branch@one", "cell steps@phi-1_5: acc 0.75 +- 0.02",
    )  # fmt: skip
    assert find(ran.root, lock, "HumanEval@phi-1_5")[1].endswith("pass@1 0.75 +- 0.02")
    with pytest.raises(ConfigError, match="steps has no cell of 'phi-9'; it has those of phi-1_5"):
        find(ran.root, lock, "steps@phi-9")
    monkeypatch.setattr(cells, "cached_json", lambda *_: Missing())
    monkeypatch.chdir(ran.root)
    assert main(["branch@one"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("stage branch@one, 2 stages")
    assert main(["branch@one", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"branch@one", "base"}
