"""What a model scored does not depend on which stage asked it: that of its seed or of seed 0."""

import shutil

import pyarrow.parquet as pq
import pytest
import torch
import yaml
from pydantic import TypeAdapter

from hornbook.artifacts import read_json
from hornbook.evaluate.evaluate import NO_TASKS, evaluate
from hornbook.evaluate.evaluate_seed import evaluate_seed
from hornbook.model.checkpoint import save_model
from hornbook.model.config import Model
from hornbook.model.phi import Phi
from hornbook.teacher.micro import write_items
from tests.conftest import ROOT
from tests.evaluate.test_lm import Letters
from tests.made_run import made_run

SUITES = {"choice": [], "code": [], "generate": ["micro_cloze"], "micro": ["micro_mind"]}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A model that both stages find, benchmarks, and an encoder that needs no vocabulary."""
    torch.set_num_threads(1)
    conf = yaml.safe_load((ROOT / "conf" / "model" / "smoke.yaml").read_text())
    shape = TypeAdapter(Model).validate_python(conf)
    model = Phi(shape, vocab_size=257, attention="explicit")
    model.initialise(0)
    for place in ("train/toy", "train_seed/toy-3"):
        save_model(model, tmp_path / "artifacts" / place, eos_token_id=256)
    write_items(tmp_path / "benchmarks" / "micro", 0)
    monkeypatch.setattr("hornbook.tokens.encoder.Encoder.load", lambda _: Letters())
    return tmp_path


def asked(root, stage, model, suites=SUITES):
    conf = yaml.safe_load((ROOT / "conf" / "evaluate" / "sample.yaml").read_text())
    conf |= {"suites": suites, "limit": 6, "new_tokens": 4, "attention": "explicit"}
    params = {"evaluate": conf, "data": {"benchmarks": "benchmarks"}}
    return made_run(root, stage, reads=[f"artifacts/{model}", "benchmarks"], params=params)


def test_all_suites_of_a_seed_are_what_each_would_be_alone(root):
    both = asked(root, "evaluate_seed@toy-3", "train_seed/toy-3")
    evaluate_seed(both)
    shutil.rmtree(root / ".hornbook" / "store", ignore_errors=True)  # what the first one remembers
    for suite in SUITES:
        alone = asked(root, f"evaluate@toy-{suite}", "train/toy")
        evaluate(alone)
        for name in ("results.json", "items.parquet"):
            assert (both.out / suite / name).read_bytes() == (alone.out / name).read_bytes(), suite
    found = read_json(both.out / "micro" / "results.json")
    assert (found["variant"], found["suite"]) == ("toy", "micro")
    assert found["cells"][0]["items"] == 6
    assert read_json(both.out / "choice" / "results.json")["reason"] == NO_TASKS
    assert pq.read_table(both.out / "choice" / "items.parquet").num_rows == 0
    assert set(read_json(both.out / "metrics.json")) == {
        "micro_cloze/exact_match",
        "micro_mind/acc",
    }
    summary = read_json(both.out / "summary.json")
    assert (summary["rows"], summary["benchmarks"]) == (12, 2)
    assert set(read_json(both.out / "expectations.json")) == {"items of generate", "items of micro"}
