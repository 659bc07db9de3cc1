"""Every document is found again in the shards, and held-out ones are in none that is trained on."""

import hashlib
import os
import shutil
import signal
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from hornbook.artifacts import read_json, read_table, shards, write_documents, write_json
from hornbook.errors import ArtifactError, ConfigError
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.shards import (
    SplitWriter,
    document_digest,
    heldout_below,
    heldout_hash,
    token_dtype,
)
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


def stage(root, corpus="books", workers=1, text_mib=0, fraction=0.1):
    values = conf("tokens")
    values["shards"] |= {"shard_text_mib": text_mib, "heldout_fraction": fraction}
    return made_run(
        root,
        f"tokens@{corpus}",
        reads=[f"{CLEAN}/{corpus}", "artifacts/tokens/tokenizer"],
        params={"tokens": values},
        workers=workers,
    )


def encoded(root, **changes):
    run = stage(root, **changes)
    tokens(run)
    return run.out


def index_of(out):
    return [row for file in shards(out, "index") for row in read_table(file).to_pylist()]


def stream(out, split):
    """The tokens of a split, and where each shard's file begins in them."""
    meta = read_json(out / "meta.json")
    files = [shard["file"] for shard in meta["shards"] if shard["split"] == split]
    return np.concatenate([np.fromfile(out / file, dtype=meta["dtype"]) for file in files])


