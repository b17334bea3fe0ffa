"""Attention of a network from a pixel: the softmax of its last block's scores."""

from typing import NamedTuple

import numpy as np
import torch

from kit.errors import KitError
from kit.evaluate.student import Student
from kit.explore.frequency_levels import padded_input


class Attention(NamedTuple):
    """Attention of the last block for one image, on a token grid of (h, w)."""

    weights: np.ndarray  # float32 (h, w, h, w): query, then key; mean over heads, sums to 1 over the keys
    covers: tuple[float, float]  # (height, width) of the grid in image pixels; larger than the image if padded

    def token(self, pixel: tuple[float, float]) -> tuple[int, int]:
        """Row and column of the token at a pixel (row, column) of the image."""
        grid = self.weights.shape[:2]
        at = (int(n * place / side) for n, place, side in zip(grid, pixel, self.covers, strict=True))
        return tuple(min(max(i, 0), n - 1) for i, n in zip(at, grid, strict=True))

    def seen_from(self, pixel: tuple[float, float]) -> np.ndarray:
        """Attention of a pixel's token to every token, (h, w); sums to 1."""
        return self.weights[self.token(pixel)]


@torch.no_grad()
def attention(student: Student, image: np.ndarray) -> Attention:
    """Attention over the whole image, as TriKD's loss compares it: for a TinyViT, without windows and position bias.

    Args:
        image: uint8 (H, W, 3).
    Raises: KitError if the network has no attention.
    """
    net = student.net
    if not has_attention(student):
        raise KitError(f"{student.config.student.name} has no attention to show; take a TinyViT, a ViT or a hybrid")
    padded, covers = padded_input(student, image)
    scores = net.encode(padded, scores=True).scores[0]  # (heads, h, w, h, w)
    # One head at a time: for a large image a second copy of all scores would not fit into memory.
    weights = sum(head.float().flatten(2).softmax(-1) for head in scores).div(len(scores)).view_as(scores[0])
    return Attention(weights.cpu().numpy(), covers)


def has_attention(student: Student) -> bool:
    """Whether this network has attention, as `attention` requires."""
    return bool(getattr(student.net.encoder, "heads", 0))
