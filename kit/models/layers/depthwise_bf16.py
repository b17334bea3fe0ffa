"""Depthwise convolutions whose gradients in bfloat16 on a CPU take no longer than in float32.

Two of them have no fast kernel in oneDNN (torch 2.13): the gradient of the input where the stride is above 1 takes 10
to 40 times as long in bfloat16 as in float32, that of filters larger than 3 x 3 three times as long. These two are
computed in float32 here; everything else stays in bfloat16.
"""

from functools import partial

import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame
from timm.layers.padding import pad_same
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def fast_depthwise(net: nn.Module) -> int:
    """Let the depthwise convolutions of `net` that need it do so from now on, wherever autocast computes in bfloat16 on
    a CPU; return how many there are. Weights and their names stay."""
    convs = [module for module in net.modules() if _needs_it(module)]
    for conv in convs:
        conv.forward = partial(_forward, conv, conv.forward)
    return len(convs)


def _needs_it(module: nn.Module) -> bool:
    if type(module) not in (nn.Conv2d, Conv2dSame) or not 1 < module.groups == module.in_channels:
        return False
    plain = isinstance(module.padding, tuple) and module.padding_mode == "zeros"
    return plain and (max(module.stride) > 1 or max(module.kernel_size) > 3)


def _forward(conv: nn.Conv2d, original, x: Tensor) -> Tensor:
    half = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    half = half and torch.get_autocast_dtype("cpu") == torch.bfloat16
    if not half or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return original(x)
    padding = conv.padding
    if isinstance(conv, Conv2dSame):
        x, padding = pad_same(x, conv.kernel_size, conv.stride, conv.dilation), (0, 0)
    parts = (None if part is None else part.bfloat16() for part in (x, conv.weight, conv.bias))
    return _Depthwise.apply(*parts, conv.stride, padding, conv.dilation, conv.groups)


class _Depthwise(torch.autograd.Function):
    """`F.conv2d` of bfloat16 tensors; can be differentiated once."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None, *settings) -> Tensor:
        ctx.settings, ctx.bias_size = settings, None if bias is None else [len(bias)]
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, *settings)

    @staticmethod
    @once_differentiable
    def backward(ctx, outer: Tensor):
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        stride, padding, dilation, groups = ctx.settings

        def gradients(in_float32: bool, *wanted: bool) -> tuple[Tensor | None, ...]:
            if not any(wanted):
                return None, None, None
            tensors = [t.float() if in_float32 else t for t in (outer, x, weight)]
            made = torch.ops.aten.convolution_backward(
                *tensors, ctx.bias_size, stride, padding, dilation, False, (0, 0), groups, wanted
            )
            return tuple(g.to(x.dtype) if want else None for g, want in zip(made, wanted, strict=True))

        to_x, _, _ = gradients(max(stride) > 1, of_x, False, False)
        _, to_weight, to_bias = gradients(max(weight.shape[2:]) > 3, False, of_weight, of_bias)
        return to_x, to_weight, to_bias, None, None, None, None
