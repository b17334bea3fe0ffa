import weakref

import pytest
import torch
from torch import nn

from kit.errors import KitError
from kit.methods.terms import Terms

WEIGHTS = {"a": 0.5, "b": 2.0, "c": 0.0}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1), nn.Linear(1, 1)).double()


def values(net):
    """Terms with what each is computed from; the first does not see the last layer."""
    one, two, three = torch.linspace(-1, 1, 18).double().reshape(3, 2, 3)
    yield "a", net[:3](one).square().mean()
    yield "b", net(two).square().mean()
    yield "a", net(three).mean()
    yield "c", net(three).square().mean()


def gathered(net, settle=()):
    terms = Terms(WEIGHTS, net)
    for i, (name, value) in enumerate(values(net)):
        terms.add(name, value)
        if i in settle:
            terms.settle()
    return terms.output()


@pytest.mark.parametrize("settle", [(), (0,), (0, 1), (1, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_loss_and_gradient_are_the_weighted_sum_whatever_is_settled_early(net, settle, factor):
    a, b, more, c = (value for _, value in values(net))
    expected = 0.5 * (a + more) + 2 * b
    wanted = torch.autograd.grad(factor * expected, list(net.parameters()))
    out = gathered(net, settle)
    assert out.loss.item() == pytest.approx(expected.item(), rel=1e-12)
    assert {k: v.item() for k, v in out.parts.items()} == pytest.approx({"a": (a + more).item(), "b": b.item(),
                                                                         "c": c.item()})  # fmt: skip
    assert not any(part.requires_grad for part in out.parts.values()) and net[0].weight.grad is None
    (factor * out.loss).backward()
    for p, gradient in zip(net.parameters(), wanted, strict=True):
        torch.testing.assert_close(p.grad, gradient, rtol=1e-12, atol=0)


def test_what_is_settled_keeps_nothing_of_its_graph(net):
    kept = []

    def pack(tensor):
        saved = lambda: tensor  # noqa: E731 - something that can be watched
        kept.append(weakref.ref(saved))
        return saved

    terms = Terms({"a": 0.5}, net)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved()):
        terms.add(*next(values(net)))
        terms.settle()
    assert kept and not any(saved() for saved in kept)
    terms.output().loss.backward()
    assert net[0].weight.grad.abs().sum() > 0 and net[3].weight.grad is None


def test_counts_add_up(net):
    terms = Terms({}, net)
    terms.count({"predicted": torch.tensor([1.0, 2.0])})
    terms.count({"predicted": torch.tensor([3.0, 0.0]), "labelled": torch.tensor([1.0])})
    assert {k: v.tolist() for k, v in terms.output().stats.items()} == {"predicted": [4.0, 2.0], "labelled": [1.0]}


def test_a_settled_loss_is_differentiated_once(net):
    loss = gathered(net, settle=(1,)).loss
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="can be differentiated once"):
        loss.backward()


def test_nothing_is_settled_without_gradient_or_where_the_loss_must_be_scaled_first(net):
    with torch.no_grad():
        assert not gathered(net, settle=(3,)).loss.requires_grad
    for dtype, early in ((torch.float16, False), (torch.bfloat16, True)):
        terms = Terms({"a": 0.5}, net)
        terms.add(*next(values(net)))
        with torch.autocast("cpu", dtype):
            terms.settle()
        assert ("_Settled" in terms.output().loss.grad_fn.next_functions[1][0].name()) == early


def test_terms_and_weights_belong_together(net):
    with pytest.raises(KitError, match="'unknown' and weights .* do not match"):
        Terms(WEIGHTS, net).add("unknown", torch.zeros(()))
    terms = Terms({"sup": 1.0, "cps": 0.1}, net)
    terms.add("sup", torch.tensor(1.0))
    with pytest.raises(KitError, match="do not match"):
        terms.output()
    terms = Terms({"a": 0.5, "b": 2.0}, net)
    terms.add("a", torch.tensor(2.0, requires_grad=True))
    terms.add("b", torch.tensor(3.0))
    out = terms.output()
    assert out.loss.item() == 7.0 and out.parts["a"].item() == 2.0
