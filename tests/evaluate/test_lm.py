"""Our model behind lm-eval's interface agrees with transformers on an exported checkpoint."""

import pytest
import torch
import yaml
from lm_eval.api.instance import Instance
from pydantic import TypeAdapter

from hornbook.evaluate.lm import HornbookLM
from hornbook.evaluate.memory import Memory
from hornbook.evaluate.packing import Row, batches
from hornbook.model.checkpoint import load_model, save_model
from hornbook.model.config import Model
from hornbook.model.phi import Phi
from tests.conftest import ROOT


class Letters:
    """An encoder of one token per byte, the end of text last."""

    eos, tokens, sha256 = 256, 257, "letters"

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids) -> str:
        return bytes(i for i in ids if i < 256).decode("utf-8", "replace")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    conf = yaml.safe_load((ROOT / "conf" / "model" / "smoke.yaml").read_text())
    shape = TypeAdapter(Model).validate_python(conf)
    model = Phi(shape, vocab_size=257, attention="explicit")
    model.initialise(0)
    place = tmp_path_factory.mktemp("checkpoint")
    save_model(model, place, eos_token_id=256)
    return place


def made(folder, store, *, rows=3, new_tokens=12, advance=lambda _: None):
    """A checkpoint as the stage loads it."""
    model = load_model(folder, attention="explicit")
    model.pack()
    return HornbookLM(
        model, Letters(), memory=Memory(store, "digest", {}), rows=rows, new_tokens=new_tokens,
        advance=advance,
    )  # fmt: skip


@pytest.fixture
def lm(folder, tmp_path):
    return made(folder, tmp_path)


@pytest.fixture(scope="module")
def plain(folder):
    return load_model(folder, attention="explicit")


@pytest.fixture(scope="module")
def theirs(folder):
    transformers = pytest.importorskip("transformers")
    return transformers.PhiForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def test_log_probabilities_are_those_of_transformers(lm, theirs):
    pairs = [("The sky is", " blue"), ("One two", " three four"), ("A", " b"), ("x y z", " w")]
    found = lm.loglikelihood([Instance("loglikelihood", {}, pair, 0) for pair in pairs])
    for (context, answer), (logp, _) in zip(pairs, found, strict=True):
        ids = torch.tensor([Letters().encode(context + answer)])
        table = theirs(ids).logits[0].log_softmax(-1)
        count = len(Letters().encode(answer))
        expected = sum(table[t - 1, ids[0, t]] for t in range(ids.shape[1] - count, ids.shape[1]))
        assert logp == pytest.approx(float(expected), abs=1e-4)


def test_greedy_text_is_that_of_transformers(lm, theirs):
    prompts = ["Hello", "World", "Once upon"]
    found = lm.generate(prompts, [[], [], []])
    for prompt, text in zip(prompts, found, strict=True):
        ids = torch.tensor([Letters().encode(prompt)])
        made = theirs.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=256)
        assert text == Letters().decode(made[0, ids.shape[1] :].tolist())


def test_a_stop_string_ends_the_text_before_it(lm):
    whole = lm.generate(["Hello"], [[]])[0]
    assert len(whole) > 2
    assert lm.generate(["Hello"], [[whole[2]]])[0] == whole[: whole.index(whole[2])]


def test_known_answers_are_not_computed_again(lm, monkeypatch):
    first = lm.score_pairs([("a", "b"), ("c", "d")])
    monkeypatch.setattr(lm.model, "hidden", lambda *_, **__: pytest.fail("asked the model again"))
    assert lm.score_pairs([("c", "d"), ("a", "b")]) == first[::-1]


def test_a_score_has_the_same_digits_whatever_was_asked_before(folder, tmp_path):
    pairs = [(f"{'Question ' * (n % 7)}{n}?", f" {a}") for n in range(40) for a in ("a", "bcd")]
    stores = [tmp_path / name for name in ("whole", "part")]
    for store in stores:
        store.mkdir()
    whole = made(folder, stores[0]).score_pairs(pairs)
    part = made(folder, stores[1]).score_pairs(pairs[::3])
    assert part == pytest.approx(whole[::3], abs=1e-4)
    assert part != whole[::3]  # other batches, other last digits: what this test is about
    assert made(folder, stores[1]).score_pairs(pairs) == whole
    made(folder, stores[1], rows=7).score_pairs(pairs)
    assert made(folder, stores[1]).score_pairs(pairs) == whole
    assert made(folder, stores[1]).score_pairs(pairs[::3]) == part


@torch.no_grad()
def alone(plain, context, answer):
    """The log-probability of one answer by one plain forward pass."""
    ids = (Letters().encode(context) + Letters().encode(answer))[
        -(plain.shape.context_tokens + 1) :
    ]
    table = plain(torch.tensor([ids[:-1]]))[0].log_softmax(-1)
    count = len(Letters().encode(answer))
    return float(sum(table[t, ids[t + 1]] for t in range(len(ids) - 1 - count, len(ids) - 1)))


