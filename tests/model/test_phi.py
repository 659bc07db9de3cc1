"""The decoder against counts, against itself through a cache, and across backends."""

import pytest
import torch
from pydantic import TypeAdapter

from hornbook.model.config import Model
from hornbook.model.phi import KVCache, Phi, Rotate
from tests.made_run import conf
from tests.model.conftest import SHAPE, build


@pytest.mark.parametrize(
    ("name", "vocabulary", "parameters"),
    [
        ("phi-1_5", 51200, 1_418_270_720),
        ("phi-1", 51200, 1_418_270_720),
        ("phi-1-small", 51200, 356_794_368),
        ("laptop", 2048, 1_318_656),
        ("smoke", 1024, 231_936),
    ],
)
def test_a_preset_has_its_published_number_of_parameters(name, vocabulary, parameters):
    assert on_paper(name, vocabulary).num_parameters() == parameters


@pytest.mark.parametrize(
    ("name", "millions"), [("1M", 1.0), ("3M", 2.9), ("8M", 8.9), ("28M", 30.3), ("33M", 36.0)]
)
def test_a_tinystories_name_counts_blocks_and_an_embedding_of_ten_thousand(name, millions):
    model = on_paper(f"tinystories-{name}", 10_000)
    head = sum(parameter.numel() for parameter in model.head.parameters())
    assert (model.num_parameters() - head) / 1e6 == pytest.approx(millions, abs=0.05)
    assert model.shape.context_tokens == 512


def on_paper(name, vocabulary):
    shape = TypeAdapter(Model).validate_python(conf("model", name))
    with torch.device("meta"):
        return Phi(shape, vocab_size=vocabulary, attention="sdpa")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"heads": 5}, r"heads=5 does not divide"), ({"rotary_channels": 14}, r"at most .* 12")],
    ids=["heads", "rotary"],
)
def test_a_shape_that_does_not_fit_names_the_setting(change, message):
    values = {name: getattr(SHAPE, name) for name in SHAPE.__dataclass_fields__}
    with pytest.raises(ValueError, match=message):
        Model(**{**values, **change})


def test_rotation_is_complex_multiplication_on_the_first_channels():
    qkv = torch.randn(2, 3, 3, 4, 8, dtype=torch.float64)  # BTKNH
    angle = torch.randn(1, 3, 2, dtype=torch.float64)
    *turned, value = (x.transpose(1, 2) for x in Rotate.apply(qkv, angle.cos(), angle.sin()))
    for after, before in zip(turned, qkv.unbind(2)[:2], strict=True):
        turn = torch.polar(torch.ones_like(angle), angle)[:, :, None]
        expected = torch.complex(before[..., :2], before[..., 2:4]) * turn
        torch.testing.assert_close(after[..., :2], expected.real)
        torch.testing.assert_close(after[..., 2:4], expected.imag)
        torch.testing.assert_close(after[..., 4:], before[..., 4:], rtol=0, atol=0)
    torch.testing.assert_close(value, qkv[:, :, 2], rtol=0, atol=0)


