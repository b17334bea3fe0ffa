"""Cross entropy against labels made by people."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kit.losses.reduce import at_least_float32, masked_mean, require_pixels
from kit.types import IGNORE


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean of `-log p(label)` over labelled pixels.

    Args:
        logits: (B, C, H, W).
        labels: int64 (B, H, W), 0..C-1 or IGNORE.
    Returns: scalar, float32 (float64 for float64 logits), in nats per pixel; 0 if every pixel is ignored.
    """
    require_pixels(logits, labels)
    per_pixel = F.cross_entropy(at_least_float32(logits), labels, ignore_index=IGNORE, reduction="none")
    return masked_mean(per_pixel, labels != IGNORE)


def ohem_cross_entropy(logits: Tensor, labels: Tensor, threshold: float = 0.7, min_kept: int = 0) -> Tensor:
    """Cross entropy over hard pixels only: those whose true class has a probability of at most `threshold`, and at
    least the `min_kept` hardest of the batch.

    `p <= threshold` is `-log p >= -log threshold`, so one pass of cross entropy tells everything, and the k-th
    largest value is selected without sorting; nothing waits for the device.

    Args:
        logits: (B, C, H, W).
        labels: int64 (B, H, W), 0..C-1 or IGNORE.
        threshold: in 0..1.
        min_kept: pixels of the whole batch; 0 is plain cross entropy. If fewer are labelled, all of them are kept.
    Returns: scalar, float32 (float64 for float64 logits), in nats per kept pixel; 0 if every pixel is ignored.
    Source: Shrivastava et al. 2016; thresholded form as used for Cityscapes since OCNet.
    """
    require_pixels(logits, labels)
    if min_kept == 0:
        return cross_entropy(logits, labels)
    per_pixel = F.cross_entropy(at_least_float32(logits), labels, ignore_index=IGNORE, reduction="none")
    valid = labels != IGNORE
    with torch.no_grad():
        ranked = per_pixel.masked_fill(~valid, -1.0).flatten()  # ignored pixels rank below all others
        kth = ranked.kthvalue(ranked.numel() - min(min_kept, ranked.numel()) + 1).values
        least = kth.clamp(max=-math.log(threshold) if threshold > 0 else math.inf)
    return masked_mean(per_pixel, valid & (per_pixel >= least))
