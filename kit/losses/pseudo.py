"""Pseudo labels, and cross pseudo supervision between networks."""

import torch
from torch import Tensor

from kit.losses.reduction import masked_mean, require_pixels, require_same_shape
from kit.losses.supervised import pixel_cross_entropy
from kit.types import IGNORE


def pseudo_labels(logits: Tensor, valid: Tensor) -> Tensor:
    """The most likely class of every pixel, IGNORE where `valid` is False; no gradient.

    Args:
        logits: (U, C, H, W).
        valid: bool (U, H, W).
    Returns: int64 (U, H, W).
    """
    require_pixels(logits, valid)
    with torch.no_grad():
        return logits.max(1).indices.masked_fill(~valid, IGNORE)  # twice as fast as argmax over a strided axis


def cross_pseudo(views: list[Tensor], valid: Tensor) -> Tensor:
    """Cross entropy of each network against the argmax of every other, without a confidence threshold.

    Sum over ordered pairs (i, j), i != j, of `cross_entropy(views[i], argmax views[j])`: two terms for two networks
    (Chen et al. 2021, CPS), six for three (TriKD, equation for L_cps). Each network's log-probabilities are computed
    once for the labels of all others.

    Args:
        views: logits (U, C, H, W) of each network.
        valid: bool (U, H, W), False where a crop was padded.
    Returns: scalar, a sum of means over valid pixels.
    """
    for view in views[1:]:
        require_same_shape(views[0], view)
    labels = [pseudo_labels(view, valid) for view in views]
    terms = [pixel_cross_entropy(view, *labels[:i], *labels[i + 1 :]) for i, view in enumerate(views)]
    return masked_mean(torch.stack(terms).sum(0), valid)