def test_every_document_is_its_row_of_the_index_and_of_the_clean_corpus(tmp_path):
    encoder = Encoder.load(fitted(tmp_path))
    out = encoded(tmp_path)
    meta = read_json(out / "meta.json")
    rows = index_of(out)
    assert [row["id"] for row in rows] == [f"books-{n}" for n in range(60)]
    for row in rows:
        part = read_table(tmp_path / CLEAN / "books" / f"{row['part']}.parquet")
        document = part.slice(row["row"], 1).to_pylist()[0]
        assert document["id"] == row["id"]
        name = "heldout" if row["split"] == "heldout" else "tokens"
        number = row["part"].removeprefix("part-")
        shard = np.fromfile(out / f"{name}-{number}.bin", dtype=meta["dtype"])
        ids = shard[row["offset"] : row["offset"] + row["length"]]
        assert ids[-1] == encoder.eos
        assert encoder.decode(ids[:-1].tolist()) == document["text"]
        assert row["digest"] == document_digest(row["id"], ids[:-1].astype("<u4"))
    assert len(meta["shards"]) == 6  # three parts, two splits
    for shard in meta["shards"]:
        content = (out / shard["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == shard["sha256"]
        assert len(content) == 2 * shard["tokens"]
    splits = meta["splits"]
    held = sum(row["split"] == "heldout" for row in rows)
    assert (splits["train"]["documents"], splits["heldout"]["documents"]) == (60 - held, held)
    assert read_json(out / "summary.json")["tokens"] == sum(s["tokens"] for s in meta["shards"])


def test_windows_of_the_splits_hold_their_documents(tmp_path):
    encoder = Encoder.load(fitted(tmp_path))
    out = encoded(tmp_path)
    windows = Windows(out, "heldout", 16)
    rows = windows.take(np.arange(windows.count))
    text = "".join(encoder.decode(row[:-1].tolist()) for row in rows)
    seen = {f"books-{n}" for n in range(60) if f"Lesson {n}:" in text}
    assert seen
    assert seen <= {row["id"] for row in index_of(out) if row["split"] == "heldout"}
    with pytest.raises(IndexError, match="of "):
        windows.take(np.array([windows.count]))


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_windows_are_those_of_one_stream_however_it_is_cut(tmp_path, split):
    fitted(tmp_path)
    cut, whole = encoded(tmp_path, text_mib=0), tmp_path / "whole"
    shutil.copytree(cut, whole)
    shutil.rmtree(tmp_path / ".pending")
    one = encoded(tmp_path, text_mib=64)
    assert len(read_json(one / "meta.json")["shards"]) == 2
    for context in (1, 7, 64):
        windows, others = Windows(whole, split, context), Windows(one, split, context)
        text = stream(one, split)
        assert windows.count == others.count == (len(text) - 1) // context
        every = np.random.default_rng(0).permutation(windows.count)
        expected = [text[n * context : (n + 1) * context + 1] for n in every]
        assert np.array_equal(windows.take(every), np.stack(expected))
        assert np.array_equal(others.take(every), windows.take(every))


def test_the_identity_of_a_corpus_knows_documents_and_tokens_but_no_shards(tmp_path):
    fitted(tmp_path)
    found = []
    for text_mib in (0, 64):
        out = encoded(tmp_path, text_mib=text_mib)
        found.append(read_json(out / "meta.json"))
        shutil.rmtree(tmp_path / ".pending")
    assert found[0]["shards"] != found[1]["shards"]
    assert found[0]["sha256"] == found[1]["sha256"]
    rows = read_table(tmp_path / CLEAN / "books").to_pylist()
    shutil.rmtree(tmp_path / CLEAN / "books")
    write_documents(tmp_path / CLEAN / "books", rows[::-1])
    assert read_json(encoded(tmp_path) / "meta.json")["sha256"] != found[0]["sha256"]


def test_the_bytes_are_the_same_again_and_with_more_workers(tmp_path):
    found = []
    for name, workers in (("a", 1), ("b", 3)):
        fitted(tmp_path / name)
        found.append(file_bytes(encoded(tmp_path / name, workers=workers)))
    a, b = (tmp_path / name for name in "ab")
    assert file_bytes(a / "artifacts/tokens") == file_bytes(b / "artifacts/tokens")
    assert found[0] == found[1]


def test_a_stage_killed_at_its_second_shard_finds_the_first_again(tmp_path):
    fitted(tmp_path)
    process = get_context("fork").Process(target=_killed_at_the_second_shard, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    first = tmp_path / ".pending/tokens@books/encoding/00000"
    was = first.stat().st_mtime_ns, first.stat().st_ino
    shutil.rmtree(tmp_path / ".pending/tokens@books/out")
    resumed = file_bytes(encoded(tmp_path))
    assert (first.stat().st_mtime_ns, first.stat().st_ino) == was
    shutil.rmtree(tmp_path / ".pending")
    assert file_bytes(encoded(tmp_path)) == resumed


def _killed_at_the_second_shard(root):
    made = SplitWriter.add

    def dies(writer, documents, eos):
        if "00001" in writer.file.name:
            os.kill(os.getpid(), signal.SIGKILL)
        return made(writer, documents, eos)

    SplitWriter.add = dies
    tokens(stage(root))


def test_a_shard_that_is_cut_off_is_refused_with_the_remedy(tmp_path):
    fitted(tmp_path)
    out = encoded(tmp_path)
    shard = out / "tokens-00001.bin"
    windows = Windows(out, "train", 16)
    os.truncate(shard, 100)
    with pytest.raises(ArtifactError, match=r"tokens-00001.bin has 100 bytes.* dvc checkout"):
        windows.take(np.arange(windows.count))
    with pytest.raises(ArtifactError, match=r"tokens-00001.bin has 100 bytes.* dvc checkout"):
        Windows(out, "train", 16)


def test_no_more_files_are_open_than_a_process_may_have(tmp_path):
    names = [f"tokens-{n:05d}.bin" for n in range(200)]
    for n, name in enumerate(names):
        np.full(10, n, dtype="<u2").tofile(tmp_path / name)
    described = [{"file": name, "split": "train", "tokens": 10} for name in names]
    write_json(tmp_path / "meta.json", {"dtype": "<u2", "shards": described})
    windows = Windows(tmp_path, "train", 5)
    rows = windows.take(np.random.default_rng(0).permutation(windows.count))
    assert sorted(rows[:, 0].tolist()) == sorted([*range(200), *range(200)])[: windows.count]
    folder = Path("/proc/self/fd")
    held = [link for link in folder.iterdir() if str(tmp_path) in os.path.realpath(link)]
    assert 0 < len(held) <= 64


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


def held(ids, fraction, seed=0):
    limit = heldout_below(iter(ids), count=len(ids), fraction=fraction, seed=seed)
    return {one for one in ids if heldout_hash(one, seed) < limit}


def test_heldout_documents_are_a_share_and_another_document_moves_none():
    ids = [str(n) for n in range(4000)]
    found = held(ids, 0.05)
    assert 150 < len(found) < 250
    assert held([*ids, "new"], 0.05) - {"new"} == found
    assert held(ids, 0.05, seed=1) != found


@pytest.mark.parametrize(
    ("count", "fraction", "expected"),
    [(1, 0.5, 0), (2, 0.001, 1), (3, 0.01, 1), (2, 1.0, 1), (5, 1.0, 4), (40, 0.0, 0)],
)
def test_a_small_corpus_has_at_least_one_document_of_each_kind(count, fraction, expected):
    assert len(held([str(n) for n in range(count)], fraction)) == expected


def test_the_ids_of_a_large_corpus_are_not_read_to_choose():
    def unread():
        raise AssertionError
        yield

    assert heldout_below(unread(), count=10**9, fraction=0.5, seed=0) == 1 << 62


@pytest.mark.parametrize(("size", "dtype"), [(65536, "<u2"), (65537, "<u4")])
def test_ids_are_as_narrow_as_the_vocabulary_allows(size, dtype):
    assert token_dtype(size) == dtype
    assert int(np.array(size - 1).astype(dtype)) == size - 1
