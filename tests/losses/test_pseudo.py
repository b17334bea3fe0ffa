import pytest
import torch

from kit.errors import KitError
from kit.losses.pseudo import cross_pseudo, pseudo_labels
from kit.losses.supervised import cross_entropy
from kit.types import IGNORE


def views(n):
    return [torch.randn(2, 3, 4, 5, requires_grad=True) for _ in range(n)]


def half_valid():
    valid = torch.ones(2, 4, 5, dtype=torch.bool)
    valid[:, :, 3:] = False
    return valid


def test_labels_are_the_likeliest_class_where_valid():
    logits = views(1)[0]
    labels = pseudo_labels(logits, half_valid())
    assert torch.equal(labels[..., :3], logits.argmax(1)[..., :3]) and (labels[..., 3:] == IGNORE).all()
    assert not labels.requires_grad


@pytest.mark.parametrize("n", [2, 3])
def test_sum_over_all_ordered_pairs(n):
    nets, valid = views(n), half_valid()
    pairs = [cross_entropy(a, pseudo_labels(b, valid)) for a in nets for b in nets if a is not b]
    assert len(pairs) == {2: 2, 3: 6}[n]
    torch.testing.assert_close(cross_pseudo(nets, valid), torch.stack(pairs).sum())


def test_every_network_learns_and_padding_does_not():
    nets = views(3)
    cross_pseudo(nets, half_valid()).backward()
    for net in nets:
        assert net.grad[..., :3].abs().sum() > 0 and net.grad[..., 3:].abs().sum() == 0


def test_labels_carry_no_gradient():
    a, b = views(2)
    valid = half_valid()
    (grad,) = torch.autograd.grad(cross_pseudo([a, b], valid), a)
    (expected,) = torch.autograd.grad(cross_entropy(a, pseudo_labels(b, valid)), a)
    torch.testing.assert_close(grad, expected)


def test_nothing_valid_is_zero():
    assert cross_pseudo(views(2), torch.zeros(2, 4, 5, dtype=torch.bool)) == 0


def test_shapes_are_checked():
    with pytest.raises(KitError, match="shapes differ"):
        cross_pseudo([torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 4, 4)], torch.ones(1, 4, 4, dtype=torch.bool))
