"""Every method under bfloat16: what learns in float32 learns here, and what has to be float32 is."""

import pytest
import torch
from torch import nn

from kit.methods.build import METHODS

pytestmark = pytest.mark.slow  # together

PASSES = {
    "cps": {"method.cutmix": True},
    "fixmatch": {"method.partner_pass": "eval"},
    "unimatch": {"method.partner_pass": "eval"},
    "mgd": {"method.unmixed_passes": True},
}
"""Switches with which a network that is trained is also shown images without a gradient."""

CASES = [(name, {}) for name in METHODS] + list(PASSES.items())


def stepped(method, batch, progress, half: bool) -> tuple[torch.Tensor, set[str]]:
    """The loss of one step, and the weights that it gives a gradient other than 0."""
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = method(batch, progress).loss
    loss.backward()
    return loss, {name for name, p in method.named_parameters() if p.grad is not None and p.grad.any()}


@pytest.mark.parametrize(("name", "switches"), CASES, ids=[f"{n}{'-' * bool(s)}{''.join(s)}" for n, s in CASES])
def test_every_weight_that_learns_in_float32_learns_in_bfloat16(make, batch, at, name, switches):
    torch.manual_seed(1)
    method, cached = make(name, **switches).train(), []
    shown = batch(method, side=64)  # at 32 the last map has one place, and a batch norm of two values has no gradient

    def note(module, inputs):
        if not torch.is_grad_enabled() and any(p.requires_grad for p in module.parameters()):
            cached.append(torch.is_autocast_cache_enabled())

    for net in method.children():
        net.register_forward_pre_hook(note)
    torch.manual_seed(2)  # dropout
    expected, learning = stepped(method, shown, at(1), half=False)
    assert not cached or not cached.pop()
    cached.clear()
    method.zero_grad()
    torch.manual_seed(2)
    loss, learning_in_half = stepped(method, shown, at(1), half=True)
    assert learning_in_half == learning and learning
    assert not any(cached) and (cached or not switches)  # else torch before 2.10 uses such a copy with a gradient
    assert loss.dtype == torch.float32 and loss.item() == pytest.approx(expected.item(), rel=0.02)
    for module in method.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean.dtype == module.running_var.dtype == torch.float32
    assert all(p.grad.dtype == torch.float32 for p in method.parameters() if p.grad is not None)
