"""Borders under the magnifying glass: a part of each image, with the true borders drawn over every run's mask."""

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kit.errors import KitError
from kit.figures.pictures.masks import LINE, class_patches, legend_columns, place_legend
from kit.figures.style import PAGE, SMALL, colour, looks, new_figure

FRAME = "#D55E00"
GAP, HEAD = 0.03, 0.22
"""Inches between pictures, and above them."""


@looks()
def boundary_zooms(images: Sequence[np.ndarray], truths: Sequence[np.ndarray],
                   predictions: dict[str, Sequence[np.ndarray]], boxes: Sequence[tuple[int, int, int, int]],
                   classes: Sequence[str], palette, width: float = PAGE) -> Figure:  # fmt: skip
    """A row per image: the whole with a frame, then the framed part of image, truth and every run.

    White lines are the true borders, the same in every column, so that a mask that strays from them is seen.

    Args:
        images: uint8 (H, W, 3) each.
        truths: class ids or IGNORE, (H, W).
        predictions: head of the column -> class ids (H, W) per image.
        boxes: (top, left, height, width) in pixels, per image (`kit.explore.zoom.border_box`).
        classes, palette: names and RGB 0..255, in the order of class ids.
        width: of the figure, in inches.
    Raises: KitError if there is nothing to show.
    """
    if not images or not predictions:
        raise KitError("boundary zooms need at least one image and one run")
    heads = ["Image", "Zoom", "Ground truth", *predictions]
    cell = (width - GAP * (len(heads) - 1)) / len(heads)
    heights = [cell * image.shape[0] / image.shape[1] for image in images]
    parts = [mask[b[0] : b[0] + b[2], b[1] : b[1] + b[3]] for masks in (truths, *predictions.values())
             for mask, b in zip(masks, boxes, strict=True)]  # fmt: skip
    handles = class_patches(parts, classes, palette)
    columns = legend_columns(handles, width)
    total = HEAD + sum(heights) + GAP * len(heights) + LINE * -(-len(handles) // columns) + 0.07
    fig = new_figure(width, total, layout=None)
    top = total - HEAD
    for row, (image, truth, box) in enumerate(zip(images, truths, boxes, strict=True)):
        up, left, tall, wide = box
        masks = [truth, *(masks[row] for masks in predictions.values())]
        pictures = [image, image, *(colour(mask, palette) for mask in masks)]
        for column, picture in enumerate(pictures):
            place = (column * (cell + GAP) / width, (top - heights[row]) / total, cell / width, heights[row] / total)
            ax = fig.add_axes(place)
            ax.imshow(picture, aspect="auto", interpolation="nearest" if column else None)
            ax.set(xticks=[], yticks=[])
            for spine in ax.spines.values():
                spine.set_visible(False)
            if row == 0:
                ax.set_title(heads[column], fontsize=SMALL)
            if column == 0:
                ax.add_patch(Rectangle((left - 0.5, up - 0.5), wide, tall, fill=False, color=FRAME, linewidth=1.2))
                continue
            ax.set(xlim=(left - 0.5, left + wide - 0.5), ylim=(up + tall - 0.5, up - 0.5))
            if column > 1:
                ax.add_collection(_borders(truth, box))
        top -= heights[row] + GAP
    place_legend(fig, None, handles, columns, top / total)
    return fig


def _borders(truth: np.ndarray, box: tuple[int, int, int, int]) -> LineCollection:
    """Lines between neighbouring pixels of different classes, inside the box."""
    up, left, tall, wide = box
    part = truth[up : up + tall, left : left + wide]
    rows, columns = np.nonzero(part[:, 1:] != part[:, :-1])
    lines = [((left + c + 0.5, up + r - 0.5), (left + c + 0.5, up + r + 0.5))
             for r, c in zip(rows, columns, strict=True)]  # fmt: skip
    rows, columns = np.nonzero(part[1:] != part[:-1])
    lines += [((left + c - 0.5, up + r + 0.5), (left + c + 0.5, up + r + 0.5))
              for r, c in zip(rows, columns, strict=True)]  # fmt: skip
    return LineCollection(lines, colors="white", linewidths=0.8, capstyle="projecting")
