"""Learning from what another network believes."""

import torch
from torch import Tensor

from kit.losses.reduce import at_least_float32, masked_mean, require_pixels, require_same_shape
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
    """Every network learns from the most likely classes of every other, without a confidence threshold.

    Sum over ordered pairs (i, j), i != j, of `cross_entropy(views[i], argmax views[j])`: two terms for two networks
    (Chen et al. 2021, CPS), six for three (TriKD, equation for L_cps). Each network's log-probabilities are computed
    once and compared with all others' labels.

    Args:
        views: logits (U, C, H, W) of each network.
        valid: bool (U, H, W), False where a crop was padded.
    Returns: scalar, a sum of means over valid pixels.
    """
    for view in views[1:]:
        require_same_shape(views[0], view)
    everywhere = torch.ones_like(valid)
    labels = [pseudo_labels(view, everywhere) for view in views]  # a class also where invalid, for `gather`
    terms = []
    for i, view in enumerate(views):
        others = torch.stack(labels[:i] + labels[i + 1 :], 1)  # (U, n - 1, H, W)
        terms.append(-at_least_float32(view).log_softmax(1).gather(1, others).sum(1))
    return masked_mean(torch.stack(terms).sum(0), valid)
