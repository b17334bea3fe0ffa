"""Depthwise convolutions whose gradients are fast on a CPU.

Two gradients have no kernel of their own in oneDNN (torch 2.13):

- the gradient of the weights of a filter larger than 3 x 3: oneDNN computes it as for a grouped convolution with groups
  padded to 16 channels, which takes 20 to 500 times as long as for 3 x 3. Here it is assembled from gradients of 3 x 3
  pieces of the filter, which have a kernel, or computed in float32 for a dilated filter;
- the gradient of the input for strides above 1 in bfloat16: it takes 10 to 40 times as long as in float32, so it is
  computed in float32 here.

Everything else is unchanged.
"""

from functools import partial

import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame
from timm.layers.padding import pad_same
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

PIECE = 3
"""Side of the largest filter whose weights have a fast gradient."""


def fast_depthwise(net: nn.Module) -> int:
    """Make the depthwise convolutions of `net` that need it use these gradients, on a CPU in float32 or under autocast
    to bfloat16; return their number. Weights and their names do not change."""
    convs = [module for module in net.modules() if _needs_it(module)]
    for conv in convs:
        conv.forward = partial(_forward, conv, conv.forward)
    return len(convs)


def _needs_it(module: nn.Module) -> bool:
    if type(module) not in (nn.Conv2d, Conv2dSame) or not 1 < module.groups == module.in_channels:
        return False
    plain = isinstance(module.padding, tuple) and module.padding_mode == "zeros"
    return plain and (max(module.stride) > 1 or min(module.kernel_size) > PIECE)


def _forward(conv: nn.Conv2d, original, x: Tensor) -> Tensor:
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    helps = dtype == torch.bfloat16 or (dtype == torch.float32 and min(conv.kernel_size) > PIECE)
    if x.device.type != "cpu" or not helps or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return original(x)
    padding = conv.padding
    if isinstance(conv, Conv2dSame):
        x, padding = pad_same(x, conv.kernel_size, conv.stride, conv.dilation), (0, 0)
    parts = (None if part is None else part.to(dtype) for part in (x, conv.weight, conv.bias))
    return _Depthwise.apply(*parts, conv.stride, padding, conv.dilation, conv.groups)


class _Depthwise(torch.autograd.Function):
    """`F.conv2d` of tensors of one type; can be differentiated once."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None, *settings) -> Tensor:
        ctx.settings, ctx.has_bias = settings, bias is not None
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, *settings)

    @staticmethod
    @once_differentiable
    def backward(ctx, outer: Tensor):
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        to_x = to_weight = to_bias = None
        if of_x:
            exact = (t.float() if max(ctx.settings[0]) > 1 else t for t in (outer, x, weight))
            to_x = _gradients(*exact, *ctx.settings, of_x=True).to(x.dtype)
        if of_weight:
            to_weight = _of_weight(outer, x, weight, *ctx.settings)
        if ctx.has_bias and of_bias:
            to_bias = outer.sum((0, 2, 3))
        return to_x, to_weight, to_bias, None, None, None, None


def _of_weight(outer: Tensor, x: Tensor, weight: Tensor, stride, padding, dilation, groups) -> Tensor:
    large = min(weight.shape[2:]) > PIECE
    if large and max(dilation) == 1:
        return _gradient_in_pieces(outer, x, weight, stride, padding, groups)
    exact = (t.float() if large else t for t in (outer, x, weight))
    return _gradients(*exact, stride, padding, dilation, groups).to(weight.dtype)


def _gradients(outer: Tensor, x: Tensor, weight: Tensor, *settings, of_x: bool = False) -> Tensor:
    """The gradient of the weights, or of the input."""
    stride, padding, dilation, groups = settings
    made = torch.ops.aten.convolution_backward(
        outer, x, weight, None, stride, padding, dilation, False, (0, 0), groups, (of_x, not of_x, False)
    )
    return made[0 if of_x else 1]


def _gradient_in_pieces(outer: Tensor, x: Tensor, weight: Tensor, stride, padding, groups) -> Tensor:
    """The gradient of the weights (O, 1, kh, kw). Each piece of the filter uses the padded input shifted by the piece's
    offset; pieces overlap where a side is not a multiple of PIECE."""
    x = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    made, piece = torch.empty_like(weight), weight[:, :, :PIECE, :PIECE].contiguous()
    height, width = ((n - 1) * s + PIECE for n, s in zip(outer.shape[2:], stride, strict=True))
    for a in _starts(weight.shape[2]):
        for b in _starts(weight.shape[3]):
            window = x[:, :, a : a + height, b : b + width]
            made[:, :, a : a + PIECE, b : b + PIECE] = _gradients(outer, window, piece, stride, (0, 0), (1, 1), groups)
    return made


def _starts(side: int) -> list[int]:
    """Starts of the pieces that cover a filter's side: 5 -> 0, 2; 7 -> 0, 3, 4."""
    return [*range(0, side - PIECE, PIECE), side - PIECE]
