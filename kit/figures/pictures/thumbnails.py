"""Many small images with the scores of a run on each: where to look first."""

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from kit.errors import KitError
from kit.figures.pictures.grid import add_picture
from kit.figures.pictures.view import paint
from kit.figures.style import PAGE, SMALL, looks, new_figure

COLUMNS = 4
"""Thumbnails per row."""

CAPTION, GAP = 0.17, 0.04
"""Height of a caption and gap between pictures, in inches."""

PIXELS = 440
"""Largest width of a thumbnail in pixels."""


@looks()
def thumbnail_sheet(thumbnails: list) -> Figure:
    """Thumbnails in rows, with mean IoU and id above each. All cells have the same size and fill the figure, so that
    `cell_at` can find the thumbnail at a place.

    Args:
        thumbnails: `kit.explore.view_request.Thumbnail`s, in the order in which they are shown.
    Raises: KitError if there is no thumbnail.
    """
    if not thumbnails:
        raise KitError("no thumbnails to show; they need the counts that a finished run keeps of its val images")
    across, rows = PAGE / COLUMNS, row_count(len(thumbnails))
    shapes = [each.scene.image.shape for each in thumbnails]
    high = (across - GAP) * max(shape[0] / shape[1] for shape in shapes) + CAPTION + GAP
    fig = new_figure(PAGE, rows * high, layout=None)
    for place, (each, shape) in enumerate(zip(thumbnails, shapes, strict=True)):
        row, column = divmod(place, COLUMNS)
        tall = (across - GAP) * shape[0] / shape[1]
        top, left = (rows - row) * high - CAPTION, column * across + GAP / 2
        picture = _small(paint(each.scene.image, each.scene.layer))
        add_picture(fig, picture, left, top - tall, across - GAP, tall)
        fig.text(left / PAGE, (top + 0.25 * CAPTION) / (rows * high), f"{each.miou:.1%}  {each.short}", fontsize=SMALL)
    return fig


def row_count(thumbnails: int) -> int:
    """Rows of a sheet."""
    return -(-thumbnails // COLUMNS)


def cell_at(place: tuple[float, float], thumbnails: int) -> int | None:
    """Index of the thumbnail at a place of a sheet, given as shares of height and width; None if there is none."""
    shape = row_count(thumbnails), COLUMNS
    row, column = (min(int(share * count), count - 1) for share, count in zip(place, shape, strict=True))
    cell = row * COLUMNS + column
    return cell if cell < thumbnails else None


def _small(picture: np.ndarray) -> np.ndarray:
    image = Image.fromarray(picture)
    image.thumbnail((PIXELS, 4 * PIXELS))
    return np.asarray(image)
