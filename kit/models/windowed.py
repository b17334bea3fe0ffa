"""TinyViT's attention within windows, with its position bias: fused where that can be, its table never kept.

PyTorch's fused attention takes a bias of four dimensions that needs no gradient; with any other, on a CPU, it forms
the whole table, keeps it, and gathers and scatters the biases entry by entry. Where the biases are trained, a few
heads' tables are worked on at a time here, while they are in the cache, and made again in the backward pass.

A bias is that of the distance of two places of a window, `table[y, x, y', x'] = offsets[y' - y, x' - x]`. So a table
is all windows of `offsets`, which lie in memory row by row, and its gradient is their overlapping sum.
"""

from types import MethodType

import torch
import torch.nn.functional as F
from timm.models.tiny_vit import Attention
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

CHUNK = 2**20
"""Entries of tables that are worked on at a time: they should fit a CPU's cache."""


def attend_fused(net: nn.Module) -> None:
    """Let every windowed attention of a timm TinyViT compute what it does by `window_attention` from now on."""
    for module in net.modules():
        if isinstance(module, Attention):
            module.forward = MethodType(window_attention, module)


def window_attention(attention: Attention, x: Tensor) -> Tensor:
    """What a timm TinyViT's attention makes of windows (M, N, C), N the places of a window row by row; as large."""
    q, k, v = queries_keys_values(attention, x)
    biases = attention.attention_biases
    learns = torch.is_grad_enabled() and biases.requires_grad and not torch.compiler.is_compiling()
    if learns and q.device.type == "cpu" and q.dtype == biases.dtype:
        mixed = _BiasedAttention.apply(q, k, v, _offsets(biases, attention.resolution), attention.scale)
    else:
        table = attention.get_attention_biases(x.device)
        mixed = F.scaled_dot_product_attention(q, k, v, table[None], scale=attention.scale)
    return attention.proj(mixed.transpose(1, 2).flatten(2))


def queries_keys_values(attention: Attention, x: Tensor) -> list[Tensor]:
    """What a timm TinyViT's attention makes of tokens (M, N, C), each (M, heads, N, channels of a head)."""
    qkv = attention.qkv(attention.norm(x)).unflatten(-1, (attention.num_heads, -1))
    sizes = [attention.key_dim, attention.key_dim, attention.val_dim]
    return [part.transpose(1, 2) for part in qkv.split(sizes, dim=-1)]


def _offsets(biases: Tensor, resolution: tuple[int, int]) -> Tensor:
    """Biases (heads, h * w) of distances to those of signed offsets, (heads, 2 h - 1, 2 w - 1), zero in the middle."""
    rows, columns = ((torch.arange(2 * n - 1, device=biases.device) - (n - 1)).abs() for n in resolution)
    return biases.unflatten(1, resolution)[:, rows][:, :, columns]


class _BiasedAttention(torch.autograd.Function):
    """softmax(scale q k^T + table) v for q, k, v (M, heads, N, d); can be differentiated once.

    With the queries taken last to first a table is `offsets[y + y', x + x']`, a view.
    """

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, offsets: Tensor, scale: float) -> Tensor:
        q, mixed = q.flip(2), torch.empty_like(v)
        for at, scores, shares in _parts(q, offsets):
            torch.softmax(scores.baddbmm_(q[at], k[at].mT, alpha=scale), -1, out=shares)
            mixed[at] = shares @ v[at]
        ctx.scale = scale
        ctx.save_for_backward(q, k, v, offsets, mixed)
        return mixed.flip(2)

    @staticmethod
    @once_differentiable
    def backward(ctx, outer: Tensor):
        q, k, v, offsets, mixed = ctx.saved_tensors
        of_q, of_k, of_v, of_offsets = (torch.empty_like(x) for x in (q, k, v, offsets))
        of_offsets.zero_()
        outer = outer.flip(2)
        inner = (outer * mixed).sum(-1, keepdim=True)
        for at, scores, shares in _parts(q, offsets):
            torch.softmax(scores.baddbmm_(q[at], k[at].mT, alpha=ctx.scale), -1, out=shares)
            of_v[at] = shares.mT @ outer[at]
            torch.bmm(outer[at], v[at].mT, out=scores).sub_(inner[at]).mul_(shares)  # gradient of the scores
            of_q[at] = scores @ k[at]
            of_k[at] = scores.mT @ q[at]
            of_offsets[at[1]] += F.fold(scores, offsets.shape[1:], _window(offsets)).sum((0, 1))
        return of_q.flip(2).mul_(ctx.scale), of_k.mul_(ctx.scale), of_v, of_offsets, None


def _window(offsets: Tensor) -> tuple[int, int]:
    return (offsets.shape[1] + 1) // 2, (offsets.shape[2] + 1) // 2


def _parts(q: Tensor, offsets: Tensor):
    """Which windows and head are worked on at a time; their tables, queries last to first, (m, N, N); room for as much.

    The room is the same every time: memory that is asked for anew costs more than what is done with it.
    """
    (windows, _, n, _), (h, w) = q.shape, _window(offsets)
    together = min(windows, max(1, CHUNK // n**2))
    room = q.new_empty(2, together, n, n)
    for head, of_head in enumerate(offsets):
        for first in range(0, windows, together):
            tables, free = room[:, : windows - first]
            tables.view(-1, h, w, h, w).copy_(of_head.unfold(0, h, 1).unfold(1, w, 1))
            yield (slice(first, first + together), head), tables, free
