"""Learning rate, batch split, optimizer, loss and `auto`, each against a reference of its own."""

import pytest
import torch
from pydantic import TypeAdapter

from hornbook.errors import ConfigError
from hornbook.model.phi import Phi
from hornbook.train import resolve as resolving
from hornbook.train.batching import micro_rows
from hornbook.train.config import Optim, Schedule, Train
from hornbook.train.engine import LossScale
from hornbook.train.hardware import step_flops_per_token
from hornbook.train.loss import CrossEntropy, sequence_losses
from hornbook.train.optimizer import MasterAdamW
from hornbook.train.resolve import resolve
from hornbook.train.schedule import learning_rate
from tests.made_run import CONF, conf
from tests.train.conftest import CONTEXT, SETTINGS, SHAPE, VOCABULARY


@pytest.mark.parametrize("scale", sorted(file.stem for file in (CONF / "train").glob("*.yaml")))
def test_every_choice_in_conf_resolves_and_validates(scale):
    section = resolve(conf("train", scale), context_tokens=2048)
    TypeAdapter(Train).validate_python(section)


@pytest.mark.parametrize(
    ("kind", "step", "expected"),
    [
        ("constant", 0, 0.1),  # the first of ten warm-up steps
        ("constant", 9, 1.0),
        ("constant", 99, 1.0),
        ("linear", 10, 1.0),
        ("linear", 55, 0.6),
        ("cosine", 10, 1.0),
        ("cosine", 55, 0.6),
        ("cosine", 100, 0.2),
        ("wsd", 0, 0.1),
        ("wsd", 10, 1.0),
        ("wsd", 80, 1.0),  # where the decay of the last fifth begins
        ("wsd", 90, 0.6),
        ("wsd", 100, 0.2),
    ],
)
def test_the_learning_rate_at_the_ends_and_in_the_middle(kind, step, expected):
    decay = 0.2 if kind == "wsd" else 0.0
    schedule = Schedule(kind=kind, warmup_share=0.1, decay_share=decay, final_share=0.2)
    assert learning_rate(schedule, peak=1.0, step=step, steps=100) == pytest.approx(expected)


def test_without_warm_up_the_first_step_has_the_full_rate():
    schedule = Schedule(kind="constant", warmup_share=0.0, decay_share=0.0, final_share=1.0)
    assert learning_rate(schedule, peak=2e-4, step=0, steps=10) == 2e-4


def test_ranks_and_passes_cover_each_row_of_a_batch_once():
    rows = [
        row
        for rank in range(3)
        for part in micro_rows(24, 4, ranks=3, rank=rank)
        for row in range(24)[part]
    ]
    assert sorted(rows) == list(range(24))


def reference_step(parameters, settings):
    matrices = [one for one in parameters if one.dim() > 1]
    vectors = [one for one in parameters if one.dim() == 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, eps=settings.eps)


def test_the_optimizer_is_clipped_adamw_with_decay_on_matrices_alone():
    models = [Phi(SHAPE, vocab_size=VOCABULARY, attention="explicit") for _ in range(2)]
    for model in models:
        model.initialise(0)
    settings = Optim(lr=1e-2, betas=(0.9, 0.98), eps=1e-7, weight_decay=0.1, clip_norm=0.5)
    ours = MasterAdamW(models[0], settings)
    theirs = reference_step(list(models[1].parameters()), settings)
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        ids = torch.randint(VOCABULARY, (4, CONTEXT + 1), generator=generator)
        for half in ids.split(2):
            (sequence_losses(models[0], half).sum() / 4).backward()
            ours.accumulate()
        norm = ours.grad_norm()
        ours.step(1e-2, norm)
        theirs.zero_grad()
        sequence_losses(models[1], ids).mean().backward()
        expected = torch.nn.utils.clip_grad_norm_(models[1].parameters(), 0.5)
        theirs.step()
        assert norm.item() > 0.5, "the clip must bite, or it is not tested"
        torch.testing.assert_close(norm, expected, rtol=1e-5, atol=1e-6)
    for mine, peer in zip(models[0].parameters(), models[1].parameters(), strict=True):
        # the bias of the keys has no gradient but rounding, which Adam turns into steps
        torch.testing.assert_close(mine, peer, rtol=1e-3, atol=3e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_cross_entropy_and_its_gradient_are_those_of_torch(dtype):
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(7, 11, generator=generator) * 3).to(dtype)
    targets = torch.randint(11, (7,), generator=generator)
    weights = torch.rand(7, generator=generator)
    mine, peer = logits.clone().requires_grad_(), logits.float().requires_grad_()
    losses, _ = CrossEntropy.apply(mine, targets, False)
    expected = torch.nn.functional.cross_entropy(peer, targets, reduction="none")
    (losses * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        mine.grad.float(), peer.grad, rtol=1e-2, atol=1e-5 if dtype == torch.float32 else 4e-3
    )


