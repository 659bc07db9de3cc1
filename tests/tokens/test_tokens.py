"""Every document is found again in the shards, and held-out ones are in none that is trained on."""

import hashlib

import numpy as np
import pytest

from hornbook.artifacts import read_documents, read_json, read_table, write_documents
from hornbook.errors import ConfigError
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.shards import heldout_ids, token_dtype
from hornbook.tokens.tokenizer import fit_texts, tokenizer
from hornbook.tokens.tokens import tokens
from hornbook.tokens.windows import Windows
from tests.made_run import conf, file_bytes, made_run

CLEAN = "artifacts/clean/decontaminated"


def corpora(root):
    for corpus in ("books", "code"):
        rows = [
            {
                "id": f"{corpus}-{n}",
                "text": f"Lesson {n}: the {corpus} say {n} + {n} is {2 * n}.\n\n    x = {n}\n",
                "source": "s",
            }
            for n in range(60)
        ]
        write_documents(root / CLEAN / corpus, rows, shard_rows=25)


def fitted(root, **changes):
    corpora(root)
    values = conf("tokens")
    values["tokenizer"] |= changes
    run = made_run(
        root,
        "tokenizer",
        reads=[f"{CLEAN}/books", f"{CLEAN}/code", "data/tokenizer"],
        params={"tokens": values, "data": {"tokenizer": "data/tokenizer"}},
    )
    tokenizer(run)
    (root / "artifacts/tokens").mkdir(parents=True)
    run.out.rename(root / "artifacts/tokens/tokenizer")
    return root / "artifacts/tokens/tokenizer"


def encoded(root, workers=1):
    values = conf("tokens")
    values["shards"] |= {"shard_tokens": 400, "heldout_fraction": 0.1}
    run = made_run(
        root,
        "tokens@books",
        reads=[f"{CLEAN}/books", "artifacts/tokens/tokenizer"],
        params={"tokens": values},
        workers=workers,
    )
    tokens(run)
    return run.out


def test_every_document_is_its_row_of_the_index(tmp_path):
    encoder = Encoder.load(fitted(tmp_path))
    out = encoded(tmp_path)
    meta = read_json(out / "meta.json")
    index = {row["id"]: row for row in read_table(out / "index.parquet").to_pylist()}
    for document in read_documents(tmp_path / CLEAN / "books"):
        row = index.pop(document["id"])
        shard = np.fromfile(out / row["shard"], dtype=meta["dtype"])
        ids = shard[row["offset"] : row["offset"] + row["length"]].tolist()
        assert ids[-1] == encoder.eos
        assert encoder.decode(ids[:-1]) == document["text"]
        assert row["shard"].startswith("heldout" if row["split"] == "heldout" else "tokens")
    assert not index
    assert len(meta["shards"]) > 3
    for shard in meta["shards"]:
        content = (out / shard["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == shard["sha256"]
        assert len(content) == 2 * shard["tokens"]
    splits = meta["splits"]
    assert (splits["train"]["documents"], splits["heldout"]["documents"]) == (54, 6)
    assert read_json(out / "summary.json")["tokens"] == sum(s["tokens"] for s in meta["shards"])


def test_windows_of_the_splits_hold_their_documents(tmp_path):
    encoder = Encoder.load(fitted(tmp_path))
    out = encoded(tmp_path)
    heldout = heldout_ids([f"books-{n}" for n in range(60)], fraction=0.1, seed=0)
    windows = Windows(out, "heldout", 16)
    rows = windows.take(np.arange(windows.count))
    text = "".join(encoder.decode(row[:-1].tolist()) for row in rows)
    seen = {f"books-{n}" for n in range(60) if f"Lesson {n}:" in text}
    assert seen
    assert seen <= heldout
    with pytest.raises(IndexError, match="of "):
        windows.take(np.array([windows.count]))


def test_the_bytes_are_the_same_again_and_with_more_workers(tmp_path):
    for name, workers in (("a", 1), ("b", 3)):
        fitted(tmp_path / name)
        encoded(tmp_path / name, workers)
    a, b = (tmp_path / name for name in "ab")
    assert file_bytes(a / "artifacts/tokens") == file_bytes(b / "artifacts/tokens")
    assert file_bytes(a / ".pending/tokens@books") == file_bytes(b / ".pending/tokens@books")


def test_the_gpt2_vocabulary_is_taken_from_files(tmp_path, shared):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/tokenizer").symlink_to(shared / "tokenizer")
    folder = fitted(tmp_path, kind="files", vocab_size=51200)
    meta = read_json(folder / "meta.json")
    assert (meta["tokens"], meta["vocab_size"], meta["eos"]) == (50295, 51200, 50256)
    assert read_json(folder / "summary.json")["documents_verified"] == 60  # at most 50 each


def test_a_vocabulary_that_does_not_fit_the_model_is_refused(tmp_path, shared):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/tokenizer").symlink_to(shared / "tokenizer")
    with pytest.raises(ConfigError, match=r"vocab_size=50000, but the vocabulary has 50295"):
        fitted(tmp_path, kind="files", vocab_size=50000)


def test_no_room_for_bytes_and_numbers_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"has no room for 256 bytes, 90 whole numbers"):
        fitted(tmp_path, vocab_size=346)


def test_the_vocabulary_is_fitted_to_about_the_declared_share_of_each_corpus(tmp_path):
    corpora(tmp_path)
    folders = {name: tmp_path / CLEAN / name for name in ("books", "code")}
    found = list(fit_texts(folders, {"books": 1000, "code": 10**6}))
    assert 15 <= sum("books" in text for text in found) <= 25  # of 60 of about 50 characters
    assert sum("code" in text for text in found) == 60
    with pytest.raises(ConfigError, match=r"names \['books'\]; expected \['books', 'code'\]"):
        list(fit_texts(folders, {"books": 1000}))


def test_heldout_documents_are_a_share_and_hardly_move_when_the_corpus_grows():
    ids = [str(n) for n in range(1000)]
    held = heldout_ids(ids, fraction=0.05, seed=0)
    assert len(held) == 50
    assert len(heldout_ids([*ids, "new"], fraction=0.05, seed=0) ^ held) <= 2
    assert heldout_ids(ids, fraction=0.05, seed=1) != held
    assert len(heldout_ids(ids[:3], fraction=0.01, seed=0)) == 1
    assert heldout_ids(ids[:1], fraction=0.5, seed=0) == set()


@pytest.mark.parametrize(("size", "dtype"), [(65536, "<u2"), (65537, "<u4")])
def test_ids_are_as_narrow_as_the_vocabulary_allows(size, dtype):
    assert token_dtype(size) == dtype
    assert int(np.array(size - 1).astype(dtype)) == size - 1
