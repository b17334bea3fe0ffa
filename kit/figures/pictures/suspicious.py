"""Contact sheets of labels that networks disagree with."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from kit.errors import KitError
from kit.figures.pictures.grid import class_patches, place_legend
from kit.figures.pictures.masks import OVERLAY
from kit.figures.style import PAGE, SMALL, colour, grey, legend_columns, looks, new_figure

COLUMNS = 4
"""Regions of a row, each of two pictures."""

GAP, BETWEEN, LINE = 0.02, 0.12, 0.115
"""Inches between the two pictures of a region, between regions, and of a line of text."""

OUTLINE = "#FFFFFF"
"""Colour of a region's outline; a thin dark one lies beneath, so that it is seen on dark and on bright."""


@looks()
def suspicion_sheet(rows: Sequence[Mapping], crops: Sequence, classes: Sequence[str], palette: Sequence,
                    columns: int = COLUMNS, width: float = PAGE) -> Figure:  # fmt: skip
    """Each region outlined on its photograph and on its mask, with its rank, what the mask says and what the networks
    say, and its image.

    Args:
        rows: with "rank", "image", "label" and "networks" (`kit.label.out_of_fold.rows`).
        crops: with "image", "mask" and "region" (`kit.label.out_of_fold.Crop`), square, one each.
        classes, palette: names and RGB 0..255, in the order of class ids.
        columns: regions of a row.
        width: in inches.
    Raises: KitError if there is none.
    """
    if not rows or len(rows) != len(crops):
        raise KitError(f"a sheet needs a crop for each region, got {len(rows)} and {len(crops)}")
    block = (width - BETWEEN * (columns - 1)) / columns
    cell, lines = (block - GAP) / 2, 2
    count = -(-len(rows) // columns)
    handles = class_patches([crop.mask for crop in crops], list(classes), list(palette))
    fitting = legend_columns([handle.get_label() for handle in handles], width)
    below = LINE * (2 + len(handles) // fitting)
    high = lines * LINE + 0.06 + cell + BETWEEN
    height = count * high + below
    fig = new_figure(width, height, layout=None)
    for place, (row, crop) in enumerate(zip(rows, crops, strict=True)):
        left, top = place % columns * (block + BETWEEN), height - place // columns * high
        fig.text(left / width, (top - 0.08) / height, f"{row['rank']}  {row['label']}, or {row['networks']}?",
                 fontsize=SMALL - 0.5, weight="bold", va="center")  # fmt: skip
        fig.text(
            left / width, (top - 0.08 - LINE) / height, row["image"], fontsize=SMALL - 1.5, va="center", color="0.3"
        )
        for number, picture in enumerate((crop.image / 255, _over(crop, palette))):
            box = ((left + number * (cell + GAP)) / width, (top - lines * LINE - 0.06 - cell) / height,
                   cell / width, cell / height)  # fmt: skip
            ax = fig.add_axes(box)
            ax.imshow(picture, aspect="auto", extent=(0, crop.mask.shape[1], crop.mask.shape[0], 0))
            for shade, thick in (("black", 1.6), (OUTLINE, 0.8)):
                ax.contour(np.arange(crop.mask.shape[1]) + 0.5, np.arange(crop.mask.shape[0]) + 0.5,
                           crop.region.astype(float), levels=[0.5], colors=[shade], linewidths=thick)  # fmt: skip
            ax.set_axis_off()
    place_legend(fig, None, handles, fitting, (below - 0.02) / height)
    return fig


def _over(crop, palette: Sequence) -> np.ndarray:
    return OVERLAY * colour(crop.mask, palette) / 255 + (1 - OVERLAY) * grey(crop.image)
