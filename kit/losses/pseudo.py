"""Learning from what another network believes."""

import torch
from torch import Tensor

from kit.losses.reduce import require_same_shape
from kit.losses.supervised import cross_entropy
from kit.types import IGNORE


def pseudo_labels(logits: Tensor, valid: Tensor) -> Tensor:
    """The most likely class of every pixel, IGNORE where `valid` is False; no gradient.

    Args:
        logits: (U, C, H, W).
        valid: bool (U, H, W).
    Returns: int64 (U, H, W).
    """
    with torch.no_grad():
        return logits.argmax(1).masked_fill(~valid, IGNORE)


def cross_pseudo(views: list[Tensor], valid: Tensor) -> Tensor:
    """Every network learns from the most likely classes of every other, without a confidence threshold.

    Sum over ordered pairs (i, j), i != j, of `cross_entropy(views[i], argmax views[j])`: two terms for two networks
    (Chen et al. 2021, CPS), six for three (TriKD, equation for L_cps).

    Args:
        views: logits (U, C, H, W) of each network.
        valid: bool (U, H, W), False where a crop was padded.
    Returns: float32 scalar, a sum of means over valid pixels.
    """
    for view in views[1:]:
        require_same_shape(views[0], view)
    labels = [pseudo_labels(view, valid) for view in views]
    pairs = [(i, j) for i in range(len(views)) for j in range(len(views)) if i != j]
    return torch.stack([cross_entropy(views[i], labels[j]) for i, j in pairs]).sum()
