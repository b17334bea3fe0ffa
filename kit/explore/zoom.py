"""Choice of the box of an image in which runs have the most errors near borders."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

from kit.data.reading.decode import Box
from kit.evaluate.scores.boundary import band_width
from kit.settings.checks import require_share
from kit.types import IGNORE


def border_box(truth: np.ndarray, predictions: Sequence[np.ndarray], share: float = 0.3, band: float = 0.01) -> Box:
    """The box with the most wrong pixels near true borders, summed over the runs.

    Args:
        truth: uint8 (H, W), class ids or IGNORE.
        predictions: class ids (H, W) of each run.
        share: height and width of the box as a share of the image's.
        band: width of the band along borders, as a share of the diagonal.
    """
    require_share(share=share)
    side = 2 * band_width(*truth.shape, band) + 1
    borders = maximum_filter(truth, side, mode="nearest") != minimum_filter(truth, side, mode="nearest")
    near = borders & (truth != IGNORE)
    wrong = sum(((prediction != truth) & near).astype(np.float64) for prediction in predictions)
    size = tuple(max(1, round(side * share)) for side in truth.shape)
    height, width = size
    density = uniform_filter(wrong, size, mode="constant")
    # Centres of boxes that are entirely inside the image.
    top, left = height // 2, width // 2
    inside = density[top : top + truth.shape[0] - height + 1, left : left + truth.shape[1] - width + 1]
    row, column = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(row), int(column), height, width
