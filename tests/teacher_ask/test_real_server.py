"""A server that we did not write: `transformers serve` with a small model of ours."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

from hornbook.model.checkpoint import save_model
from hornbook.model.config import Model
from hornbook.model.phi import Phi
from hornbook.runtime import Endpoint
from hornbook.teacher.passages import write
from tests.teacher_ask.conftest import TEACHER, Classroom, questions

SHAPE = Model(
    layers=2,
    width=64,
    heads=4,
    rotary_channels=8,
    mlp_width=128,
    context_tokens=256,
    norm_eps=1e-5,
    rope_theta=10000.0,
    init_std=0.1,
)
END, CONTEXT, STEPS = "<|endoftext|>", 64, 40
CHAT = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
START_SECONDS = 120


def make_model(folder: Path) -> None:
    """A few steps of training on the embedded teacher's passages, as a Hugging Face checkpoint."""
    texts = [write({"domain": "science", "variation": str(n)}, 0) for n in range(100)]
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    from tokenizers.decoders import ByteLevel as Decoder

    tokenizer.decoder = Decoder()
    trainer = BpeTrainer(vocab_size=512, special_tokens=[END], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    model = Phi(SHAPE, vocab_size=512, attention="explicit")
    model.initialise(0)
    ids = torch.tensor([i for text in texts for i in tokenizer.encode(text).ids])
    rows = ids[: len(ids) // CONTEXT * CONTEXT].view(-1, CONTEXT)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(STEPS):
        batch = rows[step * 8 % len(rows) :][:8]
        logits = model(batch[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save_model(model, folder, eos_token_id=0)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "chat_template": CHAT}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Endpoint]:
    """The endpoint, with the folder as the model's name there."""
    folder = tmp_path_factory.mktemp("served")
    make_model(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder), "--port",
               str(port), "--host", "127.0.0.1", "--device", "cpu"]  # fmt: skip
    log = (folder / "log").open("wb")
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait(f"http://127.0.0.1:{port}/v1/chat/completions", process, folder / "log")
        yield Endpoint(url=f"http://127.0.0.1:{port}/v1", model=str(folder))
    finally:
        process.kill()
        process.wait()
        log.close()


def wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until something answers, whatever it says to an empty request."""
    for _ in range(START_SECONDS):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, b"{}", timeout=5)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(1)
    raise AssertionError(f"nothing answers: {log.read_text()}")


def test_a_real_servers_answers_are_kept_and_asked_once(
    classroom: Classroom, served: Endpoint
) -> None:
    short = replace(TEACHER, max_tokens=16, temperature=0.7, top_p=0.9)
    answers = classroom.ask(questions(5), short, endpoints=[served], concurrency=2)
    assert [answer.failure for answer in answers] == [None] * 5
    assert all(answer.text and 0 < answer.completion_tokens <= 16 for answer in answers)
    assert all(answer.finish_reason in {"stop", "length"} for answer in answers)
    assert classroom.ask(questions(5), short, endpoints=[served]) == answers
    assert classroom.last.measures["asked"] == 0
