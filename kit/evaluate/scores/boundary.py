"""Boundary IoU (Cheng et al., CVPR 2021): IoU of the pixels inside a class within a distance of its border.

A pixel of a class belongs to its inner band if a square of side 2d + 1 around it holds another label, or reaches beyond
the image; this equals the class's mask minus its d-fold erosion by a 3 x 3 square, as in the authors' code. Whether a
square holds one label or several does not depend on the class, so one minimum and one maximum filter of the labels
serve all classes at once.
"""

import math

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from kit.types import IGNORE


def band_width(height: int, width: int, share: float) -> int:
    """d in pixels: `share` of the image's diagonal (published: 0.02), at least 1."""
    return max(1, round(share * math.hypot(height, width)))


def inner_band(labels: np.ndarray, width: int) -> np.ndarray:
    """bool (H, W): pixels within `width` of another label or of the edge of the image. `labels` is uint8 (H, W)."""
    lowest = minimum_filter(labels, 2 * width + 1, mode="constant", cval=0)
    highest = maximum_filter(labels, 2 * width + 1, mode="constant", cval=255)
    return lowest != highest


def boundary_counts(prediction: np.ndarray, truth: np.ndarray, num_classes: int, share: float) -> np.ndarray:
    """Pixels in both bands, in the truth's, in the prediction's, per class: int64 (C, 3).

    Ignored pixels are not counted; their edge is a border of the truth, because the label behind it is unknown.

    Args:
        prediction, truth: uint8 (H, W), class ids; the truth may hold IGNORE.
        share: of the diagonal.
    """
    width = band_width(*truth.shape, share)
    counted = truth != IGNORE
    of_truth = inner_band(truth, width) & counted
    of_prediction = inner_band(prediction, width) & counted
    both = of_truth & of_prediction & (prediction == truth)
    return np.stack(
        [np.bincount(labels[where], minlength=num_classes)
         for labels, where in ((truth, both), (truth, of_truth), (prediction, of_prediction))], 1
    )  # fmt: skip
