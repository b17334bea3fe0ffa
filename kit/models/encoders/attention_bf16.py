"""Attention in bfloat16 on a CPU, a few heads at a time.

On a CPU, PyTorch's fused attention takes as long in bfloat16 as in float32 (torch 2.13), but matrix products are twice
as fast. So each head's table of scores is computed explicitly, in a buffer that is reused, and recomputed in the
backward pass; no table is kept. Tables are bfloat16, the type of the products; softmax and its gradient read and
write bfloat16 and compute in float32 row by row. Copies of tables in float32 took longer than the softmax itself.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

ROOM = 2**20
"""Entries of tables that are processed at a time; they should fit a CPU's cache."""

LARGEST = 1024
"""Most tokens for which tables are computed; above it, PyTorch's tiled attention is used."""


def fast_attention(net: nn.Module) -> int:
    """Replace the fused attention of timm's blocks in `net` by `attend`, which acts where autocast computes in bfloat16
    on a CPU; return the number of blocks."""
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
    """Context in which PyTorch's fused attention is replaced by `attend`."""

    def __torch_function__(self, function, types, arguments=(), settings=None):
        settings = settings or {}
        if function is F.scaled_dot_product_attention and len(arguments) == 3:
            mask, dropout = settings.get("attn_mask"), settings.get("dropout_p")
            if mask is None and not dropout and not settings.get("is_causal"):
                return attend(*arguments, settings.get("scale"))
        return function(*arguments, **settings)


def attend(q: Tensor, k: Tensor, v: Tensor, scale: float | None = None) -> Tensor:
    """softmax(scale q k^T) v for q, k and v (B, heads, N, d), like `F.scaled_dot_product_attention`.

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
        for at, shares, _ in _tables(q * scale, k):
            torch.bmm(shares, v[at], out=mixed[at])
        ctx.scale = scale
        ctx.save_for_backward(q, k, v)
        return mixed.view(shape)

    @staticmethod
    @once_differentiable
    def backward(ctx, outer: Tensor):
        q, k, v = ctx.saved_tensors
        q, shape, outer = q * ctx.scale, outer.shape, outer.flatten(0, 1).contiguous()
        of_q, of_k, of_v = (x.new_empty(size) for x, size in ((q, q.shape), (k, k.mT.shape), (v, v.mT.shape)))
        for at, shares, free in _tables(q, k):  # of_k and of_v transposed, as in `transposed_product`
            torch.bmm(outer[at].mT, shares, out=of_v[at])
            of_scores = to_scores(torch.bmm(outer[at], v[at].mT, out=free), shares)
            torch.bmm(of_scores, k[at], out=of_q[at])
            torch.bmm(q[at].mT, of_scores, out=of_k[at])
        return (*(x.unflatten(0, shape[:2]) for x in (of_q.mul_(ctx.scale), of_k.mT, of_v.mT)), None)


def _tables(q: Tensor, k: Tensor):
    """Yield a slice of heads, their softmax(q k^T), and a free buffer of the same size; memory is reused."""
    heads, n, _ = q.shape
    together = min(heads, max(1, ROOM // n**2))
    room = q.new_empty(2, together, n, n)
    for first in range(0, heads, together):
        at = slice(first, first + together)
        shares, free = room[:, : heads - first]
        torch.bmm(q[at], k[at].mT, out=shares)
        yield at, torch.softmax(shares, -1, out=shares), free


def to_scores(of_shares: Tensor, shares: Tensor) -> Tensor:
    """Gradient of a softmax's input, written over `of_shares`, the gradient of its output: one pass, with sums in
    float32 for any dtype of the tables."""
    return torch.ops.aten._softmax_backward_data.out(of_shares, shares, -1, shares.dtype, grad_input=of_shares)


def transposed_product(a: Tensor, b: Tensor) -> Tensor:
    """a^T b for (m, n, n) and (m, n, d), computed as (b^T a)^T: seven times as fast in bfloat16 on a CPU, as oneDNN is
    slow with a transposed first factor."""
    return (b.mT @ a).mT
