"""Perplexity by source and domain: the plain formula, and errors against a bootstrap."""

import math
import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import TypeAdapter

from hornbook.artifacts import read_json, write_json, write_table
from hornbook.model.checkpoint import load_model, save_model
from hornbook.model.config import Model
from hornbook.model.phi import Phi
from hornbook.perplexity.perplexity import cells, perplexity, spread
from hornbook.train.domains import SourceDomains
from tests.made_run import conf, made_run

LENGTHS = [300, 150, 400, 90, 260, 330]
DOMAINS = ["art", "law", "art", "law", "art", "law"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A random model, and two corpora of which half the documents are held out."""
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("perplexity")
    shape = TypeAdapter(Model).validate_python(conf("model"))
    model = Phi(shape, vocab_size=257, attention="explicit")
    model.initialise(0)
    save_model(model, place / "artifacts/train/toy", eos_token_id=256)
    for seed, corpus in enumerate(("books", "web")):
        rng = np.random.default_rng(seed)
        folder = place / "artifacts/tokens" / corpus
        folder.mkdir(parents=True)
        ids = rng.integers(0, 256, sum(LENGTHS)).astype("<u2")
        (folder / "heldout-00000.bin").write_bytes(ids.tobytes())
        shard = {"file": "heldout-00000.bin", "split": "heldout", "tokens": len(ids)}
        write_json(folder / "meta.json", {"dtype": "<u2", "shards": [shard]})
        names = [f"{number}" for number in range(2 * len(LENGTHS))]
        splits = ["train", "heldout"] * len(LENGTHS)
        lengths = [length for one in LENGTHS for length in (7, one)]
        index = pa.table({"id": names, "length": lengths, "split": splits})
        write_table(folder / "index-00000.parquet", index)
        domains = [name for one in DOMAINS for name in ("none", one)]
        documents = pa.table({"id": names, "domain": domains, "source": domains})
        write_table(
            place / "artifacts/clean/decontaminated" / corpus / "part-00000.parquet", documents
        )
    return place


def run_of(root, **changes):
    settings = conf("perplexity") | {"attention": "explicit", "corpora": ["books", "web"]} | changes
    reads = [f"artifacts/{one}" for one in ("train/toy", "tokens", "clean/decontaminated")]
    run = made_run(root, "perplexity@toy", reads=reads, params={"perplexity": settings})
    perplexity(run)
    found = read_json(run.out / "perplexity.json")
    content = (run.out / "perplexity.json").read_bytes()
    assert run.measures["inference"]["ms_per_token"] > 0
    assert not [file for file in run.out.iterdir() if b"ms_per_token" in file.read_bytes()]
    shutil.rmtree(run.pending)
    return found, content


def test_a_source_has_the_mean_loss_of_its_windows(root):
    found, content = run_of(root)
    whole = {one["source"]: one for one in found["cells"] if one["domain"] is None}
    model = load_model(root / "artifacts/train/toy", attention="explicit")
    context = found["context_tokens"]
    for corpus in ("books", "web"):
        file = root / f"artifacts/tokens/{corpus}/heldout-00000.bin"
        ids = np.frombuffer(file.read_bytes(), "<u2").astype(np.int64)
        count = (len(ids) - 1) // context
        losses = []
        for number in range(count):
            window = torch.tensor(ids[number * context : (number + 1) * context + 1])
            with torch.inference_mode():
                table = model(window[None, :-1])[0].log_softmax(-1)
            losses += [-float(table[t, window[t + 1]]) for t in range(context)]
        assert whole[corpus]["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
        assert whole[corpus]["perplexity"] == pytest.approx(math.exp(np.mean(losses)), rel=1e-3)
        assert (whole[corpus]["tokens"], whole[corpus]["windows"]) == (count * context, count)
    assert run_of(root)[1] == content


def test_domains_share_out_the_windows_of_their_source(root):
    found, _ = run_of(root)
    for corpus in ("books", "web"):
        of = [one for one in found["cells"] if one["source"] == corpus]
        assert [one["domain"] for one in of] == [None, "art", "law"]
        assert sum(one["windows"] for one in of[1:]) == of[0]["windows"]
    assert run_of(root, columns={})[0]["cells"][1]["source"] == "web"


def test_fewer_windows_are_spread_over_the_text():
    assert spread(10, None).tolist() == list(range(10))
    assert spread(100, 3).tolist() == [0, 49, 99]
    assert spread(2, 5).tolist() == [0, 1]
    assert not len(spread(0, 5))


def test_the_error_is_over_documents_and_not_over_tokens():
    rng = np.random.default_rng(0)
    lengths = rng.integers(20, 200, 60)
    of_document = rng.normal(2.0, 0.5, 60)
    nll = np.repeat(of_document, lengths) + rng.normal(0, 0.3, lengths.sum())
    context = 16
    count = (len(nll) - 1) // context
    nll_BT = nll[1 : count * context + 1].reshape(count, context).astype(np.float32)
    (cell,) = cells("books", nll_BT, np.arange(count), np.cumsum(lengths), None)
    sums = np.array([one.sum() for one in np.split(nll, np.cumsum(lengths)[:-1])])
    drawn = rng.integers(0, 60, (2000, 60))
    means = sums[drawn].sum(1) / lengths[drawn].sum(1)
    assert cell["loss_stderr"] == pytest.approx(means.std(), rel=0.1)
    assert cell["stderr"] == pytest.approx(cell["perplexity"] * cell["loss_stderr"], rel=1e-3)
    assert cell["documents"] == 60


def test_one_document_has_no_error_and_a_domain_without_windows_no_cell():
    nll_BT = np.ones((2, 4), dtype=np.float32)
    domains = SourceDomains(("a", "b"), {"heldout": np.array([1, 1], dtype=np.uint8)})
    found = cells("books", nll_BT, np.arange(2), np.array([100]), domains)
    assert [(one["domain"], one["stderr"]) for one in found] == [(None, None), ("b", None)]
    assert found[0]["perplexity"] == pytest.approx(math.e, rel=1e-4)
    assert not cells("books", nll_BT[:0], np.arange(0), np.array([100]), None)
