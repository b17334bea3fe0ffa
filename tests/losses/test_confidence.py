import math

import pytest
import torch

from kit.errors import KitError
from kit.losses.confidence import believe, confident_cross_entropy, probability_mse
from kit.losses.supervised import cross_entropy
from kit.types import IGNORE


def some(u=2, c=3, h=4, w=5):
    logits, labels = torch.randn(u, c, h, w, requires_grad=True), torch.randint(0, c, (u, h, w))
    valid = torch.ones(u, h, w, dtype=torch.bool)
    valid[:, :, 3:] = False
    return logits, labels, valid


def test_belief_by_hand():
    belief = believe(torch.tensor([0.0, math.log(3)], requires_grad=True).view(1, 2, 1, 1))
    assert belief.labels.item() == 1 and belief.confidence.item() == pytest.approx(0.75)
    assert not belief.confidence.requires_grad


def test_sure_pixels_are_learnt_and_all_valid_ones_are_counted():
    logits = torch.tensor([0.0, math.log(3)]).view(1, 2, 1, 1).expand(1, 2, 1, 4)  # 1/4 and 3/4 at four pixels
    labels = torch.tensor([[[1, 0, 1, 1]]])
    sure = torch.tensor([[[True, True, False, True]]])
    valid = torch.tensor([[[True, True, True, False]]])  # the last is padding
    expected = (-math.log(0.75) - math.log(0.25)) / 3
    assert confident_cross_entropy(logits, labels, sure, valid).item() == pytest.approx(expected)


def test_everything_sure_is_plain_cross_entropy():
    logits, labels, valid = some()
    loss = confident_cross_entropy(logits, labels, torch.ones_like(valid), valid)
    torch.testing.assert_close(loss, cross_entropy(logits, labels.masked_fill(~valid, IGNORE)))


def test_no_gradient_where_unsure_or_padded_and_zero_where_nothing_counts():
    logits, labels, valid = some()
    sure = torch.rand(valid.shape) > 0.5
    confident_cross_entropy(logits, labels.masked_fill(~valid, IGNORE), sure, valid).backward()
    reached = logits.grad.abs().sum(1) > 0
    assert torch.equal(reached, sure & valid)
    none = torch.zeros_like(valid)
    assert (
        confident_cross_entropy(logits, labels, none, valid) == 0 == confident_cross_entropy(logits, labels, sure, none)
    )
    with pytest.raises(KitError, match="shapes differ"):
        confident_cross_entropy(logits, labels, sure[:1], valid)


def test_probability_mse_by_hand():
    student = torch.tensor([0.0, math.log(3)]).view(1, 2, 1, 1).expand(1, 2, 1, 2).contiguous().requires_grad_()
    teacher = torch.zeros(1, 2, 1, 2, requires_grad=True)
    valid = torch.tensor([[[True, False]]])
    loss = probability_mse(student, teacher, valid)
    loss.backward()
    assert loss.item() == pytest.approx(2 * 0.25**2) and teacher.grad is None
    assert student.grad[..., 0].abs().sum() > 0 == student.grad[..., 1].abs().sum()
