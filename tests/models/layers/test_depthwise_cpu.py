import copy

import pytest
import timm
import torch
from timm.layers import Conv2dSame
from torch import nn

from kit.models.layers import depthwise_cpu
from kit.models.layers.depthwise_cpu import fast_depthwise

CONVS = {
    "stride 2": lambda: nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6, bias=False),
    "5 x 5, two per channel, bias": lambda: nn.Conv2d(6, 12, 5, padding=2, groups=6),
    "same padding": lambda: Conv2dSame(6, 6, 5, stride=2, groups=6),
    "7 x 5": lambda: nn.Conv2d(6, 6, (7, 5), padding=(3, 2), groups=6, bias=False),
    "dilated": lambda: nn.Conv2d(6, 6, 5, padding=4, dilation=2, groups=6),
}


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", CONVS)
def test_gradients_are_those_of_the_convolution(kind, layout, half):
    conv = CONVS[kind]().to(memory_format=layout)
    images, made = torch.randn(2, 6, 9, 12).contiguous(memory_format=layout), []
    fast = copy.deepcopy(conv)
    assert fast_depthwise(fast) == 1 and fast.state_dict().keys() == conv.state_dict().keys()
    for net in (conv, fast, copy.deepcopy(fast)):
        x = images.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            y = net(x)
        torch.manual_seed(1)
        y.backward(torch.randn(y.shape).to(y.dtype))
        made.append([y, x.grad, *(p.grad for p in net.parameters())])
    for plain, ours, copied in zip(*made, strict=True):
        assert plain.dtype == ours.dtype
        assert (plain.float() - ours.float()).norm() < (0.01 if half else 1e-6) * plain.float().norm()
        assert torch.equal(ours, copied)


@pytest.mark.parametrize(
    ("kind", "half", "expected"),
    [
        ("stride 2", True, [("float32", 3), ("bfloat16", 3)]),  # the input's gradient, then the weights'
        ("stride 2", False, [("float32", 3)]),
        ("dilated", True, [("bfloat16", 5), ("float32", 5)]),
        ("5 x 5, two per channel, bias", True, [("bfloat16", 5), *[("bfloat16", 3)] * 4]),
        ("7 x 5", False, [("float32", 7), *[("float32", 3)] * 6]),
    ],
)
def test_slow_kernels_are_avoided(kind, half, expected):
    conv, seen = CONVS[kind](), []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            if "convolution_backward" in str(function):
                seen.append((str(arguments[0].dtype).removeprefix("torch."), arguments[2].shape[2]))
            return function(*arguments, **(keywords or {}))

    fast_depthwise(conv)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        y = conv(torch.randn(1, 6, 8, 8, requires_grad=True))
    with Watch():
        y.sum().backward()
    assert seen == expected


def test_elsewhere_a_convolution_is_what_it_was(monkeypatch):
    conv, x = CONVS["stride 2"](), torch.randn(1, 6, 8, 8)
    expected = conv(x)
    fast_depthwise(conv)
    monkeypatch.setattr(depthwise_cpu._Depthwise, "apply", None)
    assert torch.equal(conv(x), expected)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        conv(x)
    others = nn.Sequential(nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 6, 5, stride=2), nn.Conv2d(6, 6, 5, groups=2))
    assert fast_depthwise(others) == 0


@pytest.mark.slow
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
