"""Task files for lm-eval's own command line: the same items and prompts, and the same scores."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from hornbook.artifacts import write_table
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.harness import build, run_task
from hornbook.evaluate.lm import HornbookLM
from hornbook.evaluate.memory import Memory
from hornbook.evaluate.task_files import write_held_out, write_tasks
from hornbook.model.checkpoint import load_model, save_model
from hornbook.model.config import Model
from hornbook.model.export import export
from hornbook.model.phi import Phi
from hornbook.teacher.micro import write_items
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.vocabulary import fit, save
from hornbook.train.resolve import resolve
from tests.made_run import conf

ROOT = Path(__file__).resolve().parents[2]


def settings_of(choice, context_tokens=128):
    values = resolve(conf("evaluate", choice), context_tokens=context_tokens, name="evaluate")
    return TypeAdapter(Evaluate).validate_python(values)


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory):
    """The micro-suites."""
    folder = tmp_path_factory.mktemp("benchmarks")
    write_items(folder / "micro", 0)
    return folder


def prompts(task):
    task.build_all_requests()
    return [instance.args for instance in task.instances]


def read(folder, name):
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._yaml_loader import load_yaml

    return ConfigurableTask(config=load_yaml(folder / f"{name}.yaml"))


def test_every_suite_that_lm_eval_scores_is_asked_in_the_same_words(benchmarks, tmp_path):
    settings = settings_of("sample")
    names = write_tasks(tmp_path, settings, benchmarks, context_tokens=128)
    asked = {n for suite in ("generate", "micro") for n in settings.suites[suite]}
    assert names == sorted(f"hornbook_{name}" for name in asked), "programs are not lm-eval's"
    for name in asked:
        ours = prompts(build(name, settings, benchmarks)[name])
        theirs = prompts(read(tmp_path, f"hornbook_{name}"))
        assert [args[0] for args in theirs] == [args[0] for args in ours]
        if name == "micro_cloze":
            assert {args[1]["max_gen_toks"] for args in theirs} == {settings.new_tokens}
        else:
            assert theirs == ours


def test_tasks_of_lm_eval_have_our_items_few_shot_and_limit(tmp_path, shared):
    settings = replace(settings_of("plumbing"), limit=60)
    settings = replace(settings, suites={"choice": ["mmlu", "piqa"], "generate": ["gsm8k"]})
    names = write_tasks(tmp_path, settings, shared, context_tokens=64)
    assert len(names) == 57 + 2
    ours = build("mmlu", settings, shared)["mmlu_anatomy"]
    ours.build_all_requests(limit=1)
    theirs = read(tmp_path, "hornbook_mmlu_anatomy")
    theirs.set_fewshot_seed(settings.seed)
    assert prompts(theirs) == [instance.args for instance in ours.instances]
    assert len(read(tmp_path, "hornbook_piqa").eval_docs) == 60
    gsm8k = read(tmp_path, "hornbook_gsm8k")
    assert gsm8k.config.generation_kwargs["max_gen_toks"] == 32, "half of the context"
    assert gsm8k.config.generation_kwargs["until"], "stops stay"


def test_held_out_documents_are_a_task_and_others_none(tmp_path):
    index = pa.table(
        {"id": ["a", "b", "c", "d"], "split": ["heldout", "train", "heldout", "heldout"]}
    )
    texts = pa.table({"id": ["a", "b", "c", "d"], "text": ["One.", "Two.", "Three.", "Four."]})
    write_table(tmp_path / "artifacts/tokens/books/index-00000.parquet", index)
    write_table(tmp_path / "artifacts/clean/decontaminated/books/part-00000.parquet", texts)
    assert write_held_out(tmp_path / "to", tmp_path, "books", 2) == "hornbook_heldout_books"
    assert prompts(read(tmp_path / "to", "hornbook_heldout_books")) == [("One.",), ("Three.",)]
    assert write_held_out(tmp_path / "to", tmp_path, "web", 2) is None


@pytest.fixture(scope="module")
def trained(benchmarks, tmp_path_factory):
    """A model with random weights in the layout of a training, with a tokenizer."""
    folder = tmp_path_factory.mktemp("model")
    text = [file.read_text() for file in sorted((benchmarks / "micro").glob("*.jsonl"))]
    vocabulary = fit(text, vocab_size=512, whole_numbers_to=9, min_frequency=2,
                     eos_text="<|endoftext|>")  # fmt: skip
    save(vocabulary, folder, kind="fit", vocab_size=512)
    model = Phi(Model(**conf("model")), vocab_size=512, attention="explicit")
    model.initialise(0)
    save_model(model, folder, eos_token_id=vocabulary.eos)
    return folder


def test_whole_texts_are_cut_as_lm_eval_cuts_them(trained, tmp_path):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    export(trained, tmp_path / "exported", shard_bytes=10**9)
    hflm = HFLM(pretrained=str(tmp_path / "exported"), dtype="float32", device="cpu")
    lm = HornbookLM(load_model(trained, attention="explicit"), Encoder.load(trained),
                    memory=Memory(tmp_path, "digest", {}), rows=3, new_tokens=8,
                    advance=lambda _: None)  # fmt: skip
    texts = ["One.", "The cat sat down. " * 40, "Who?", "A dog and a cow. " * 97]
    asked = [Instance("loglikelihood_rolling", {}, (text,), 0) for text in texts]
    assert len(lm.encoder.encode(texts[1])) % 128 > 1, "its last window is not a full one"
    theirs = hflm.loglikelihood_rolling(asked, disable_tqdm=True)
    assert lm.loglikelihood_rolling(asked) == pytest.approx(theirs, rel=1e-5)


@pytest.mark.slow
def test_lm_evals_own_command_line_scores_an_exported_checkpoint_as_we_do(
    benchmarks, trained, tmp_path
):
    settings = settings_of("sample")
    export(trained, tmp_path / "exported", shard_bytes=10**9)
    write_tasks(tmp_path / "tasks", settings, benchmarks, context_tokens=128)
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--model_args",
               f"pretrained={tmp_path / 'exported'},dtype=float32", "--include_path",
               str(tmp_path / "tasks"), "--tasks", "hornbook_*", "--device", "cpu",
               "--batch_size", "32", "--output_path", str(tmp_path / "out")]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT / "src")}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    (file,) = (tmp_path / "out").rglob("results_*.json")
    theirs = json.loads(file.read_text("utf-8"))["results"]
    lm = HornbookLM(load_model(trained, attention="explicit"), Encoder.load(trained),
                    memory=Memory(tmp_path, "digest", {}), rows=32, new_tokens=48,
                    advance=lambda _: None)  # fmt: skip
    compared = 0
    for suite in ("generate", "micro"):
        for name in settings.suites[suite]:
            (cell,) = run_task(name, lm, settings, benchmarks)[0]
            found = theirs[f"hornbook_{name}"]
            (value,) = [v for k, v in found.items() if k.startswith(f"{cell.metric},")]
            assert cell.value == pytest.approx(value, abs=1e-6), name
            compared += 1
    assert compared == len(theirs) == 7
