"""Qualitative results: images, truth, predictions and where they are wrong, side by side."""

import math
import textwrap

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from kit.errors import KitError
from kit.figures.style import PAGE, SMALL, colour, grey, looks, new_figure, tint
from kit.types import IGNORE

WRONG, FIXED, BROKEN = "#EFC443", "#0072B2", "#C1272D"
"""Wrong in the last run and (if there is more than one) in the first too; wrong in the first only; in the last only."""

VOID = "#505050"
"""Pixels of the error map that are not counted; darker than anything in its picture."""

UNLABELLED = (0, 0, 0)
"""Colour of such pixels in the truth, as the data sets' own tools have it."""

OVERLAY = 0.55
"""Weight of the mask where it is laid over its image."""

WIDEST = 1.75
"""Inches of a picture in a grid of few."""

GAP, LINE, HEAD_LINE = 0.03, 0.132, 0.12
"""Inches between pictures, and heights of a line of a legend and of a head."""


def error_map(image: np.ndarray, truth: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The image in pale grey with wrong pixels in colour, float (H, W, 3) in 0..1.

    Args:
        image: uint8 (H, W, 3).
        truth, first, last: class ids (H, W); the truth may hold IGNORE. With one run, `first` is `last`.
    """
    counted = truth != IGNORE
    picture = grey(image, brightest=1.0, darkest=0.5)
    was_wrong, is_wrong = (first != truth) & counted, (last != truth) & counted
    tint(picture, ~counted, VOID, 1.0)
    tint(picture, is_wrong & was_wrong, WRONG)
    tint(picture, was_wrong & ~is_wrong, FIXED)
    tint(picture, is_wrong & ~was_wrong, BROKEN)
    return picture


@looks()
def mask_grid(images: list[np.ndarray], truths: list[np.ndarray], predictions: dict[str, list[np.ndarray]],
              classes: list[str], palette: list, width: float = PAGE) -> Figure:  # fmt: skip
    """One row per image: image, truth, a column per run, and the errors of the last run.

    The error map compares the last run with the first: pixels that both have wrong, that the last has put right, and
    that it has broken. Its pale grey picture shows through where the last and the first run are right.

    Args:
        images: uint8 (H, W, 3) each.
        truths: class ids or IGNORE, (H, W) of the same image.
        predictions: head of the column -> class ids (H, W) per image; in the order of the columns.
        classes, palette: names and RGB 0..255, in the order of class ids; the legend names those that occur.
        width: of the figure, in inches.
    Raises: KitError if there is no image or no run, or if lengths or sizes do not match.
    """
    if not predictions:
        raise KitError("a grid of masks needs at least one run")
    _check(images, {"truth": truths, **predictions})
    heads = ["Image", "Ground truth", *predictions, f"Errors of {list(predictions)[-1]}"]
    rows = []
    for row, (image, truth) in enumerate(zip(images, truths, strict=True)):
        masks = [masks[row] for masks in predictions.values()]
        coloured = [colour(mask, palette, UNLABELLED) for mask in (truth, *masks)]
        rows.append([image, *coloured, error_map(image, truth, masks[0], masks[-1])])
    return _grid(heads, rows, _legends(truths, predictions, classes, palette), width)


@looks()
def error_grid(images: list[np.ndarray], truths: list[np.ndarray], predictions: dict[str, list[np.ndarray]],
               width: float = PAGE) -> Figure:  # fmt: skip
    """One row per image: image, and where every run is wrong, with the share of counted pixels.

    Arguments and errors are those of `mask_grid`; with few runs the figure is narrower than `width`.
    """
    if not predictions:
        raise KitError("a grid of errors needs at least one run")
    _check(images, {"truth": truths, **predictions})
    rows, shares = [], []
    for row, (image, truth) in enumerate(zip(images, truths, strict=True)):
        masks = [masks[row] for masks in predictions.values()]
        counted = truth != IGNORE
        rows.append([image, *(error_map(image, truth, mask, mask) for mask in masks)])
        shares.append([None, *(((mask != truth) & counted).sum() / max(counted.sum(), 1) for mask in masks)])
    handles = [_patch("wrong", WRONG)]
    if any((truth == IGNORE).any() for truth in truths):
        handles.append(_patch("not counted", VOID))
    fig = _grid(["Image", *predictions], rows, [(None, handles)], min(width, WIDEST * (len(predictions) + 1)))
    for ax, share in zip(fig.axes, [share for row in shares for share in row], strict=True):
        if share is not None:
            ax.text(0.985, 0.965, f"{share:.1%}", transform=ax.transAxes, ha="right", va="top", fontsize=SMALL,
                    bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.2})  # fmt: skip
    return fig


@looks()
def pair_grid(images: list[np.ndarray], truths: list[np.ndarray], classes: list[str], palette: list,
              width: float = PAGE) -> Figure:  # fmt: skip
    """One row per image: image, mask in the data set's colours, and the mask laid over the image in grey.

    Arguments and errors are those of `mask_grid`.
    """
    _check(images, {"truth": truths})
    rows = []
    for image, truth in zip(images, truths, strict=True):
        coloured = colour(truth, palette, UNLABELLED)
        rows.append([image, coloured, OVERLAY * coloured / 255 + (1 - OVERLAY) * grey(image)])
    named = _legends(truths, {}, classes, palette)
    return _grid(["Image", "Mask", "Mask over image"], rows, named, width)


def _grid(heads: list[str], rows: list[list[np.ndarray]], legends: list[tuple[str | None, list[Patch]]],
          width: float) -> Figure:  # fmt: skip
    """Pictures of one height in a row, and legends below them."""
    cell = (width - GAP * (len(heads) - 1)) / len(heads)
    heads = [textwrap.fill(head, max(8, int(cell / 0.073))) for head in heads]
    heights = [cell * pictures[0].shape[0] / pictures[0].shape[1] for pictures in rows]
    columns = [legend_columns(handles, width) for _, handles in legends]
    head_height = HEAD_LINE * max(head.count("\n") + 1 for head in heads) + 0.07
    lines = [bool(title) + math.ceil(len(h) / n) for (title, h), n in zip(legends, columns, strict=True)]
    legend_heights = [LINE * count + 0.07 for count in lines]
    height = head_height + sum(heights) + GAP * len(heights) + sum(legend_heights)

    fig = new_figure(width, height, layout=None)  # pictures touch at fixed gaps, which no layout engine knows
    top = height - head_height
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            left, low = column * (cell + GAP), top - heights[row]
            ax = fig.add_axes((left / width, low / height, cell / width, heights[row] / height))
            ax.imshow(picture, aspect="auto")
            ax.set_axis_off()
            if row == 0:
                ax.set_title(heads[column], fontsize=SMALL)
        top -= heights[row] + GAP
    for (title, handles), count, room in zip(legends, columns, legend_heights, strict=True):
        place_legend(fig, title, handles, count, top / height)
        top -= room
    return fig


def _check(images: list, columns: dict[str, list]) -> None:
    if not images:
        raise KitError("a grid of masks needs at least one image")
    for name, masks in columns.items():
        if len(masks) != len(images):
            raise KitError(f"{name}: {len(masks)} masks for {len(images)} images")
        for image, mask in zip(images, masks, strict=True):
            if image.shape[:2] != mask.shape:
                raise KitError(f"{name}: a mask of {mask.shape} for an image of {image.shape[:2]}")


def _legends(truths: list, predictions: dict, classes: list[str],
             palette: list) -> list[tuple[str | None, list[Patch]]]:  # fmt: skip
    """Title and swatches: of the classes that occur, and, where there are runs, of the error map."""
    named = class_patches([mask for masks in (truths, *predictions.values()) for mask in masks], classes, palette)
    ignored = any((mask == IGNORE).any() for mask in truths)
    if not predictions:
        return [(None, named)]
    first, last = list(predictions)[0], list(predictions)[-1]
    if len(predictions) == 1:
        title, errors = None, [_patch("wrong", WRONG)]
    else:
        title = f"{last} against {first}:"
        errors = [_patch("wrong in both", WRONG), _patch("mended", FIXED), _patch("broken", BROKEN)]
    if ignored:
        errors.append(_patch("not counted", VOID))
    return [(None, named), (title, errors)]


def class_patches(masks: list[np.ndarray], classes: list[str], palette: list) -> list[Patch]:
    """A swatch for each class that occurs in masks of class ids, and one for pixels without a label."""
    present = np.unique(np.concatenate([np.unique(mask) for mask in masks]))
    named = [_patch(classes[i], np.asarray(palette[i]) / 255) for i in present if i != IGNORE]
    if IGNORE in present:
        named.append(_patch("not labelled", np.asarray(UNLABELLED) / 255))
    return named


def _patch(label: str, shade) -> Patch:
    return Patch(facecolor=shade, edgecolor="0.4", linewidth=0.3, label=label)


def legend_columns(handles: list[Patch], width: float) -> int:
    """As many columns as the longest name allows."""
    longest = max(len(handle.get_label()) for handle in handles)
    return max(1, min(len(handles), int(width / (longest * 0.062 + 0.3))))


def place_legend(fig: Figure, title: str | None, handles: list[Patch], columns: int, top: float) -> None:
    """A legend in the middle, whose upper end is at `top`, a share of the figure's height."""
    fig.legend(handles=handles, title=title, title_fontsize=SMALL, loc="upper center", bbox_to_anchor=(0.5, top),
               ncol=columns, borderpad=0.2, borderaxespad=0, handlelength=1.1, handleheight=0.9, handletextpad=0.4,
               columnspacing=1.0, labelspacing=0.35)  # fmt: skip
