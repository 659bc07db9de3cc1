"""Head and cross-entropy in one step, against torch's own two."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from hornbook.train import head_loss
from hornbook.train.head_loss import HeadLoss


def inputs(dtype, rows=37, width=16, vocabulary=50):
    generator = torch.Generator().manual_seed(0)
    shapes = [(rows, width), (vocabulary, width), (vocabulary,)]
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    targets = torch.randint(vocabulary, (rows,), generator=generator)
    return [one.to(dtype).requires_grad_() for one in made], targets


def reference(x, weight, bias, targets):
    logits = (x.double() @ weight.double().t()) + bias.double()
    return cross_entropy(logits, targets, reduction="none"), logits.logsumexp(-1).square()


@pytest.mark.parametrize("has_z", [False, True])
@pytest.mark.parametrize("numbers", [50, 50 * 8, 2**27], ids=["row", "some", "all"])
def test_losses_and_gradients_are_those_of_torch(monkeypatch, has_z, numbers):
    monkeypatch.setattr(head_loss, "_NUMBERS", numbers)
    ours, targets = inputs(torch.float32)
    theirs = [one.detach().double().requires_grad_() for one in ours]
    weights = torch.rand(len(targets), generator=torch.Generator().manual_seed(1)) + 0.5
    losses, squares = HeadLoss.apply(*ours, targets, has_z)
    expected, expected_squares = reference(*theirs, targets)
    torch.testing.assert_close(losses.double(), expected, rtol=1e-5, atol=1e-5)
    objective, wanted = (losses * weights).sum(), (expected * weights).sum()
    if has_z:
        torch.testing.assert_close(squares.double(), expected_squares, rtol=1e-5, atol=1e-5)
        objective = objective + 0.1 * squares.sum()
        wanted = wanted + 0.1 * expected_squares.sum()
    else:
        assert squares is None
    objective.backward()
    wanted.backward()
    for got, want in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got.grad.double(), want.grad, rtol=1e-4, atol=1e-5)


def test_half_precision_is_within_its_tolerance():
    ours, targets = inputs(torch.bfloat16)
    theirs = [one.detach().double().requires_grad_() for one in ours]
    losses, _ = HeadLoss.apply(*ours, targets, False)
    expected, _ = reference(*theirs, targets)
    losses.mean().backward()
    expected.mean().backward()
    assert losses.dtype == torch.float32
    for got, want in zip(ours, theirs, strict=True):
        assert (got.grad.double() - want.grad).norm() < 0.02 * want.grad.norm()


def test_a_target_that_is_all_but_certain_has_no_loss_and_one_that_is_not_has_all():
    x, bias = torch.ones(2, 1), torch.zeros(3)
    weight = torch.tensor([[200.0], [0.0], [0.0]])
    losses, _ = HeadLoss.apply(x, weight, bias, torch.tensor([0, 1]), False)
    assert losses.tolist() == [0.0, 200.0]


def test_no_softmax_of_the_whole_batch_is_made(monkeypatch):
    monkeypatch.setattr(head_loss, "_NUMBERS", 50 * 5)
    ours, targets = inputs(torch.float32)
    seen = []
    whole = torch.Tensor.softmax
    monkeypatch.setattr(
        torch.Tensor,
        "softmax",
        lambda self, *a, **k: seen.append(len(self)) or whole(self, *a, **k),
    )
    HeadLoss.apply(*ours, targets, False)
    assert seen == [5] * 7 + [2]
