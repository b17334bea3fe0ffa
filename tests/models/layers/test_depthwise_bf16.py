import copy

import pytest
import timm
import torch
from timm.layers import Conv2dSame
from torch import nn

from kit.models.layers import depthwise_bf16
from kit.models.layers.depthwise_bf16 import fast_depthwise

CONVS = {
    "stride 2": lambda: nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6, bias=False),
    "5 x 5, two per channel, bias": lambda: nn.Conv2d(6, 12, 5, padding=2, groups=6),
    "same padding": lambda: Conv2dSame(6, 6, 5, stride=2, groups=6),
    "dilated": lambda: nn.Conv2d(6, 6, 5, padding=4, dilation=2, groups=6),
}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", CONVS)
def test_gradients_are_those_of_the_convolution(kind, layout):
    conv = CONVS[kind]().to(memory_format=layout)
    images, made = torch.randn(2, 6, 9, 12).contiguous(memory_format=layout), []
    fast = copy.deepcopy(conv)
    assert fast_depthwise(fast) == 1 and fast.state_dict().keys() == conv.state_dict().keys()
    for net in (conv, fast, copy.deepcopy(fast)):
        x = images.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = net(x)
        torch.manual_seed(1)
        y.backward(torch.randn(y.shape).bfloat16())
        made.append([y, x.grad, *(p.grad for p in net.parameters())])
    for plain, ours, copied in zip(*made, strict=True):
        assert plain.dtype == ours.dtype
        assert (plain.float() - ours.float()).norm() < 0.01 * plain.float().norm()
        assert torch.equal(ours, copied)


@pytest.mark.parametrize(("kind", "in_float32"), [("stride 2", [True, False]), ("dilated", [False, True])])
def test_what_is_slow_in_bfloat16_is_computed_in_float32_and_nothing_else(kind, in_float32):
    conv, seen = CONVS[kind](), []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            if "convolution_backward" in str(function):
                seen.append(arguments[0].dtype == torch.float32)
            return function(*arguments, **(keywords or {}))

    fast_depthwise(conv)
    with torch.autocast("cpu", torch.bfloat16):
        y = conv(torch.randn(1, 6, 8, 8, requires_grad=True))
    with Watch():
        y.sum().backward()
    assert seen == in_float32


def test_elsewhere_a_convolution_is_what_it_was(monkeypatch):
    conv, x = CONVS["dilated"](), torch.randn(1, 6, 8, 8)
    expected = conv(x)
    fast_depthwise(conv)
    monkeypatch.setattr(depthwise_bf16._Depthwise, "apply", None)
    assert torch.equal(conv(x), expected)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        conv(x)
    others = nn.Sequential(nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 6, 5, stride=2), nn.Conv2d(6, 6, 5, groups=2))
    assert fast_depthwise(others) == 0


def test_all_of_an_efficientnet_learn_as_exactly_as_before():
    """What bfloat16 rounds away of a whole network's gradient depends on the processor, so float32 is the measure."""
    torch.manual_seed(0)
    net = timm.create_model("tf_efficientnet_lite0", features_only=True).train()
    exact, fast = copy.deepcopy(net), copy.deepcopy(net)
    assert fast_depthwise(fast) == 11
    images = torch.rand(4, 3, 96, 96)
    for each in (net, fast, exact):
        with torch.autocast("cpu", torch.bfloat16, enabled=each is not exact):
            sum(maps.float().square().mean() for maps in each(images)).backward()
    plain, ours, exact = (torch.cat([p.grad.flatten() for p in each.parameters()]) for each in (net, fast, exact))
    assert (ours - exact).norm() < 1.2 * (plain - exact).norm() < exact.norm()
