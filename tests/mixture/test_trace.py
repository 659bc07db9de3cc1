"""Every token that a step draws is named with its document and its source record."""

import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hornbook.__main__ import main
from hornbook.artifacts import read_json, read_table, write_json
from hornbook.mixture.sampler import Sampler
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.index import Index, verify_shards
from tests.tokens.test_tokens import CLEAN, fitted, index_of, stage, tokens
from tests.train.conftest import SETTINGS

CONTEXT, SEQUENCES, STEPS = 16, 6, 40
GRAPH = """stages:
  tokens:
    foreach: [books, code]
    do: {cmd: x, outs: ["artifacts/tokens/${item}"]}
  train:
    foreach: [toy]
    do: {cmd: x, outs: ["artifacts/train/${item}"]}
  train_seed:
    foreach: ${further_seeds.models}
    do: {cmd: x, outs: ["artifacts/train/${key}"]}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two corpora of several shards, and the manifest of a variant that is drawn from them."""
    made = tmp_path_factory.mktemp("trace")
    fitted(made)
    for corpus in ("books", "code"):
        run = stage(made, corpus=corpus)
        tokens(run)
        run.out.rename(made / "artifacts/tokens" / corpus)
    sources = [
        {
            "corpus": corpus,
            "weight": weight,
            "tokens": None,
            "sha256": read_json(made / "artifacts/tokens" / corpus / "meta.json")["sha256"],
        }
        for corpus, weight in (("books", 3), ("code", 1))
    ]
    manifest = {"budget_tokens": STEPS * SEQUENCES * CONTEXT, "order_seed": 1, "sources": sources}
    write_json(made / "artifacts/mixture/toy/mixture.json", manifest)
    (made / "dvc.yaml").write_text(GRAPH)
    (made / "params.yaml").write_text(
        f"model: {{context_tokens: {CONTEXT}}}\ntrain: {{batch_sequences: {SEQUENCES}, seed: 5}}\n"
        "further_seeds: {models: {toy-6: {variant: toy, seed: 6}}}\n"
    )
    return made


@pytest.fixture
def trace(root, monkeypatch, capsys):
    """What `hornbook trace` prints, and how it ends."""
    monkeypatch.chdir(root)

    def run(*arguments):
        status = main(["trace", *arguments])
        captured = capsys.readouterr()
        return status, captured.out if status == 0 else captured.err

    return run


def sampler(root, seed=5):
    folders = {corpus: root / "artifacts/tokens" / corpus for corpus in ("books", "code")}
    return Sampler(root / "artifacts/mixture/toy", folders, context_tokens=CONTEXT, seed=seed)


def test_the_pieces_of_any_stretch_are_its_documents_in_order(root):
    folder = root / "artifacts/tokens/books"
    rows = [row for row in index_of(folder) if row["split"] == "train"]
    owners = [(row["id"], at) for row in rows for at in range(row["length"])]
    index = Index(folder)
    assert index.tokens["train"] == len(owners)
    draw = np.random.default_rng(0)
    for _ in range(200):
        start = int(draw.integers(len(owners)))
        end = min(len(owners), start + int(draw.integers(1, 900)))
        pieces = list(index.pieces("train", start, end))
        found = [(piece.id, at) for piece in pieces for at in range(piece.first, piece.last)]
        assert found == owners[start:end]


def test_a_step_names_the_documents_whose_text_its_rows_are(root, trace):
    status, said = trace("train@toy", "--step", "12")
    assert status == 0
    batch = sampler(root).batch(11, SEQUENCES)
    encoder = Encoder.load(root / "artifacts/tokens/tokenizer")
    rows = re.split(r"^row \d+: ", said, flags=re.MULTILINE)[1:]
    assert len(rows) == SEQUENCES
    for ids, row in zip(batch, rows, strict=True):
        shown = re.findall(r'^  \S+  tokens .*?  s  (".*")$', row, flags=re.MULTILINE)
        text = "".join(json.loads(one) for one in shown)
        assert text == encoder.decode(ids[:-1].tolist())
    digest = sampler(root).replay(12, SEQUENCES)
    assert f"digest after step 12: {digest}" in said
    assert "this is the order that it will be trained in" in said


