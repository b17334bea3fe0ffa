"""A training batch as the networks see it: labelled crops, and every view of the unlabelled ones."""

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from kit.errors import KitError
from kit.figures.pictures.grid import class_patches, picture_grid
from kit.figures.style import PAGE, looks, overlay
from kit.types import Batch

MOST = 6
"""Images per row, at most."""

OVERLAY = 0.6
"""Weight of a mask over its image."""


@looks()
def batch_figure(batch: Batch, mixed: list[Tensor], classes: list[str], palette: list, most: int = MOST,
                 width: float = PAGE) -> Figure:  # fmt: skip
    """A row for the labelled crops, one for their masks, and one for each view of the unlabelled crops: weak, strong,
    mixed (CutMix, pasted classes). A column is one crop; padding has the mean colour of ImageNet.

    Args:
        batch, mixed: from `kit.train.monitor.batch_preview.shown_batch`.
        classes, palette: names and RGB 0..255, in the order of class ids; the legend names those that occur.
        most: images per row, at most.
        width: in inches.
    Raises: KitError if the batch holds no image.
    """
    labelled, masks = _pictures(batch.images, most), [mask.numpy() for mask in batch.masks[:most]]
    over = [overlay(image, mask, palette, OVERLAY) for image, mask in zip(labelled, masks, strict=True)]
    strong = [_pictures(batch.strong[:, i], most) for i in range(batch.strong.shape[1])]
    views = [("weak", _pictures(batch.weak, most)), *_numbered("strong", strong)]
    views += _numbered("mixed", [_pictures(images, most) for images in mixed])
    rows = [("labelled", labelled), ("labels", over), *((f"unlabelled,\n{name}", pictures) for name, pictures in views)]
    rows = [(name, pictures) for name, pictures in rows if pictures]
    if not rows:
        raise KitError("an empty batch cannot be shown")
    names, pictures = zip(*rows, strict=True)
    return picture_grid(pictures, width, names=names, legends=[(None, class_patches(masks, classes, palette))])[0]


def _numbered(name: str, views: list) -> list[tuple[str, list[np.ndarray]]]:
    return [(name if len(views) == 1 else f"{name} {i}", view) for i, view in enumerate(views, 1)]


def _pictures(images: Tensor, most: int) -> list[np.ndarray]:
    """The first `most` images, float (N, 3, H, W) in 0..1, as pictures uint8 (H, W, 3)."""
    return [(image.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy() for image in images[:most]]
