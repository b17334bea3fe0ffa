"""TinyViT's attention within windows, with its position bias: fused where possible, without keeping tables, and without
work on padding.

On a CPU, PyTorch's fused attention is fast only for a four-dimensional bias without gradient. With any other bias it
forms and keeps the whole table, and gathers and scatters the biases entry by entry. Where biases are trained, the code
here processes tables of a few heads at a time, so that they fit the cache, and recomputes them in the backward pass.

A bias depends only on the distance of two positions in a window, `table[y, x, y', x'] = offsets[y' - y, x' - x]`. So a
table consists of all windows of `offsets`, contiguous row by row, and its gradient is summed over these windows.

Where windows overhang a map, TinyViT pads the map with zeros, and positions of the map attend to the padding too. All
padding has the same key k0 and the same value, so it is equivalent to a single position with one combined bias:

    sum over j of exp(q k0 + table_j) = exp(q k0 + log(sum over j of exp(table_j)))

Outputs at the padding are not used, so it has no queries. A window of 32 x 32 over a map of 8 x 10 thus has 80 queries
and 81 keys instead of 1024 each.
"""

import math
from types import MethodType

import torch
import torch.nn.functional as F
from timm.models.tiny_vit import Attention, TinyVitBlock
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from kit.models.encoders.attention_bf16 import to_scores, transposed_product
from kit.models.encoders.windows import concatenated, cut, joined

CHUNK = 2**20
"""Entries of tables that are processed at a time; they should fit a CPU's cache."""


def attend_fused(net: nn.Module) -> None:
    """Make every block of a timm TinyViT use `window_attention`, with the same result."""
    for module in net.modules():
        if isinstance(module, TinyVitBlock):
            module.forward = MethodType(_windowed_block, module)


def _windowed_block(block: TinyVitBlock, x: Tensor) -> Tensor:
    return after_attention(block, x, window_attention(block.attn, x))


def after_attention(block: TinyVitBlock, x: Tensor, attended: Tensor) -> Tensor:
    """Output of a timm TinyViT block from its input and its attention's output, all (B, H, W, C)."""
    x = x + block.drop_path1(attended)
    x = block.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return x + block.drop_path2(block.mlp(x))


def window_attention(attention: Attention, x: Tensor) -> Tensor:
    """Output (B, H, W, C) of a timm TinyViT's attention for a map (B, H, W, C), cut into windows and padded where they
    overhang."""
    windows = cut(x, attention.resolution)
    qkv = _apart(attention.qkv(attention.norm(_together(windows))), windows)
    mixed = [_within_windows(attention, part) for part in qkv]
    return joined(_apart(attention.proj(_together(mixed)), windows), x.shape[1:3], attention.resolution)


def _together(windows: list[Tensor]) -> Tensor:
    """Positions of windows (M, a, b, C) of several sizes, concatenated to (sum of M a b, C)."""
    return concatenated([part.flatten(0, 2) for part in windows], 0)


def _apart(places: Tensor, windows: list[Tensor]) -> list[Tensor]:
    """Undo `_together`; the number of channels may have changed."""
    parts = places.split([math.prod(part.shape[:3]) for part in windows])
    return [part.unflatten(0, like.shape[:3]) for part, like in zip(parts, windows, strict=True)]


def _within_windows(attention: Attention, qkv: Tensor) -> Tensor:
    """Windows (M, a, b, channels of queries, keys and values) -> (M, a, b, C), before the output projection.

    Windows smaller than the attention's overhang the map; their missing part is padding.
    """
    size, biases = tuple(qkv.shape[1:3]), attention.attention_biases
    padded = size != attention.resolution
    q, k, v = _by_head(attention, qkv.flatten(1, 2))
    if padded:
        _, key, value = _by_head(attention, attention.qkv(attention.norm.bias)[None, None])  # layer norm of zeros
        k, v = (torch.cat([x, one.expand(x.shape[0], -1, -1, -1)], 2) for x, one in ((k, key), (v, value)))
    learns = torch.is_grad_enabled() and biases.requires_grad and not torch.compiler.is_compiling()
    if learns and q.device.type == "cpu":
        offsets = _offsets(biases, attention.resolution)
        beyond = _to_padding(_table(offsets, size), size) if padded else offsets.new_empty(*q.shape[1:3], 0)
        mixed = _BiasedAttention.apply(q, k, v, _around(offsets, size), beyond, attention.scale)
    else:
        table = attention.get_attention_biases(q.device)
        table = _with_padding(table, attention.resolution, size) if padded else table
        mixed = F.scaled_dot_product_attention(q, k, v, table[None], scale=attention.scale)
    return mixed.transpose(1, 2).flatten(2).unflatten(1, size)


def queries_keys_values(attention: Attention, x: Tensor) -> list[Tensor]:
    """Queries, keys and values of tokens (M, N, C) in a timm TinyViT, each (M, heads, N, channels of a head)."""
    return _by_head(attention, attention.qkv(attention.norm(x)))


def _by_head(attention: Attention, qkv: Tensor) -> list[Tensor]:
    sizes = [attention.key_dim, attention.key_dim, attention.val_dim]
    parts = qkv.unflatten(-1, (attention.num_heads, -1)).split(sizes, dim=-1)
    return [part.transpose(1, 2) for part in parts]


def _offsets(biases: Tensor, resolution: tuple[int, int]) -> Tensor:
    """Biases by distance (heads, h * w) -> by signed offset (heads, 2 h - 1, 2 w - 1), zero in the middle."""
    rows, columns = ((torch.arange(2 * n - 1, device=biases.device) - (n - 1)).abs() for n in resolution)
    return biases.unflatten(1, resolution)[:, rows][:, :, columns]


