"""Attention in bfloat16 on a CPU, a few heads at a time.

PyTorch's fused attention takes as long in bfloat16 as in float32 there (torch 2.13). The products alone are twice as
fast, so each head's table of scores is made, in memory that is used again for the next one, and made once more in the
backward pass; nothing of it is kept. Products are taken in bfloat16, softmax in float32.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

ROOM = 2**20
"""Entries of tables that are worked on at a time: they should fit a CPU's cache."""

LARGEST = 1024
"""Tokens up to which a head's table is made; PyTorch's attention, which makes tiles of it, takes over above."""


def fast_attention(net: nn.Module) -> int:
    """Let the fused attention of timm's blocks in `net` be `attend` from now on, wherever autocast computes in bfloat16
    on a CPU; return how many there are."""
    modules = [module for module in net.modules() if getattr(module, "fused_attn", False)]
    for module in modules:
        module.forward = partial(_forward, module.forward)
    return len(modules)


def _forward(original, x: Tensor, *arguments, **settings) -> Tensor:
    if torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return original(x, *arguments, **settings)
    with _Attend():
        return original(x, *arguments, **settings)


class _Attend(TorchFunctionMode):
    """Within, PyTorch's fused attention is `attend`."""

    def __torch_function__(self, function, types, arguments=(), settings=None):
        settings = settings or {}
        if function is F.scaled_dot_product_attention and len(arguments) == 3:
            mask, dropout = settings.get("attn_mask"), settings.get("dropout_p")
            if mask is None and not dropout and not settings.get("is_causal"):
                return attend(*arguments, settings.get("scale"))
        return function(*arguments, **settings)


def attend(q: Tensor, k: Tensor, v: Tensor, scale: float | None = None) -> Tensor:
    """softmax(scale q k^T) v for q, k and v (B, heads, N, d), as `F.scaled_dot_product_attention` has it.

    Args:
        scale: None is 1 / sqrt(d).
    """
    fits = q.device.type == "cpu" and q.dtype == torch.bfloat16 and q.shape == k.shape and q.shape[2] <= LARGEST
    if not fits or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return F.scaled_dot_product_attention(q, k, v, scale=scale)
    return _ByHead.apply(q, k, v, q.shape[-1] ** -0.5 if scale is None else scale)


class _ByHead(torch.autograd.Function):
    """`attend`; can be differentiated once."""

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        shape = v.shape
        q, k, v = (x.flatten(0, 1) for x in (q, k, v))
        mixed = torch.empty_like(v)
        for at, _, shares, _ in _shares(q, k, scale):
            torch.bmm(shares, v[at], out=mixed[at])
        ctx.scale = scale
        ctx.save_for_backward(q, k, v, mixed)
        return mixed.view(shape)

    @staticmethod
    @once_differentiable
    def backward(ctx, outer: Tensor):
        q, k, v, mixed = ctx.saved_tensors
        shape, outer = outer.shape, outer.flatten(0, 1).contiguous()
        of_q, of_k, of_v = (torch.empty_like(x) for x in (q, k, v))
        inner = (outer * mixed).sum(-1, keepdim=True, dtype=torch.float32)
        for at, table, shares, free in _shares(q, k, ctx.scale):
            of_v[at] = transposed_product(shares, outer[at])
            free.copy_(torch.bmm(outer[at], v[at].mT, out=shares)).sub_(inner[at]).mul_(table)
            of_scores = shares.copy_(free)
            of_q[at] = of_scores @ k[at]
            of_k[at] = transposed_product(of_scores, q[at])
        return (*(x.view(shape) for x in (of_q.mul_(ctx.scale), of_k.mul_(ctx.scale), of_v)), None)


def _shares(q: Tensor, k: Tensor, scale: float):
    """Which heads are worked on at a time, softmax(scale q k^T) of theirs in float32 and in bfloat16, and room for as
    much in float32; in the same place every time."""
    heads, n, _ = q.shape
    together = min(heads, max(1, ROOM // n**2))
    room, half = q.new_empty(2, together, n, n, dtype=torch.float32), q.new_empty(together, n, n)
    for first in range(0, heads, together):
        at = slice(first, first + together)
        table, free, shares = (x[: heads - first] for x in (*room, half))
        torch.bmm(q[at], k[at].mT, out=shares)
        torch.softmax(table.copy_(shares).mul_(scale), -1, out=table)
        yield at, table, shares.copy_(table), free


def transposed_product(a: Tensor, b: Tensor) -> Tensor:
    """a^T b, of (m, n, n) and (m, n, d), as (b^T a)^T: in bfloat16 on a CPU seven times as fast, for oneDNN takes a
    transposed first factor slowly."""
    return (b.mT @ a).mT
