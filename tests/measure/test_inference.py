"""Time and memory of a written token, against what the shape says and a clock of our own."""

import pytest
import torch

from hornbook.measure import inference as measuring
from hornbook.measure.inference import inference
from hornbook.model.config import Model
from hornbook.model.phi import Phi
from tests.made_run import conf

VOCABULARY = 512


def model_of(**changes):
    torch.set_num_threads(1)
    shape = Model(**conf("model") | changes)
    model = Phi(shape, vocab_size=VOCABULARY, attention="sdpa")
    model.initialise(0)
    model.eval().pack()
    return model


def test_memory_is_that_of_the_weights_and_of_a_full_cache_and_not_of_a_second_layout():
    model = model_of()
    found = inference(model)
    shape = model.shape
    numbers = model.num_parameters() + 2 * shape.layers * shape.width * shape.context_tokens
    assert found["memory_mib"] == pytest.approx(4 * numbers / 2**20, abs=0.01)
    assert (found["memory_of"], found["dtype"]) == ("weights and cache", "float32")


@pytest.mark.parametrize(("own", "stated"), [(96, 96), (4096, 2048)])
def test_the_context_is_the_papers_or_the_models_where_that_is_shorter(own, stated, monkeypatch):
    model = model_of(context_tokens=own)
    lengths = []
    hidden = model.hidden

    def watched(ids_BT, cache, **more):
        found = hidden(ids_BT, cache, **more)
        lengths.append(cache.length)
        return found

    monkeypatch.setattr(model, "hidden", watched)
    assert inference(model)["context_tokens"] == stated
    assert max(lengths) == stated
    # one pass for the prompt, then every token of every round
    assert len(lengths) == 1 + measuring.ROUNDS * measuring.LAST_TOKENS


def test_a_token_takes_what_the_clock_says_and_the_first_round_does_not_count(monkeypatch):
    ticks = iter(range(10_000))
    slow_until = 2 * measuring.LAST_TOKENS

    def clock():
        tick = next(ticks)
        return tick * (9.0 if tick < slow_until else 0.002)

    monkeypatch.setattr(measuring.time, "perf_counter", clock)
    assert inference(model_of())["ms_per_token"] == pytest.approx(2.0)
