"""Predictions of the same few images, as they become better over a run."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from kit.errors import KitError
from kit.figures.style import PAGE, SMALL, looks, new_figure

MOST = 6
"""Steps in a strip; of more, the first, the last and some evenly spread between."""

GAP, HEAD = 0.03, 0.2


@looks()
def strip_figure(pictures: Mapping[int, Sequence[np.ndarray]], width: float = PAGE) -> Figure:
    """A row per image: image, truth, and the prediction at every step that was looked at.

    Args:
        pictures: step -> per image uint8 (H, 3 W, 3), image, truth and prediction side by side
            (`kit.explore.history`).
        width: of the figure, in inches.
    Raises: KitError if there is none.
    """
    if not pictures:
        raise KitError("no pictures on the way; they are taken at every evaluation (train.eval_every)")
    steps = spread(sorted(pictures), MOST)
    image, truth, _ = zip(*map(_thirds, pictures[steps[0]]), strict=True)
    columns = [image, truth, *([_thirds(picture)[2] for picture in pictures[step]] for step in steps)]
    heads = ["Image", "Ground truth", *(f"Step {step}" for step in steps)]
    cell = (width - GAP * (len(heads) - 1)) / len(heads)
    heights = [cell * picture.shape[0] / picture.shape[1] for picture in image]
    total = HEAD + sum(heights) + GAP * (len(heights) - 1)
    fig = new_figure(width, total, layout=None)
    for column, (head, shown) in enumerate(zip(heads, columns, strict=True)):
        top = total - HEAD
        for row, picture in enumerate(shown):
            place = (column * (cell + GAP) / width, (top - heights[row]) / total, cell / width, heights[row] / total)
            ax = fig.add_axes(place)
            ax.imshow(picture, aspect="auto")
            ax.set_axis_off()
            if row == 0:
                ax.set_title(head, fontsize=SMALL)
            top -= heights[row] + GAP
    return fig


def spread(steps: Sequence[int], most: int) -> list[int]:
    """At most so many of them, the first and the last among them."""
    if len(steps) <= most:
        return list(steps)
    return [steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most)]


def _thirds(picture: np.ndarray) -> list[np.ndarray]:
    return np.split(picture, 3, axis=1)
