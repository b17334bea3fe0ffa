"""Contact sheets of labels that networks disagree with."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from kit.errors import KitError
from kit.figures.pictures.grid import add_picture, class_patches, place_legend
from kit.figures.pictures.masks import OVERLAY
from kit.figures.style import PAGE, SMALL, legend_columns, looks, new_figure, overlay

COLUMNS = 4
"""Regions per row, each with two pictures."""

GAP, BETWEEN, LINE = 0.02, 0.12, 0.115
"""Gaps between the two pictures of a region and between regions, and height of a line of text, in inches."""


@looks()
def suspicion_sheet(rows: Sequence[Mapping], crops: Sequence, classes: Sequence[str], palette: Sequence) -> Figure:
    """Each region outlined on its photograph and on its mask, with its rank, its class in the mask, its class by the
    networks, and the id of its image.

    Args:
        rows: with "rank", "image", "label" and "networks" (`kit.label.out_of_fold.rows`).
        crops: with "image", "mask" and "region" (`kit.label.out_of_fold.Crop`), square, one each.
        classes, palette: names and RGB 0..255, in the order of class ids.
    Raises: KitError if there is no region, or if lengths differ.
    """
    if not rows or len(rows) != len(crops):
        raise KitError(f"a sheet needs a crop for each region, got {len(rows)} and {len(crops)}")
    block = (PAGE - BETWEEN * (COLUMNS - 1)) / COLUMNS
    cell, head = (block - GAP) / 2, 2 * LINE + 0.06
    handles = class_patches([crop.mask for crop in crops], classes, palette)
    below = LINE * (2 + len(handles) // legend_columns(handles, PAGE))
    high = head + cell + BETWEEN
    height = -(-len(rows) // COLUMNS) * high + below
    fig = new_figure(PAGE, height, layout=None)
    for place, (row, crop) in enumerate(zip(rows, crops, strict=True)):
        left, top = place % COLUMNS * (block + BETWEEN), height - place // COLUMNS * high
        tall, wide = crop.mask.shape
        fig.text(left / PAGE, (top - 0.08) / height, f"{row['rank']}  {row['label']}, or {row['networks']}?",
                 fontsize=SMALL - 0.5, weight="bold", va="center")  # fmt: skip
        fig.text(left / PAGE, (top - 0.08 - LINE) / height, row["image"], fontsize=SMALL - 1.5, va="center",
                 color="0.3")  # fmt: skip
        for number, picture in enumerate((crop.image / 255, overlay(crop.image, crop.mask, palette, OVERLAY))):
            ax = add_picture(fig, picture, left + number * (cell + GAP), top - head - cell, cell, cell,
                             extent=(0, wide, tall, 0))  # fmt: skip
            for shade, thick in (("black", 1.6), ("white", 0.8)):  # visible on dark and bright
                ax.contour(np.arange(wide) + 0.5, np.arange(tall) + 0.5, crop.region.astype(float), levels=[0.5],
                           colors=[shade], linewidths=thick)  # fmt: skip
    place_legend(fig, None, handles, (below - 0.02) / height)
    return fig
