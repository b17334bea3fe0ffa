"""Enlarged borders: a part of each image, with the true borders over every run's mask."""

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kit.data.reading.decode import Box, cut
from kit.errors import KitError
from kit.figures.pictures.grid import class_patches, picture_grid
from kit.figures.style import PAGE, colour, looks

FRAME = "#D55E00"


@looks()
def boundary_zooms(images: Sequence[np.ndarray], truths: Sequence[np.ndarray],
                   predictions: dict[str, Sequence[np.ndarray]], boxes: Sequence[Box],
                   classes: Sequence[str], palette, width: float = PAGE) -> Figure:  # fmt: skip
    """A row per image: the whole with a frame, then the framed part of image, truth and every run.

    White lines are the true borders, the same in every column, so that deviations of a mask are visible.

    Args:
        images: uint8 (H, W, 3) each.
        truths: class ids or IGNORE, (H, W).
        predictions: title of the column -> class ids (H, W) per image.
        boxes: (top, left, height, width) in pixels, per image (`kit.explore.zoom.border_box`).
        classes, palette: names and RGB 0..255, in the order of class ids.
        width: of the figure, in inches.
    Raises: KitError if there is no image or no run.
    """
    if not images or not predictions:
        raise KitError("boundary zooms need at least one image and one run")
    seen = [cut(mask, box) for masks in (truths, *predictions.values()) for mask, box in zip(masks, boxes, strict=True)]
    rows = [[image, image, *(colour(mask, palette) for mask in masks)]
            for image, *masks in zip(images, truths, *predictions.values(), strict=True)]  # fmt: skip
    titles = ["Image", "Zoom", "Ground truth", *predictions]
    fig, grid = picture_grid(rows, width, titles, legends=[(None, class_patches(seen, classes, palette))])
    for axes, truth, box in zip(grid, truths, boxes, strict=True):
        top, left, tall, wide = box
        axes[0].add_patch(Rectangle((left - 0.5, top - 0.5), wide, tall, fill=False, color=FRAME, linewidth=1.2))
        for ax in axes[1:]:
            ax.images[0].set_interpolation("nearest")
            ax.set(xlim=(left - 0.5, left + wide - 0.5), ylim=(top + tall - 0.5, top - 0.5))
        for ax in axes[2:]:
            ax.add_collection(_borders(truth, box))
    return fig


def _borders(truth: np.ndarray, box: Box) -> LineCollection:
    """Lines between neighbouring pixels of different classes, inside the box."""
    (top, left, _, _), part = box, cut(truth, box)
    lines = [((left + c + 0.5, top + r - 0.5), (left + c + 0.5, top + r + 0.5))
             for r, c in np.argwhere(part[:, 1:] != part[:, :-1])]  # fmt: skip
    lines += [((left + c - 0.5, top + r + 0.5), (left + c + 0.5, top + r + 0.5))
              for r, c in np.argwhere(part[1:] != part[:-1])]  # fmt: skip
    return LineCollection(lines, colors="white", linewidths=0.8, capstyle="projecting")
