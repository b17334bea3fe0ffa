"""Attention scores before the softmax, recomputed for one block from its input; TinyViT's attention without windows.

Only `q k^T` of the block that is asked for is computed again; the block itself keeps its fused attention, which never
forms the table. Scores are (B, heads, h, w, h, w): the query's place on the token grid, then the key's.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from kit.models.windowed import after_attention, queries_keys_values


def vit_scores(block: nn.Module, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Scores of a timm ViT block.

    Args:
        block: a `timm.models.vision_transformer.Block`.
        tokens: its input (B, h*w, C), without class tokens.
        grid: (h, w).
    """
    attention = block.attn
    qkv = attention.qkv(block.norm1(tokens)).unflatten(-1, (3, attention.num_heads, -1))
    q, k, _ = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, N, head channels)
    return _grid_scores(attention.q_norm(q), attention.k_norm(k), attention.scale, grid)


def tinyvit_scores(block: nn.Module, x: Tensor) -> Tensor:
    """Scores of a timm TinyViT block, every token of the map against every other.

    The block attends within windows and adds a position bias; the scores do neither (as the authors have it), so
    that they can be compared with a ViT's.

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
    Returns: (B, h, w, C). The softmax is that of `tinyvit_scores`.
    """
    q, k, v = queries_keys_values(block.attn, x.flatten(1, 2))
    mixed = F.scaled_dot_product_attention(q, k, v, scale=block.attn.scale)  # (B, heads, N, d)
    return after_attention(block, x, block.attn.proj(mixed.transpose(1, 2).flatten(2)).view_as(x))


def _grid_scores(q: Tensor, k: Tensor, scale: float, grid: tuple[int, int]) -> Tensor:
    scores = (q * scale) @ k.transpose(-2, -1)  # (B, heads, N, N)
    return scores.unflatten(-1, tuple(grid)).unflatten(2, tuple(grid))
