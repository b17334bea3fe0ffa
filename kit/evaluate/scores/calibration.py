"""Expected calibration error (Guo et al. 2017): the distance between a network's confidence and its accuracy."""

import numpy as np
import torch
from torch import Tensor

from kit.types import IGNORE


def calibration_counts(probabilities: Tensor, truth: Tensor, bins: int) -> Tensor:
    """Per bin of confidence: pixels, sum of their confidence, and correct pixels. float64 (bins, 3), on the CPU.

    The CPU computes the sums for every device: not every device has float64, and sums over millions of pixels in
    float32 are neither exact nor, on a GPU, reproducible.

    Bins are of equal width and open to the left, (i / bins, (i + 1) / bins]. Ignored pixels are left out.

    Args:
        probabilities: (B, C, H, W).
        truth: class ids or IGNORE (B, H, W).
    """
    confidence, prediction = probabilities.max(1)
    confidence, right, counted = confidence.cpu(), (prediction == truth).cpu(), (truth != IGNORE).cpu()
    confidence, right = confidence[counted].double(), right[counted].double()
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    place = (torch.bucketize(confidence, edges) - 1).clamp(0, bins - 1)
    sums = [torch.bincount(place, weights, bins) for weights in (torch.ones_like(right), confidence, right)]
    return torch.stack(sums, 1)


def calibration_error(counts: np.ndarray) -> float:
    """Mean over pixels of |confidence - accuracy| of their bin; 0..1, nan if no pixel was counted."""
    pixels, confidence, right = np.asarray(counts, np.float64).T
    return float(np.abs(confidence - right).sum() / pixels.sum()) if pixels.sum() else float("nan")
