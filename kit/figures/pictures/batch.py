"""A training batch as the networks see it: labelled crops, and every view of the unlabelled ones."""

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from kit.errors import KitError
from kit.figures.pictures.masks import UNLABELLED, class_patches, legend_columns, place_legend
from kit.figures.style import PAGE, SMALL, colour, grey, looks, new_figure
from kit.types import Batch

MOST = 6
"""Images of a row."""

OVERLAY = 0.6
"""Weight of the mask over its image."""

GAP, MARGIN, LINE = 0.03, 0.9, 0.132
"""Inches between pictures, for the names at the left, and of a line of the legend."""


@looks()
def batch_figure(batch: Batch, mixed: list[Tensor], classes: list[str], palette: list, most: int = MOST,
                 width: float = PAGE) -> Figure:  # fmt: skip
    """A row for the labelled crops, one for their masks, and one for each view of the unlabelled crops: weak, strong,
    after CutMix. A column is one crop; padding has the mean colour of ImageNet.

    Args:
        batch, mixed: from `kit.train.monitor.batch_preview.shown_batch`.
        classes, palette: names and RGB 0..255, in the order of class ids; the legend names those that occur.
        most: images of a row.
        width: in inches.
    Raises: KitError if the batch holds no image.
    """
    rows = _rows(batch, mixed, palette, most)
    if not rows:
        raise KitError("an empty batch cannot be shown")
    count = max(len(pictures) for _, pictures in rows)
    across = (width - MARGIN - GAP * (count - 1)) / count
    high = across * batch.images.shape[-2] / batch.images.shape[-1]
    patches = class_patches([mask.numpy() for mask in batch.masks[:most]], classes, palette)
    columns = legend_columns(patches, width)
    legend = LINE * -(-len(patches) // columns) + 0.1
    height = len(rows) * (high + GAP) + legend
    fig = new_figure(width, height, layout=None)
    for row, (name, pictures) in enumerate(rows):
        bottom = height - (row + 1) * (high + GAP) + GAP
        fig.text(0.0, (bottom + high / 2) / height, name, fontsize=SMALL, va="center")
        for column, picture in enumerate(pictures):
            left = MARGIN + column * (across + GAP)
            ax = fig.add_axes((left / width, bottom / height, across / width, high / height))
            ax.imshow(picture, aspect="auto")
            ax.set_axis_off()
    place_legend(fig, None, patches, columns, legend / height)
    return fig


def _rows(batch: Batch, mixed: list[Tensor], palette: list, most: int) -> list[tuple[str, list[np.ndarray]]]:
    """Name of each row and its pictures (H, W, 3); rows without any are left out."""
    labelled = _pictures(batch.images, most)
    masks = [colour(mask.numpy(), palette, UNLABELLED) for mask in batch.masks[:most]]
    over = [OVERLAY * mask / 255 + (1 - OVERLAY) * grey(image) for mask, image in zip(masks, labelled, strict=True)]
    strong = [_pictures(batch.strong[:, i], most) for i in range(batch.strong.shape[1])]
    views = [("weak", _pictures(batch.weak, most)), *_numbered("strong", strong)]
    views += _numbered("after CutMix", [_pictures(images, most) for images in mixed])
    rows = [("labelled", labelled), ("labels", over), *((f"unlabelled,\n{name}", pictures) for name, pictures in views)]
    return [(name, pictures) for name, pictures in rows if pictures]


def _numbered(name: str, views: list) -> list[tuple[str, list[np.ndarray]]]:
    return [(name if len(views) == 1 else f"{name} {i}", view) for i, view in enumerate(views, 1)]


def _pictures(images: Tensor, most: int) -> list[np.ndarray]:
    """uint8 (H, W, 3) of images float (N, 3, H, W) in 0..1."""
    return [(image.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy() for image in images[:most]]
