"""Perplexities: in batches by length and packed they are those of each sentence alone."""

import math

import pytest
import torch

from hornbook.model.checkpoint import load_model, save_model
from hornbook.model.phi import Phi
from hornbook.toxigen.toxigen import in_batches
from tests.made_run import conf


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from pydantic import TypeAdapter

    from hornbook.model.config import Model

    torch.set_num_threads(1)
    shape = TypeAdapter(Model).validate_python(conf("model"))
    model = Phi(shape, vocab_size=257, attention="explicit")
    model.initialise(0)
    place = tmp_path_factory.mktemp("checkpoint")
    save_model(model, place, eos_token_id=256)
    return place


def alone(model, ids):
    """The published formula: exp of the mean of minus the log-probability, first token unscored."""
    if len(ids) < 2:
        return math.nan
    table = model(torch.tensor([ids[:-1]]))[0].log_softmax(-1).double()
    return math.exp(-sum(float(table[t, ids[t + 1]]) for t in range(len(ids) - 1)) / (len(ids) - 1))


@pytest.mark.parametrize("rows", [1, 4, 64])
def test_batches_by_length_give_what_each_sentence_gives_alone(folder, rows):
    generator = torch.Generator().manual_seed(3)
    lengths = [9, 2, 1, 30, 7, 128, 3, 9, 12, 2]
    ids = [torch.randint(0, 256, (n,), generator=generator).tolist() for n in lengths]
    plain = load_model(folder, attention="explicit")
    packed = load_model(folder, attention="explicit")
    packed.pack()
    done = []
    found = in_batches(ids, packed.forward, rows=rows, device="cpu", advance=done.append)
    with torch.inference_mode():
        expected = [alone(plain, one) for one in ids]
    assert found == pytest.approx(expected, rel=1e-5, nan_ok=True)
    assert sum(done) == len(ids)


def test_little_of_a_batch_is_padding():
    shapes = []

    def logits(ids_BT):
        shapes.append(tuple(ids_BT.shape))
        return torch.zeros(*ids_BT.shape, 7)

    ids = [[1] * n for n in (20, 3, 20, 3, 20, 3)]
    in_batches(ids, logits, rows=3, device="cpu", advance=lambda _: None)
    assert shapes == [(3, 2), (3, 19)]
