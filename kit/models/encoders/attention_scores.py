"""Attention scores before the softmax, recomputed for one block from its input; TinyViT's attention without windows.

Only `q k^T` of the requested block is computed again; the block itself keeps its fused attention, which never
forms the table. Scores are (B, heads, h, w, h, w): the query's position on the token grid, then the key's.

Scores are always computed with gradient, and detached if none is wanted. Under no_grad, autocast of torch before 2.10
would cache weight copies without gradient and use them in the block itself, whose weights would then get none.
"""

import torch
import torch.nn.functional as F
from timm.layers import apply_rot_embed_cat
from torch import Tensor, nn

from kit.models.encoders.attention_bf16 import attend
from kit.models.encoders.window_attention import after_attention, queries_keys_values


def vit_scores(block: nn.Module, tokens: Tensor, grid: tuple[int, int], turn: Tensor | None = None) -> Tensor:
    """Scores of a timm ViT block between patches.

    Args:
        block: a block of `timm.models.vision_transformer` or `timm.models.eva`.
        tokens: its input (B, P + h*w, C); scores of the first P tokens, which are not patches, are left out.
        grid: (h, w).
        turn: rotary positions of the patches, for a block that has them.
    """
    attention = block.attn
    q, k = _queries_keys(attention, block.norm1(tokens)[:, -grid[0] * grid[1] :])  # (B, h*w, C) each
    q, k = (x.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for x in (q, k))
    q, k = attention.q_norm(q), attention.k_norm(k)  # (B, heads, h*w, head channels) each
    if turn is not None:
        half = {"half": True} if getattr(attention, "rotate_half", False) else {}
        q, k = (apply_rot_embed_cat(x, turn, **half) for x in (q, k))
    return _grid_scores(q, k, attention.scale, grid)


def _queries_keys(attention: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    """Queries and keys (..., all heads), without computing the values."""
    if getattr(attention, "qkv", None) is None:
        return attention.q_proj(x), attention.k_proj(x)
    weight, bias = attention.qkv.weight, attention.qkv.bias
    if getattr(attention, "q_bias", None) is not None:  # EVA keeps biases of queries and values apart; keys have none
        bias = torch.cat([attention.q_bias, attention.k_bias, attention.v_bias])
    both = len(weight) * 2 // 3
    return F.linear(x, weight[:both], None if bias is None else bias[:both]).chunk(2, -1)


def tinyvit_scores(block: nn.Module, x: Tensor) -> Tensor:
    """Scores of a timm TinyViT block between all pairs of tokens of the map.

    The block attends within windows and adds a position bias. The scores use neither (as in TriKD's code), so that they
    are comparable to a ViT's.

    Args:
        block: a `timm.models.tiny_vit.TinyVitBlock`.
        x: its input (B, h, w, C).
    """
    q, k, _ = queries_keys_values(block.attn, x.flatten(1, 2))
    return _grid_scores(q, k, block.attn.scale, x.shape[1:3])


def tinyvit_global(block: nn.Module, x: Tensor) -> Tensor:
    """A timm TinyViT block with attention over the whole map, without windows and position bias (TriKD's authors).

    Args:
        block: a `timm.models.tiny_vit.TinyVitBlock`; its `attention_biases` are not used.
        x: (B, h, w, C).
    Returns: (B, h, w, C). The softmax is taken of the `tinyvit_scores`.
    """
    q, k, v = queries_keys_values(block.attn, x.flatten(1, 2))
    mixed = attend(q, k, v, block.attn.scale)  # (B, heads, N, d)
    return after_attention(block, x, block.attn.proj(mixed.transpose(1, 2).flatten(2)).view_as(x))


def _grid_scores(q: Tensor, k: Tensor, scale: float, grid: tuple[int, int]) -> Tensor:
    scores = (q * scale) @ k.transpose(-2, -1)  # (B, heads, N, N)
    return scores.unflatten(-1, tuple(grid)).unflatten(2, tuple(grid))
