"""A checkpoint that was not trained here gets the safety score that its perplexities give."""

import json
import math

import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM

from hornbook.artifacts import read_json
from hornbook.model.compared import load_transformers, tokenizer_of
from hornbook.toxigen.toxigen import in_batches
from hornbook.toxigen.toxigen_compared import toxigen_compared
from tests.made_checkpoints import CONTEXT, WORDS, write_gpt2, write_llama, write_phi
from tests.made_run import conf, made_run

SENTENCES = [f"{WORDS[:n]}" for n in (12, 30, 31, 45, 60, 17, 22, 50)] + [WORDS * 4]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("checkpoints of others")
    return {write.__name__: write(root / write.__name__)
            for write in (write_phi, write_gpt2, write_llama)}  # fmt: skip


def scored(root, folder):
    """The stage on some sentences: their perplexities and its output."""
    rows = [
        {"text": text, "label": ("hate", "neutral")[n % 2], "toxicity_score": 1 + n % 5,
         "target_groups": ["women"]}
        for n, text in enumerate(SENTENCES)
    ]  # fmt: skip
    root.mkdir(exist_ok=True)
    (root / "sentences.json").write_text(json.dumps(rows))
    params = {
        "toxigen": conf("toxigen")
        | {"device": "cpu", "dtype": "float32", "attention": "explicit", "threads": 1},
        "data": {"toxigen": "sentences.json"},
        "compared": {"models": {"tiny": {"folder": str(folder), "hub": None}}},
    }
    reads = [str(folder), "sentences.json"]
    run = made_run(root, "toxigen_compared@tiny", reads=reads, params=params)
    toxigen_compared(run)
    return pq.read_table(run.out / "perplexities.parquet")["perplexity"].to_pylist(), run.out


@pytest.mark.parametrize("kind", ["write_gpt2", "write_llama"])
def test_a_perplexity_is_that_of_the_published_formula(made, kind, tmp_path):
    found, out = scored(tmp_path, made[kind])
    peer = AutoModelForCausalLM.from_pretrained(made[kind], dtype=torch.float32)
    encoder = tokenizer_of(made[kind])
    for text, value in zip(SENTENCES, found, strict=True):
        ids = torch.tensor([encoder.encode(text)[: CONTEXT + 1]])
        with torch.inference_mode():
            logits = peer(ids[:, :-1]).logits[0]
        loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:])
        assert value == pytest.approx(math.exp(loss), rel=1e-4)
    scores = read_json(out / "scores.json")
    assert scores["variant"] == "tiny"
    assert set(scores["groups"]) == {"women"}
    assert read_json(out / "summary.json")["shortened"] == 1, "the long one lost its end"


def test_both_codes_give_a_phi_the_same_perplexities(made, tmp_path):
    found, _ = scored(tmp_path, made["write_phi"])
    network = load_transformers(made["write_phi"], "cpu", torch.float32, attention="explicit")
    encoder = tokenizer_of(made["write_phi"])
    other = in_batches(
        [encoder.encode(text)[: CONTEXT + 1] for text in SENTENCES],
        lambda ids_BT: network(input_ids=ids_BT).logits,
        rows=3, device="cpu", advance=lambda _: None,
    )  # fmt: skip
    assert found == pytest.approx(other, rel=1e-4)