def test_answers_that_share_a_row_do_not_see_each_other(lm, plain):
    pairs = [("Which one?", answer) for answer in (" a", " bcd", " ef", " bce")]
    pairs += [("Another one", " a"), ("x", " y"), ("x", " zzz")]
    found = lm.score_pairs(pairs)
    expected = [alone(plain, *pair) for pair in pairs]
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_shared_beginning_is_computed_once(lm, plain, monkeypatch):
    prefix = "The following are questions about everything. "
    pairs = [(f"{prefix}Question {n}?", f" {a}") for n in range(7) for a in "ab"]
    seen = []
    hidden = lm.model.hidden
    monkeypatch.setattr(
        lm.model, "hidden", lambda ids, *a, **k: seen.append(ids.shape) or hidden(ids, *a, **k)
    )
    found = lm.score_pairs(pairs)
    monkeypatch.undo()
    assert seen[0][0] == 1
    assert seen[0][1] > len(prefix)
    assert all(tokens < 10 for _, tokens in seen[1:])
    assert found == pytest.approx([alone(plain, *pair) for pair in pairs], abs=1e-5)


def test_what_does_not_fit_loses_its_beginning_and_is_counted(lm, plain):
    assert lm.score_pairs([("a" * (lm.context - 1), "bc")])
    assert lm.shortened == 0
    long = "abcdefgh" * 40
    pairs = [(long, " end"), (long + "x", " end"), (long, " another end"), (long, "z" * 300)]
    found = lm.score_pairs(pairs)
    assert lm.shortened == 4
    expected = [alone(plain, *pair) for pair in pairs[:3]]
    assert found[:3] == pytest.approx(expected, abs=1e-4)
    # of an answer that is longer than the context its end is scored, after what is before it
    assert found[3] == pytest.approx(alone(plain, "z", "z" * lm.context), rel=1e-4)


def test_prompts_of_other_lengths_in_a_batch_change_no_text(lm, folder, tmp_path):
    prompts = ["a", "Once upon a time", "Hello", "To be", "Some more words than before"]
    stops = [[], ["e"], [], ["\n"], []]
    together = lm.generate(prompts, stops)
    (tmp_path / "apart").mkdir()
    apart = made(folder, tmp_path / "apart", rows=1)
    assert together == [apart.generate([p], [s])[0] for p, s in zip(prompts, stops, strict=True)]


def test_a_text_ends_at_the_number_of_tokens_of_its_task(lm):
    asked = [("Hello", {"until": [], "max_gen_toks": 5}), ("World", {"until": []}),
             ("Hello", {"until": [], "max_gen_toks": 500})]  # fmt: skip
    found = lm.generate_until([Instance("generate_until", {}, one, 0) for one in asked])
    greedy = lm.generate(["Hello", "World"], [[], []])  # as long as the model's own limit
    assert found[1:] == [greedy[1], greedy[0]]
    assert found[0] == lm.generate(["Hello"], [[]], 5)[0]
    assert greedy[0].startswith(found[0].rstrip("\ufffd"))
    assert len(found[0]) < len(greedy[0])


def test_a_text_is_as_long_beside_a_long_prompt_as_alone(folder, tmp_path):
    lm = made(folder, tmp_path, rows=2, new_tokens=1000)
    prompts = ["a", "b" * 1000]
    together = lm.generate(prompts, [[], []])
    assert lm.shortened == 1
    (tmp_path / "apart").mkdir()
    apart = made(folder, tmp_path / "apart", rows=1, new_tokens=1000)
    assert together == [apart.generate([prompt], [[]])[0] for prompt in prompts]


PAIRS = [(f"Question {'long ' * (n % 5)}{n}?", f" {a}") for n in range(20) for a in ("a", "bcd")]


def interrupted(folder, store, work):
    """What a model is asked before and after its evaluation ends in the middle, by batches."""
    asked = []

    def advance(count):
        asked.append(count)
        if sum(asked) > 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(made(folder, store, advance=advance))
    kept, again = sum(asked), []
    lm = made(folder, store, advance=again.append)
    return kept, again, work(lm)


@pytest.mark.parametrize(
    "work",
    [
        lambda lm: lm.score_pairs(PAIRS),
        lambda lm: lm.generate([question for question, _ in PAIRS[::2]], [[]] * 20),
    ],
    ids=["scores", "texts"],
)
def test_an_evaluation_that_was_killed_goes_on_at_its_batch_and_ends_in_the_same_digits(
    folder, tmp_path, work
):
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
    kept, again, found = interrupted(folder, tmp_path / "killed", work)
    assert again[0] == kept  # all that was answered before, the last batch included
    assert again[0] + sum(again[1:]) == len(found)
    assert found == work(made(folder, tmp_path / "whole"))


def test_a_batch_is_little_padding():
    rows = [Row((1,) * n, ((2,),)) for n in (*range(5, 60), 200, 400)]
    made = list(batches(rows, 32))
    assert sorted(row.tokens for _, some in made for row in some) == [row.tokens for row in rows]
    for prefix, some in made:
        widths = [row.tokens - len(prefix) for row in some]
        assert len(some) == 1 or sum(widths) >= 0.9 * len(widths) * max(widths)
    assert len(made) < len(rows) / 4
