"""Domains of windows, against a count token by token."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from hornbook.artifacts import read_json, read_table, shards, write_documents, write_table
from hornbook.errors import ArtifactError, ConfigError
from hornbook.tokens.tokenizer import tokenizer
from hornbook.tokens.tokens import tokens
from hornbook.tokens.windows import Windows
from hornbook.train.domains import source_domains, window_codes
from tests.made_run import conf, made_run
from tests.train.conftest import CONTEXT, write_tokens

CLEAN = "artifacts/clean/decontaminated"


def counted(index, domains, context, count):
    """The most frequent domain of each window, by writing down the domain of every token."""
    names = np.concatenate([[domains[row["id"]]] * row["length"] for row in index])
    parts = (names[n * context : (n + 1) * context] for n in range(count))
    return [min(Counter(part).items(), key=lambda one: (-one[1], one[0]))[0] for part in parts]


def encoded(root, *, shard_text_mib):
    rows = [
        {
            "id": f"book-{n}",
            "text": f"Lesson {n} has {n * 37 % 11} parts. " * (1 + n * 7 % 5),
            "source": f"https://www.host-{n % 3}.org/page/{n}",
            "domain": ("science", "daily life", "code, and more", "rare")[min(n % 7, 3)],
        }
        for n in range(200)
    ]
    for corpus in ("books", "code"):
        write_documents(root / CLEAN / corpus, rows, shard_rows=33)
    values = conf("tokens")
    values["shards"] |= {"shard_text_mib": shard_text_mib, "heldout_fraction": 0.1}
    reads = [f"{CLEAN}/books", f"{CLEAN}/code", "artifacts/tokens/tokenizer"]
    (root / "artifacts/tokens").mkdir(parents=True)
    for function, name, out in (
        (tokenizer, "tokenizer", "tokenizer"),
        (tokens, "tokens@books", "books"),
    ):
        run = made_run(root, name, reads=reads, params={"tokens": values})
        function(run)
        run.out.rename(root / "artifacts/tokens" / out)
    return root / "artifacts/tokens/books", root / CLEAN / "books"


@pytest.mark.parametrize("shard_text_mib", [0, 64], ids=["many shards", "one shard"])
def test_each_window_has_the_domain_of_most_of_its_tokens(tmp_path, shard_text_mib):
    folder, documents = encoded(tmp_path, shard_text_mib=shard_text_mib)
    found = source_domains(folder, documents, column="domain", most=9, context_tokens=CONTEXT)
    assert found.names == ("code_ and more", "daily life", "rare", "science")
    plain = {row["id"]: row["domain"].replace(",", "_") for row in
             read_table(documents, ["id", "domain"]).to_pylist()}  # fmt: skip
    index = [row for part in shards(folder, "index") for row in read_table(part).to_pylist()]
    assert len(read_json(folder / "meta.json")["shards"]) >= (4 if shard_text_mib == 0 else 2)
    for split in ("train", "heldout"):
        own = [row for row in index if row["split"] == split]
        count = (sum(row["length"] for row in own) - 1) // CONTEXT
        expected = counted(own, plain, CONTEXT, count)
        got = [found.names[code] for code in found.windows[split]]
        assert got == expected
        assert len(got) == Windows(folder, split, CONTEXT).count


def test_of_a_url_the_host_counts_and_what_is_left_over_is_other(tmp_path):
    folder, documents = encoded(tmp_path, shard_text_mib=64)
    found = source_domains(folder, documents, column="source", most=2, context_tokens=CONTEXT)
    assert found.names[-1] == "other"
    assert set(found.names[:-1]) < {"host-0.org", "host-1.org", "host-2.org"}
    assert {*found.windows["train"].tolist()} == {0, 1, 2}


def test_a_domain_called_other_is_not_mixed_with_what_is_left_over(tmp_path):
    write_tokens(tmp_path, "books", 3)
    folder, documents = tmp_path / "artifacts/tokens/books", tmp_path / CLEAN / "books"
    for part in shards(documents):
        rows = [row | {"domain": row["domain"].replace("long", "other")}
                for row in read_table(part).to_pylist()]  # fmt: skip
        write_table(part, pa.Table.from_pylist(rows))
    found = source_domains(folder, documents, column="domain", most=2, context_tokens=CONTEXT)
    assert found.names == ("other_", "short", "other")
    assert set(found.windows["train"].tolist()) == {0, 1, 2}


def test_blocks_of_windows_do_not_change_the_answer(monkeypatch):
    random = np.random.default_rng(0)
    lengths = random.integers(1, 40, size=300)
    offsets, codes = np.concatenate([[0], lengths.cumsum()[:-1]]), random.integers(0, 5, size=300)
    size = int(lengths.sum())
    count = (size - 1) // 7
    whole = window_codes(offsets, codes, size, count, 7)
    monkeypatch.setattr("hornbook.train.domains._BLOCK_WINDOWS", 13)
    assert window_codes(offsets, codes, size, count, 7).tolist() == whole.tolist()
    each = np.repeat(codes, lengths)
    expected = [np.bincount(each[n * 7 : n * 7 + 7]).argmax() for n in range(count)]
    assert whole.tolist() == expected


def test_a_corpus_without_the_column_says_which_it_has(tmp_path):
    write_tokens(tmp_path, "books", 3)
    with pytest.raises(ConfigError, match=r"columns\.books=style: .* it has id, domain$"):
        source_domains(
            tmp_path / "artifacts/tokens/books",
            tmp_path / CLEAN / "books",
            column="style",
            most=2,
            context_tokens=CONTEXT,
        )


def test_tokens_of_other_documents_are_refused(tmp_path):
    write_tokens(tmp_path, "books", 3)
    part = tmp_path / CLEAN / "books" / "part-00001.parquet"
    table = read_table(part)
    write_table(part, pa.concat_tables([table.slice(1), table.slice(0, 1)]))
    with pytest.raises(ArtifactError, match="do not list the same documents"):
        source_domains(
            tmp_path / "artifacts/tokens/books",
            tmp_path / CLEAN / "books",
            column="domain",
            most=2,
            context_tokens=CONTEXT,
        )
