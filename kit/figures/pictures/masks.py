"""Qualitative results: images, ground truth, predictions and their errors, side by side."""

import numpy as np
from matplotlib.figure import Figure

from kit.errors import KitError
from kit.figures.pictures.grid import Legend, class_patches, patch, picture_grid
from kit.figures.style import PAGE, SMALL, colour, grey, looks, overlay, tint
from kit.types import IGNORE

WRONG, FIXED, NEW = "#EFC443", "#0072B2", "#C1272D"
"""Pixels wrong in the last run and, with several runs, also in the first; in the first only; in the last only."""

VOID = "#505050"
"""Pixels of the error map that are not counted; darker than anything in its picture."""

OVERLAY = 0.55
"""Weight of a mask over its image."""

WIDEST = 1.75
"""Largest width in inches of a picture in an error grid."""


def error_map(image: np.ndarray, truth: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The image in pale grey with wrong pixels in colour, float (H, W, 3) in 0..1.

    Args:
        image: uint8 (H, W, 3).
        truth, first, last: class ids (H, W); the truth may hold IGNORE. With one run, `first` is `last`.
    """
    counted = truth != IGNORE
    picture = grey(image, darkest=0.5)
    was_wrong, is_wrong = (first != truth) & counted, (last != truth) & counted
    tint(picture, ~counted, VOID, 1.0)
    tint(picture, is_wrong & was_wrong, WRONG)
    tint(picture, was_wrong & ~is_wrong, FIXED)
    tint(picture, is_wrong & ~was_wrong, NEW)
    return picture


@looks()
def mask_grid(images: list[np.ndarray], truths: list[np.ndarray], predictions: dict[str, list[np.ndarray]],
              classes: list[str], palette: list, width: float = PAGE) -> Figure:  # fmt: skip
    """One row per image: image, truth, a column per run, and the errors of the last run.

    The error map compares the last run with the first: errors of both, errors of the first that are fixed in the last,
    and new errors of the last. Its pale grey picture shows where both are right.

    Args:
        images: uint8 (H, W, 3) each.
        truths: class ids or IGNORE, (H, W) of the same image.
        predictions: title of the column -> class ids (H, W) per image; in the order of the columns.
        classes, palette: names and RGB 0..255, in the order of class ids; the legend names those that occur.
        width: of the figure, in inches.
    Raises: KitError if there is no image or no run, or if lengths or sizes do not match.
    """
    _check(images, truths, predictions)
    first, last = list(predictions)[0], list(predictions)[-1]
    rows = []
    for image, truth, *masks in zip(images, truths, *predictions.values(), strict=True):
        errors = error_map(image, truth, masks[0], masks[-1])
        rows.append([image, *(colour(mask, palette) for mask in (truth, *masks)), errors])
    every = [mask for masks in (truths, *predictions.values()) for mask in masks]
    errors = _error_legend(truths) if first == last else _error_legend(truths, first, last)
    legends = [(None, class_patches(every, classes, palette)), errors]
    return picture_grid(rows, width, ["Image", "Ground truth", *predictions, f"Errors of {last}"], legends=legends)[0]


@looks()
def error_grid(images: list[np.ndarray], truths: list[np.ndarray], predictions: dict[str, list[np.ndarray]],
               width: float = PAGE) -> Figure:  # fmt: skip
    """One row per image: image, and the errors of every run, with their share of the counted pixels.

    Arguments and errors are those of `mask_grid`; with few runs the figure is narrower than `width`.
    """
    _check(images, truths, predictions)
    rows, shares = [], []
    for image, truth, *masks in zip(images, truths, *predictions.values(), strict=True):
        counted = truth != IGNORE
        rows.append([image, *(error_map(image, truth, mask, mask) for mask in masks)])
        shares.append([((mask != truth) & counted).sum() / max(counted.sum(), 1) for mask in masks])
    width = min(width, WIDEST * (len(predictions) + 1))
    fig, grid = picture_grid(rows, width, ["Image", *predictions], legends=[_error_legend(truths)])
    for axes, of_row in zip(grid, shares, strict=True):
        for ax, share in zip(axes[1:], of_row, strict=True):
            ax.text(0.985, 0.965, f"{share:.1%}", transform=ax.transAxes, ha="right", va="top", fontsize=SMALL,
                    bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.2})  # fmt: skip
    return fig


@looks()
def pair_grid(images: list[np.ndarray], truths: list[np.ndarray], classes: list[str], palette: list,
              width: float = PAGE) -> Figure:  # fmt: skip
    """One row per image: image, mask in the data set's colours, and the mask over the image in grey.

    Arguments and errors are those of `mask_grid`.
    """
    _check(images, truths)
    rows = [[image, colour(truth, palette), overlay(image, truth, palette, OVERLAY)]
            for image, truth in zip(images, truths, strict=True)]  # fmt: skip
    legends = [(None, class_patches(truths, classes, palette))]
    return picture_grid(rows, width, ["Image", "Mask", "Mask over image"], legends=legends)[0]


def _check(images: list, truths: list, predictions: dict[str, list] | None = None) -> None:
    """Raise KitError if there is no image or no run, or if masks do not fit their images."""
    if not images or predictions == {}:
        raise KitError(f"this grid needs at least one {'run' if images else 'image'}")
    for name, masks in {"truth": truths, **(predictions or {})}.items():
        if len(masks) != len(images):
            raise KitError(f"{name}: {len(masks)} masks for {len(images)} images")
        for image, mask in zip(images, masks, strict=True):
            if image.shape[:2] != mask.shape:
                raise KitError(f"{name}: a mask of {mask.shape} for an image of {image.shape[:2]}")


def _error_legend(truths: list[np.ndarray], first: str = "", last: str = "") -> Legend:
    """Title and swatches of error maps: of a single run, or of `last` against `first`."""
    handles = [patch("wrong", WRONG)]
    if last:
        handles = [patch("wrong in both", WRONG), patch("errors fixed", FIXED), patch("new errors", NEW)]
    if any((truth == IGNORE).any() for truth in truths):
        handles.append(patch("not counted", VOID))
    return (f"{last} against {first}:" if last else None), handles