def _around(offsets: Tensor, size: tuple[int, int]) -> Tensor:
    """The part of `offsets` that occurs among a x b positions, (heads, 2 a - 1, 2 b - 1)."""
    (h, w), (a, b) = _window(offsets), size
    return offsets[:, h - a : h + a - 1, w - b : w + b - 1]


def _table(offsets: Tensor, size: tuple[int, int]) -> Tensor:
    """Biases from the first a x b positions of a window to all its positions, (heads, a, b, h, w)."""
    (h, w), (a, b) = _window(offsets), size
    return offsets.unfold(1, h, 1).unfold(2, w, 1)[:, h - a :, w - b :].flip(1, 2)


def _to_padding(table: Tensor, size: tuple[int, int]) -> Tensor:
    """Combined bias to all positions outside the first a x b: (heads, a, b, h, w) -> (heads, a b, 1)."""
    a, b = size
    right, below = table[..., b:], table[..., a:, :b]
    return torch.cat([right.flatten(3), below.flatten(3)], 3).logsumexp(3, keepdim=True).flatten(1, 2)


def _with_padding(table: Tensor, window: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """A window's table (heads, N, N) -> table of its first a x b positions and the padding, (heads, a b, a b + 1)."""
    a, b = size
    table = table.unflatten(2, window).unflatten(1, window)[:, :a, :b]
    among = table[..., :a, :b].flatten(3).flatten(1, 2)
    return torch.cat([among, _to_padding(table, size)], 2)


class _BiasedAttention(torch.autograd.Function):
    """softmax(scale q k^T + table) v for q (M, heads, N, d), k and v (M, heads, N + E, d); can be differentiated once.
    `beyond` (heads, N, E) holds the biases to the last E positions, which are not on the grid.

    With queries in reverse order a table is `offsets[y + y', x + x']`, a view. Tables have the dtype of q, k and
    v; in bfloat16 softmax and the sums of gradients over windows are still computed in float32.
    """

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, offsets: Tensor, beyond: Tensor, scale: float) -> Tensor:
        q, beyond, mixed = q.flip(2), beyond.flip(1), torch.empty_like(q)
        with torch.autocast("cpu", enabled=False):
            for at, shares, _ in _parts(q, k, offsets, beyond, scale):
                mixed[at] = shares @ v[at]
        ctx.scale = scale
        ctx.save_for_backward(q, k, v, offsets, beyond)
        return mixed.flip(2)

    @staticmethod
    @once_differentiable
    def backward(ctx, outer: Tensor):
        q, k, v, offsets, beyond = ctx.saved_tensors
        of_q, of_k, of_v, of_offsets = (torch.empty_like(x) for x in (q, k, v, offsets))
        of_offsets.zero_()
        of_beyond = torch.zeros_like(beyond)
        outer, places = outer.flip(2), q.shape[2]
        for at, shares, free in _parts(q, k, offsets, beyond, ctx.scale):
            of_v[at] = transposed_product(shares, outer[at])
            of_scores = to_scores(torch.bmm(outer[at], v[at].mT, out=free), shares)
            of_q[at] = of_scores @ k[at]
            of_k[at] = transposed_product(of_scores, q[at])
            head = at[1]
            of_table = of_scores.sum(0, keepdim=True, dtype=offsets.dtype) if len(of_scores) > 1 else of_scores
            _add_to_offsets(of_offsets[head], of_table[0, :, :places])
            of_beyond[head] += of_table[0, :, places:]
        return of_q.flip(2).mul_(ctx.scale), of_k.mul_(ctx.scale), of_v, of_offsets, of_beyond.flip(1), None


def _add_to_offsets(of_offsets: Tensor, of_table: Tensor) -> None:
    """Sum the gradient of a table (N, N), first over y and then over x, into the gradient of its offsets.

    Both sums run over long contiguous pieces of memory; `F.fold` goes entry by entry.
    """
    h, w = (n // 2 + 1 for n in of_offsets.shape)
    of_strips = of_offsets.new_zeros(w, 2 * h - 1, w)
    for y, rows in enumerate(of_table.unflatten(0, (h, w))):
        of_strips.flatten(1)[:, y * w : y * w + h * w] += rows
    for x, strip in enumerate(of_strips):
        of_offsets[:, x : x + w] += strip


def _window(offsets: Tensor) -> tuple[int, int]:
    return (offsets.shape[1] + 1) // 2, (offsets.shape[2] + 1) // 2


def _parts(q: Tensor, k: Tensor, offsets: Tensor, beyond: Tensor, scale: float):
    """Yield a slice of windows and a head, the softmax of their tables (m, N, N + E) in q's dtype, with queries in
    reverse order, and a free buffer of the same size.

    Both buffers are reused: allocating them again costs more than the work done in them.
    """
    (windows, _, n, _), (h, w) = q.shape, _window(offsets)
    together = min(windows, max(1, CHUNK // n**2))
    room = q.new_empty(2, together, n, n + beyond.shape[2])
    for head, of_head in enumerate(offsets.to(q.dtype)):
        strips = of_head.unfold(1, w, 1).transpose(0, 1).flatten(1)  # (w, (2 h - 1) w), one for each x
        rows = strips.unfold(1, n, w).transpose(0, 1)  # (h, w, N): rows of a table, each contiguous
        for first in range(0, windows, together):
            at = slice(first, first + together), head
            tables, free = room[:, : windows - first]
            tables[..., :n].unflatten(1, (h, w)).copy_(rows)
            tables[..., n:] = beyond[head]
            tables.baddbmm_(q[at], k[at].mT, alpha=scale)
            yield at, torch.softmax(tables, -1, out=tables), free