def test_a_row_shows_the_source_record_of_each_document(root, trace):
    _, said = trace("train@toy", "--step", "3", "--row", "2")
    shown = re.findall(
        r"^  (\S+)  tokens .* in (\S+); row (\d+) of (\S+)$", said, flags=re.MULTILINE
    )
    assert shown
    for document, _, row, part in shown:
        corpus = document.partition("-")[0]
        found = read_table(root / CLEAN / corpus / part).slice(int(row), 1).to_pylist()[0]
        assert found["id"] == document
    assert said.count("    source: s") == len(shown)


def test_a_trained_model_is_proved_to_have_seen_this_order_or_refused(root, trace):
    metrics = root / "artifacts/train/toy/metrics.json"
    write_json(metrics, {"steps": STEPS, "digest": sampler(root).replay(STEPS, SEQUENCES)})
    assert "train/toy was trained in this order" in trace("train@toy", "--step", "1")[1]
    write_json(metrics, {"steps": STEPS, "digest": sampler(root, 6).replay(STEPS, SEQUENCES)})
    status, said = trace("train@toy", "--step", "1")
    assert status == 2
    assert "was trained in another order than params.yaml and the tokens give now" in said
    shutil.rmtree(metrics.parent)


def test_a_further_seed_is_traced_in_its_own_order(root, trace, monkeypatch):
    from hornbook.train.train_seed import train_seed

    trained = []
    monkeypatch.setattr(
        "hornbook.train.train_seed.train_variant", lambda *given: trained.append(given[-1].seed)
    )
    settings = replace(SETTINGS, seed=5)
    train_seed(SimpleNamespace(instance="toy-6", section=lambda *_: settings))
    assert trained == [11]  # the sixth after train.seed
    _, said = trace("train_seed@toy-6", "--step", "7")
    assert "seed 11" in said.splitlines()[0]
    assert f"digest after step 7: {sampler(root, 11).replay(7, SEQUENCES)}" in said


def test_a_document_is_found_by_its_id_and_by_a_place_in_it(root, trace):
    row = next(row for row in index_of(root / "artifacts/tokens/code") if row["split"] == "train")
    _, said = trace("tokens@code", "--document", row["id"])
    assert f"code, train, from token {row['offset']:,} on" in said
    assert f"| Lesson {row['id'].removeprefix('code-')}: the code say" in said
    assert trace("tokens@code", "--position", str(row["offset"] + 3))[1] == said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train@toy"], r"say which step: hornbook trace train@toy --step 1"),
        (["train@toy", "--step", "41"], r"--step 41: expected a step from 1 to 40"),
        (["train@toy", "--step", "1", "--row", "6"], r"--row 6: expected a row from 0 to 5"),
        (["web_corpus"], r"web_corpus cannot be traced; expected one of tokens@books"),
        (["tokens@books"], r"say which document"),
        (["tokens@books", "--document", "x"], r"has no document 'x'; .*removed.parquet"),
        (["tokens@books", "--position", "999999"], r"has [\d,]+ tokens for train"),
    ],
)
def test_a_question_without_answer_is_told_what_can_be_asked(trace, arguments, message):
    status, said = trace(*arguments)
    assert status == 2
    assert re.search(message, said)


def test_one_changed_bit_of_a_shard_is_found(root, trace):
    folder = root / "artifacts/tokens/books"
    assert "all as meta.json says" in trace("tokens@books", "--verify")[1]
    assert sum(verify_shards(folder)) == sum(
        (folder / s["file"]).stat().st_size for s in read_json(folder / "meta.json")["shards"]
    )
    shard = folder / "tokens-00001.bin"
    content = bytearray(shard.read_bytes())
    content[20] ^= 1
    whole = shard.read_bytes()
    shard.write_bytes(content)
    status, said = trace("tokens@books", "--verify")
    shard.write_bytes(whole)
    assert status == 2
    assert re.search(r"tokens-00001.bin is damaged: its checksum is .* dvc checkout --force", said)


def test_a_clean_corpus_other_than_the_encoded_one_is_refused(root, trace):
    part = root / CLEAN / "books/part-00000.parquet"
    aside = part.with_suffix(".aside")
    part.rename(aside)
    part.hardlink_to(root / CLEAN / "books/part-00001.parquet")
    row = next(r for r in index_of(root / "artifacts/tokens/books") if r["part"] == "part-00000")
    status, said = trace("tokens@books", "--document", row["id"])
    part.unlink()
    aside.rename(part)
    assert status == 2
    assert re.search(
        r"row 0 of .*part-00000.parquet is books-25, .* hornbook run tokens@books", said
    )