def test_the_gradient_of_rotation_is_that_of_finite_differences():
    qkv = torch.randn(1, 3, 3, 2, 6, dtype=torch.float64, requires_grad=True)
    angle = torch.randn(1, 3, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(Rotate.apply, (qkv, angle.cos(), angle.sin()))


def test_a_later_token_changes_no_earlier_logit(model, ids):
    changed = ids.clone()
    changed[:, 11] = (changed[:, 11] + 1) % model.vocab_size
    before, after = model(ids), model(changed)
    torch.testing.assert_close(before[:, :11], after[:, :11], rtol=0, atol=0)
    assert (before[:, 11:] != after[:, 11:]).any(dim=-1).all()


@torch.no_grad()
@pytest.mark.parametrize("attention", ["explicit", "sdpa"])
@pytest.mark.parametrize("pieces", [[20], [7, 1, 1, 11], [1] * 20], ids=str)
def test_a_cache_gives_the_logits_of_the_whole_sequence(ids, attention, pieces):
    model = build(attention)
    cache = KVCache(SHAPE, rows=2, slots=24, device="cpu", dtype=torch.float32)
    logits = [model(part, cache) for part in ids.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(logits, dim=1), build()(ids), rtol=1e-5, atol=1e-5)
    assert cache.length == 20


@torch.no_grad()
def test_continuations_start_from_one_prefix(model, ids):
    prefix, endings = ids[:1, :8], torch.tensor([[3, 4], [9, 1], [5, 5]])
    cache = KVCache(SHAPE, rows=1, slots=10, device="cpu", dtype=torch.float32)
    model(prefix, cache)
    got = model(endings, cache.expand(3))
    whole = model(torch.cat((prefix.expand(3, -1), endings), dim=1))
    torch.testing.assert_close(got, whole[:, 8:], rtol=1e-5, atol=1e-5)
    cache.length = 4
    torch.testing.assert_close(model(prefix[:, 4:], cache), model(prefix)[:, 4:])


@torch.no_grad()
@pytest.mark.parametrize("attention", ["explicit", "sdpa"])
def test_a_prompt_padded_on_the_left_gives_the_logits_of_the_bare_one(ids, attention):
    model = build(attention)
    pad = 5
    padded = torch.cat((torch.zeros(2, pad, dtype=torch.long), ids), dim=1)
    positions = (torch.arange(25) - pad).clamp(min=0).expand(2, -1)
    mask = torch.ones(25, 25, dtype=torch.bool).tril()
    mask[pad:, :pad] = False
    got = model(padded, positions_BT=positions, mask_BTS=mask.expand(2, -1, -1))
    torch.testing.assert_close(got[:, pad:], model(ids), rtol=1e-5, atol=1e-5)


def test_backends_agree_in_logits_and_gradients(ids):
    grads = []
    for attention in ("explicit", "sdpa"):
        model = build(attention)
        model(ids).square().mean().backward()
        grads.append([parameter.grad for parameter in model.parameters()])
    for explicit, sdpa in zip(*grads, strict=True):
        torch.testing.assert_close(explicit, sdpa, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.bfloat16, 0.03), (torch.float32, 1e-5)], ids=str
)
def test_backends_agree_within_the_tolerance_of_the_dtype(ids, dtype, tolerance):
    exact = build("explicit").double()(ids)
    for attention in ("explicit", "sdpa"):
        got = build(attention).to(dtype)(ids).double()
        assert (got - exact).norm() / exact.norm() < tolerance


@pytest.mark.gpu
@pytest.mark.parametrize("attention", ["explicit", "sdpa", "flash"])
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
def test_backends_agree_on_a_gpu(ids, attention):
    if attention == "flash":
        pytest.importorskip("flash_attn")
    exact, model = build("explicit").double(), build(attention).to("cuda", torch.bfloat16)
    exact(ids).square().mean().backward()
    model(ids.cuda()).square().mean().backward()
    for expected, got in zip(exact.parameters(), model.parameters(), strict=True):
        wrong = got.grad.cpu().double() - expected.grad
        assert wrong.norm() < 0.05 * expected.grad.norm()


def test_initial_weights_depend_on_the_seed_alone():
    first, again, other = build(seed=0), build(seed=0), build(seed=1)
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )
    assert not torch.equal(first.head.weight, other.head.weight)
    assert first.head.weight.std().item() == pytest.approx(SHAPE.init_std, rel=0.05)


def test_a_block_is_one_graph_that_all_blocks_share_and_changes_no_gradient(ids):
    import torch._dynamo.utils as dynamo

    torch._dynamo.reset()
    dynamo.counters.clear()
    plain, compiled = build("sdpa"), build("sdpa")
    compiled.compile_blocks("aot_eager")  # needs no compiler of C++
    for model in (plain, compiled):
        model(ids).square().mean().backward()
    assert dynamo.counters["stats"]["unique_graphs"] == 1
    assert not dynamo.counters["graph_break"]
    for a, b in zip(plain.named_parameters(), compiled.named_parameters(), strict=True):
        assert a[0] == b[0]
        torch.testing.assert_close(a[1].grad, b[1].grad, rtol=0, atol=1e-6)
    torch._dynamo.reset()
