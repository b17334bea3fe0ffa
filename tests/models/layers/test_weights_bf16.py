import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kit.models.build import build_model
from kit.models.followers import Frozen
from kit.settings.run import ModelConfig

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


class Casts(TorchDispatchMode):
    """Counts values that are brought into bfloat16."""

    values = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten._to_copy.default and (kwargs or {}).get("dtype") == torch.bfloat16:
            self.values += args[0].numel()
        return function(*args, **kwargs or {})


@pytest.fixture
def net():
    torch.manual_seed(1)
    return build_model(ModelConfig(name="deeplab_wide_demo"), 3, pretrained=False)


def in_bfloat16(function, *arguments):
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        return function(*arguments)


@pytest.mark.parametrize("official", [False, True])
def test_a_teacher_gives_the_bits_of_autocast_and_its_weights_are_cast_once(net, official):
    plain, frozen = copy.deepcopy(net).train(official), Frozen(net, official=official).train()
    plain.dropout.eval()
    for _ in range(2):
        with Casts() as casts:
            logits = in_bfloat16(frozen, IMAGES).logits
        assert torch.equal(logits, in_bfloat16(plain, IMAGES).logits)
    assert casts.values <= 2 * IMAGES.numel() + net.classify.weight.numel() + net.classify.bias.numel()
    assert all(torch.equal(a, b) for a, b in zip(plain.buffers(), frozen.net.buffers(), strict=True))
    assert all(p.dtype == torch.float32 for p in frozen.net.parameters())
    means, features = in_bfloat16(frozen.mean_logits, IMAGES), in_bfloat16(frozen.features, IMAGES)
    assert means.dtype == torch.float32 and features.dtype == torch.bfloat16
    assert torch.equal(frozen(IMAGES).logits, plain(IMAGES).logits)  # float32 is what it was


def test_other_weights_are_seen(net):
    frozen = Frozen(net)
    before = in_bfloat16(frozen, IMAGES).logits
    with torch.no_grad():
        net.encoder.net.conv1.weight.mul_(2)
    assert torch.equal(in_bfloat16(frozen, IMAGES).logits, in_bfloat16(net, IMAGES).logits)
    frozen.to(torch.float64).to(torch.float32)
    assert not torch.equal(in_bfloat16(frozen, IMAGES).logits, before)


def test_a_copy_has_its_own(net):
    frozen = Frozen(net)
    expected = in_bfloat16(frozen, IMAGES).logits
    twin = copy.deepcopy(frozen)
    with torch.no_grad():
        for parameter in frozen.net.parameters():
            parameter.zero_()
    assert torch.equal(in_bfloat16(twin, IMAGES).logits, expected)
    assert in_bfloat16(frozen, IMAGES).logits.abs().max() == 0
