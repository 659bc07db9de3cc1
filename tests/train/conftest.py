"""A toy variant: two corpora that can be learned, and a stage run without DVC."""

import hashlib
import json
import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from hornbook.artifacts import write_table
from hornbook.model.config import Model
from hornbook.train.config import Curve, Domains, Keep, Optim, Schedule, Train

VOCABULARY, CONTEXT = 64, 16
SHAPE = Model(
    layers=2,
    width=32,
    heads=4,
    rotary_channels=4,
    mlp_width=64,
    context_tokens=CONTEXT,
    norm_eps=1e-5,
    rope_theta=10000.0,
    init_std=0.15,
)
SETTINGS = Train(
    seed=0,
    batch_sequences=4,
    micro_sequences=2,
    engine="torch",
    ranks=1,
    compile=False,
    activation_checkpointing=False,
    device="cpu",
    dtype="float32",
    attention="explicit",
    threads=1,
    optim=Optim(lr=1e-2, betas=(0.9, 0.98), eps=1e-7, weight_decay=0.1, clip_norm=1.0),
    z_loss=0.0,
    schedule=Schedule(kind="cosine", warmup_share=0.1, decay_share=0.0, final_share=0.05),
    guard=None,
    curve=Curve(
        every_steps=3,
        evaluate_every_steps=5,
        evaluate_sequences=4,
        domains=Domains(columns={"books": "domain"}, most=2),
    ),
    keep=Keep(every_steps=10, best=True),
    expectations=(),
)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    yield
    torch.use_deterministic_algorithms(mode=False)


DOCUMENT_TOKENS = 50


def write_tokens(root: Path, corpus: str, stride: int) -> dict[str, Any]:
    """Counting in steps of `stride`, from a few starts: learnable, and another law per corpus.

    Every 50 tokens are a document; of ten in turn, the first six are of domain `long`, then come
    `short`, a URL of no use, and two that only one document has.
    """
    folder = root / "artifacts" / "tokens" / corpus
    folder.mkdir(parents=True)
    shards, index = [], []
    for split, tokens in (("train", 2000), ("heldout", 200)):
        ids = (np.arange(tokens) * stride + np.arange(tokens) // 37) % VOCABULARY
        content = ids.astype("<u2").tobytes()
        name = f"{split}-00000.bin"
        (folder / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        shards.append({"file": name, "split": split, "tokens": tokens, "sha256": digest})
        index += [
            {"id": f"{split}-{start}", "offset": start, "length": DOCUMENT_TOKENS, "split": split}
            for start in range(0, tokens, DOCUMENT_TOKENS)
        ]  # fmt: skip
    meta = {"dtype": "<u2", "vocab_size": VOCABULARY, "eos": 0, "shards": shards}
    meta["sha256"] = hashlib.sha256(json.dumps(meta).encode()).hexdigest()
    (folder / "meta.json").write_text(json.dumps(meta))
    write_table(folder / "index-00000.parquet", pa.Table.from_pylist(index))
    domains = [*["long"] * 6, "short", "https://www.short/of?no=use", "rare", "once"]
    documents = [
        {"id": row["id"], "domain": domains[number % 10]} for number, row in enumerate(index)
    ]
    for part in range(2):
        write_table(
            root / "artifacts" / "clean" / "decontaminated" / corpus / f"part-{part:05d}.parquet",
            pa.Table.from_pylist(documents[part * 30 : 30 + part * 70]),
        )
    return meta


@dataclass
class FakeRun:
    """What a stage gets, over a folder of artifacts instead of the graph."""

    root: Path
    settings: Train
    shape: Model = SHAPE
    instance: str = "toy"
    name: str = "train@toy"
    checkpoint_seconds: float = 1e9
    checkpoints_kept: int = 2
    data_workers: int | None = None
    logs: list[str] = field(default_factory=list)
    measures: dict[str, Any] = field(default_factory=dict)
    summaries: dict[str, Any] = field(default_factory=dict)
    fail_at: int | None = None  # the step of the progress bar at which the process dies
    terminate_at: int | None = None  # the step at which SIGTERM comes

    def __post_init__(self) -> None:
        self.pending = self.root / "pending"
        self.out = self.pending / "out"
        self.out.mkdir(parents=True, exist_ok=True)
        self.runtime = SimpleNamespace(
            checkpoint_seconds=self.checkpoint_seconds,
            checkpoints_kept=self.checkpoints_kept,
            data_workers=self.data_workers,
        )

    def section(self, key, _kind):
        return {"model": self.shape, "train": self.settings}[key]

    def input(self, path):
        return self.root / path

    @contextmanager
    def progress(self, _total, _unit, _what=""):
        done = 0

        def advance(n=1):
            nonlocal done
            done += n
            if done == self.fail_at:
                raise KeyboardInterrupt
            if done == self.terminate_at:
                os.kill(os.getpid(), signal.SIGTERM)

        yield SimpleNamespace(advance=advance, note=lambda _text: None)

    def machine(self):
        return self.root / "machine.json"

    def log(self, text):
        self.logs.append(text)

    def summary(self, **values):
        self.summaries |= values

    def measure(self, **values):
        self.measures |= values

    def expect(self, _dataset, frame, _expectations, key):
        assert key in frame.columns


def open_run(folder, name="a", steps=23, **changes):
    """A run in a workspace below a folder; all have the same inputs."""
    root = folder / name
    if not root.exists():
        metas = {
            corpus: write_tokens(root, corpus, stride)
            for corpus, stride in (("books", 3), ("code", 5))
        }
        tokenizer = root / "artifacts" / "tokens" / "tokenizer"
        tokenizer.mkdir()
        (tokenizer / "meta.json").write_text('{"eos": 0}')
        (tokenizer / "tokenizer.json").write_text("{}")
        (tokenizer / "summary.json").write_text("{}")
        mixture = root / "artifacts" / "mixture" / "toy"
        mixture.mkdir(parents=True)
        sources = [
            {"corpus": corpus, "weight": weight, "sha256": metas[corpus]["sha256"]}
            for corpus, weight in (("books", 0.75), ("code", 0.25))
        ]
        manifest = {
            "budget_tokens": steps * 4 * CONTEXT,
            "order_seed": 0,
            "vocab_size": VOCABULARY,
            "sources": sources,
        }
        (mixture / "mixture.json").write_text(json.dumps(manifest))
    own = {k: v for k, v in changes.items() if k in FakeRun.__dataclass_fields__}
    settings = {k: v for k, v in changes.items() if k not in own}
    return FakeRun(root, replace(SETTINGS, **settings), **own)


@pytest.fixture
def start(tmp_path):
    """A function that opens a run in a named workspace, all with the same inputs."""
    return partial(open_run, tmp_path)