def test_a_hopeless_target_has_a_large_loss_and_an_exact_gradient():
    logits = torch.tensor([[200.0, 0.0]], requires_grad=True)
    loss, _ = CrossEntropy.apply(logits, torch.tensor([1]), False)
    loss.sum().backward()
    assert 80 < loss.item() < 200
    assert logits.grad.tolist() == [[1.0, -1.0]]


def test_loss_scaling_halves_on_overflow_and_survives_a_checkpoint():
    scale = LossScale()
    before = scale.value
    assert not scale.accept(is_finite=False)
    assert scale.accept(is_finite=True)
    again = LossScale()
    again.load(scale.state())
    assert again.value == scale.value == before / 2
    for _ in range(1999):
        again.accept(is_finite=True)
    assert again.value == before


@pytest.mark.parametrize(
    ("cuda", "bf16", "flash", "context", "expected"),
    [
        (False, False, False, 2049, ("cpu", "float32", "sdpa")),
        (False, True, True, 2048, ("cpu", "bfloat16", "explicit")),
        (True, False, False, 128, ("cuda", "bfloat16", "sdpa")),
        (True, False, True, 2048, ("cuda", "bfloat16", "flash")),
    ],
)
def test_auto_becomes_what_is_there(monkeypatch, cuda, bf16, flash, context, expected):
    monkeypatch.setattr(resolving, "has_cuda", lambda: cuda)
    monkeypatch.setattr(resolving, "has_bf16", lambda: bf16)
    monkeypatch.setattr(resolving, "find_spec", lambda _name: object() if flash else None)
    section = {"device": "auto", "dtype": "auto", "attention": "auto", "seed": 3}
    got = resolve(section, context_tokens=context)
    assert (got["device"], got["dtype"], got["attention"]) == expected
    assert got["seed"] == 3


def test_evaluation_keeps_to_the_kernel_for_long_contexts():
    section = {"device": "cpu", "dtype": "float32", "attention": "auto"}
    for context, expected in ((128, "explicit"), (129, "sdpa")):
        got = resolve(section, context_tokens=context, name="evaluate")
        assert got["attention"] == expected


def test_auto_never_chooses_a_kernel_that_does_not_know_the_dtype(monkeypatch):
    monkeypatch.setattr(resolving, "find_spec", lambda _name: object())
    section = {"device": "cuda", "dtype": "float32", "attention": "auto"}
    assert resolve(section, context_tokens=2048)["attention"] == "sdpa"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("cpu", "bfloat16", "flash"), r"attention=flash needs train\.device=cuda"),
        (("cpu", "float16", "sdpa"), r"dtype=float16 needs train\.device=cuda"),
        (("cuda", "float32", "flash"), r"flash knows no train\.dtype=float32"),
    ],
)
def test_an_impossible_combination_is_refused_at_compose_and_in_the_stage(values, message):
    section = dict(zip(("device", "dtype", "attention"), values, strict=True))
    with pytest.raises(ConfigError, match=message):
        resolve(section, context_tokens=2048)
    with pytest.raises(ConfigError, match=message.replace("train", "evaluate")):
        resolve(section, context_tokens=2048, name="evaluate")
    whole = TypeAdapter(Train).dump_python(SETTINGS) | section
    with pytest.raises(ValueError, match=message):
        TypeAdapter(Train).validate_python(whole)


def test_flops_are_six_per_matrix_weight_and_half_the_square_of_attention():
    matrices = 2 * (4 * 32 * 32 + 2 * 32 * 64) + 64 * 32
    assert step_flops_per_token(SHAPE, 64) == 6 * matrices + 6 * 2 * 32 * CONTEXT
