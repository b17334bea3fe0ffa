"""Predictions of the same few images over the steps of a run."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from kit.errors import KitError
from kit.figures.pictures.grid import picture_grid
from kit.figures.style import PAGE, looks

MOST = 6
"""Most steps in a strip; if there are more, the first, the last and evenly spaced ones between are shown."""


@looks()
def strip_figure(pictures: Mapping[int, Sequence[np.ndarray]], width: float = PAGE) -> Figure:
    """A row per image: image, truth, and the prediction at every evaluation.

    Args:
        pictures: step -> per image uint8 (H, 3 W, 3), image, truth and prediction side by side
            (`kit.explore.history`).
        width: of the figure, in inches.
    Raises: KitError if there are no pictures.
    """
    if not pictures:
        raise KitError("this run has no pictures; they are made at every evaluation (train.eval_every)")
    steps = spread(sorted(pictures), MOST)
    thirds = [[np.split(picture, 3, axis=1) for picture in pictures[step]] for step in steps]
    rows = [[*of_image[0][:2], *(third[2] for third in of_image)] for of_image in zip(*thirds, strict=True)]
    return picture_grid(rows, width, ["Image", "Ground truth", *(f"Step {step}" for step in steps)])[0]


def spread(steps: Sequence[int], most: int) -> list[int]:
    """At most `most` evenly spaced steps, including the first and the last."""
    places = np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int)
    return [steps[i] for i in places]
