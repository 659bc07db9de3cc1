"""What a checkpoint scores does not depend on whose code computes it, nor on its batch."""

import shutil

import pytest
import torch
import yaml
from lm_eval.api.instance import Instance
from transformers import AutoModelForCausalLM, GenerationConfig

from hornbook.artifacts import read_json
from hornbook.evaluate.evaluate_compared import evaluate_compared
from hornbook.evaluate.greedy import Draw
from hornbook.evaluate.lm import HornbookLM
from hornbook.evaluate.memory import Memory
from hornbook.evaluate.transformers_lm import TransformersLM
from hornbook.model.checkpoint import load_model
from hornbook.model.compared import context_of, load_transformers, tokenizer_of
from hornbook.teacher.micro import write_items
from tests.conftest import ROOT
from tests.made_checkpoints import CONTEXT, WORDS, write_gpt2, write_llama, write_phi
from tests.made_run import file_bytes, made_run

PAIRS = [("The sky is", " blue"), ("Once two men", " say no"), ("a", " b"), ("", "what sinks"),
         (f"{WORDS * 3} Answer:", " a stone"), ("The sky is", " in water")]  # fmt: skip
PROMPTS = ["Once", "the sky is blue,", "def add(a, b):\n"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("checkpoints of others")
    return {write.__name__: write(root / write.__name__)
            for write in (write_phi, write_gpt2, write_llama)}  # fmt: skip


def theirs(folder, store, *, rows=3, new_tokens=12):
    store.mkdir(exist_ok=True)
    network = load_transformers(folder, "cpu", torch.float32, attention="explicit")
    return TransformersLM(
        network, tokenizer_of(folder), context=context_of(network, folder),
        memory=Memory(store, "digest", {}), rows=rows, new_tokens=new_tokens,
        advance=lambda _: None,
    )  # fmt: skip


def ours(folder, store):
    store.mkdir(exist_ok=True)
    return HornbookLM(
        load_model(folder, attention="explicit"), tokenizer_of(folder),
        memory=Memory(store, "digest", {}), rows=3, new_tokens=12, advance=lambda _: None,
    )  # fmt: skip


def asked(lm, pairs):
    return lm.loglikelihood([Instance("loglikelihood", {}, pair, 0) for pair in pairs])


def test_both_codes_give_a_phi_the_same_scores_and_texts(made, tmp_path):
    lms = (ours(made["write_phi"], tmp_path / "a"), theirs(made["write_phi"], tmp_path / "b"))
    mine, other = (asked(lm, PAIRS) for lm in lms)
    for one, two in zip(mine, other, strict=True):
        assert one[0] == pytest.approx(two[0], abs=1e-4)
        assert one[1] == two[1]
    assert lms[0].shortened == lms[1].shortened == 1
    mine, other = (lm.generate(PROMPTS, [[], ["\n"], []]) for lm in lms)
    assert mine == other
    draws = [Draw(seed, 0.8) for seed in range(3)]
    mine, other = (lm.generate(PROMPTS, [[]] * 3, draws=draws) for lm in lms)
    assert mine == other
    mine, other = (
        lm.loglikelihood_rolling([Instance("loglikelihood_rolling", {}, (WORDS * 3,), 0)])
        for lm in lms
    )
    assert mine == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize("kind", ["write_gpt2", "write_llama"])
def test_log_probabilities_are_those_of_the_whole_text(made, kind, tmp_path):
    lm = theirs(made[kind], tmp_path)
    peer = AutoModelForCausalLM.from_pretrained(made[kind], dtype=torch.float32)
    pairs = [pair for pair in PAIRS if pair[0] and len(pair[0]) < 100]
    for (context, answer), (logp, is_greedy) in zip(pairs, asked(lm, pairs), strict=True):
        whole, first = lm.tok_encode(context + answer), len(lm.tok_encode(context))
        assert (whole[0] == 1) == (kind == "write_llama"), "<s> stands before the question"
        with torch.inference_mode():
            table = peer(torch.tensor([whole])).logits[0].log_softmax(-1)
        told = [float(table[t - 1, whole[t]]) for t in range(first, len(whole))]
        assert logp == pytest.approx(sum(told), abs=1e-4)
        best = [int(table[t - 1].argmax()) == whole[t] for t in range(first, len(whole))]
        assert is_greedy == all(best)


def test_an_empty_question_is_the_token_that_begins_a_text(made, tmp_path):
    assert theirs(made["write_llama"], tmp_path / "a").prefix_token_id == 1
    gpt2 = theirs(made["write_gpt2"], tmp_path / "b")
    assert gpt2.prefix_token_id == gpt2.eot_token_id


@pytest.mark.parametrize("kind", ["write_gpt2", "write_llama"])
def test_greedy_text_is_that_of_transformers_alone(made, kind, tmp_path):
    lm = theirs(made[kind], tmp_path)
    peer = AutoModelForCausalLM.from_pretrained(made[kind], dtype=torch.float32)
    found = lm.generate(PROMPTS, [[]] * 3)
    for prompt, text in zip(PROMPTS, found, strict=True):
        ids = torch.tensor([lm.tok_encode(prompt)])
        alone = GenerationConfig(max_new_tokens=12, do_sample=False, pad_token_id=0)
        whole = peer.generate(ids, generation_config=alone)
        assert text == tokenizer_of(made[kind]).decode(whole[0, ids.shape[1] :].tolist())


def test_how_a_checkpoint_likes_to_write_is_not_taken_over(made, tmp_path):
    folder = tmp_path / "repeats nothing"
    shutil.copytree(made["write_gpt2"], folder)
    GenerationConfig(repetition_penalty=9.0, no_repeat_ngram_size=1).save_pretrained(folder)
    plain = theirs(made["write_gpt2"], tmp_path / "a").generate(PROMPTS, [[]] * 3)
    assert theirs(folder, tmp_path / "b").generate(PROMPTS, [[]] * 3) == plain


def test_a_stop_string_ends_the_text_before_it(made, tmp_path):
    lm = theirs(made["write_gpt2"], tmp_path)
    whole = lm.generate(["Once"], [[]])[0]
    stop = whole[4:6]
    assert lm.generate(["Once", "the"], [[stop], []])[0] == whole[: whole.index(stop)]


def test_known_answers_are_not_computed_again(made, tmp_path, monkeypatch):
    lm = theirs(made["write_gpt2"], tmp_path)
    first = asked(lm, PAIRS), lm.generate(PROMPTS, [[]] * 3)
    monkeypatch.setattr(lm.network, "forward", lambda *_, **__: pytest.fail("asked it again"))
    assert (asked(lm, PAIRS), lm.generate(PROMPTS, [[]] * 3)) == first


def test_a_row_with_many_logits_is_a_batch_of_its_own(made, tmp_path, monkeypatch):
    lm = theirs(made["write_gpt2"], tmp_path / "a", rows=8)
    rows = [row for n in range(1, 6) for row in lm.packed((1,) * (n * 9), [(2,), (3,)])]
    assert [len(batch) for _, batch in lm.batched(rows)] == [8, 2]
    bytes_of_nine = 9 * 330 * 4
    monkeypatch.setattr("hornbook.evaluate.transformers_lm._LOGIT_BYTES", 4 * bytes_of_nine)
    sizes = [(len(batch), max(row.tokens for row in batch)) for _, batch in lm.batched(rows)]
    assert sum(count for count, _ in sizes) == len(rows)
    assert all(count * tokens <= 4 * 9 or count == 1 for count, tokens in sizes)


SUITES = {"choice": [], "code": ["micro_functions"], "generate": ["micro_cloze"],
          "micro": ["micro_mind"]}  # fmt: skip


def stage_run(root, name, folder):
    conf = yaml.safe_load((ROOT / "conf" / "evaluate" / "sample.yaml").read_text())
    conf |= {"suites": SUITES, "limit": 6, "new_tokens": 8, "attention": "explicit"}
    conf["sandbox"]["mode"] = "rlimit"
    params = {
        "evaluate": conf,
        "data": {"benchmarks": "benchmarks"},
        "compared": {"models": {name: {"folder": str(folder), "hub": None}}},
    }
    reads = [str(folder), "benchmarks"]
    return made_run(root, f"evaluate_compared@{name}", reads=reads, params=params)


def test_the_stage_writes_what_an_evaluation_writes_and_says_what_the_model_is(made, tmp_path):
    write_items(tmp_path / "benchmarks" / "micro", 0)
    run = stage_run(tmp_path, "tiny", made["write_gpt2"])
    evaluate_compared(run)
    facts = read_json(run.out / "model.json")
    assert facts == {
        "name": "tiny", "hub": None, "architecture": "GPT2LMHeadModel", "parameters": 38_080,
        "context_tokens": CONTEXT, "computed_by": "transformers",
    }  # fmt: skip
    results = {suite: read_json(run.out / suite / "results.json") for suite in SUITES}
    assert {one["variant"] for one in results.values()} == {"tiny"}
    asked = {cell["task"]: cell for one in results.values() for cell in one["cells"]}
    assert set(asked) == {"micro_functions", "micro_cloze", "micro_mind"}
    assert all(cell["items"] == 6 for cell in asked.values())
    assert asked["micro_mind"]["shortened"] > 0, "its context is shorter than some items"
    write_items(tmp_path / "again" / "benchmarks" / "micro", 0)  # where nothing is remembered
    again = stage_run(tmp_path / "again", "tiny", made["write_gpt2"])
    evaluate_compared(again)
    assert file_bytes(again.out) == file_bytes(run.out)


def test_a_phi_gets_the_scores_that_its_training_gets(made, tmp_path):
    """The same weights, as a stage `train` wrote them and as others read them."""
    write_items(tmp_path / "benchmarks" / "micro", 0)
    trained = made["write_phi"].with_name("write_phi-trained")
    found = []
    for name, folder in (("exported", made["write_phi"]), ("trained", trained)):
        run = stage_run(tmp_path, name, folder)
        evaluate_compared(run)
        assert read_json(run.out / "model.json")["computed_by"] == "hornbook"
        found.append([(run.out / suite / "items.parquet").read_bytes() for suite in SUITES])
    assert found[0] == found[1]
