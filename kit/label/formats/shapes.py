"""Regions of annotation tools, and masks painted from them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kit.data.reading.sizes import size_text
from kit.errors import KitError
from kit.label.formats.polygons import outlines
from kit.types import IGNORE

VOID = ("void", "ignore", "unlabelled", "unlabeled")
"""Labels of ignored pixels, unless a class has the name. Pixels that no shape covers are ignored too."""

OVERLAP = 0.1
"""Allowed overlap of two regions of different classes, as a share of the smaller one: outlines drawn by hand overlap
along their borders. More than this and more than THIN pixels is refused, unless an order states which lies on top."""

THIN = 32

OUTSIDE = 1.0
"""Pixels by which rounding may put a corner outside its image; it is moved to the border."""


class Polygon(NamedTuple):
    """A region by its corners."""

    label: str
    points: np.ndarray  # float (n, 2): x and y; (0, 0) is the upper left corner of the upper left pixel
    order: int = 0  # regions of higher order lie on top


class Bitmap(NamedTuple):
    """A region by its pixels."""

    label: str
    mask: np.ndarray  # bool (h, w)
    top: int = 0
    left: int = 0
    order: int = 0

    def on(self, size: tuple[int, int]) -> np.ndarray:
        """bool (H, W): the region on an image of this (height, width)."""
        whole = np.zeros(size, bool)
        whole[self.top : self.top + self.mask.shape[0], self.left : self.left + self.mask.shape[1]] = self.mask
        return whole


Shape = Polygon | Bitmap


@dataclass(frozen=True)
class Drawing:
    """What an export holds for one image."""

    file: str
    """Name of the image's file, as the export has it."""
    size: tuple[int, int] | None
    """(height, width) that the export states; None if it states none."""
    shapes: Sequence[Shape]
    """In the order in which they are painted."""


@dataclass(frozen=True)
class Item:
    """An image to be annotated."""

    name: str
    """Its id."""
    file: Path
    mask: np.ndarray
    """uint8 (H, W), class ids or IGNORE."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """Options for writing regions."""

    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    polygons: bool = True
    """True: outlines, which are edited by their corners; False: bitmaps."""
    tolerance: float = 0.34
    """Of outlines, in pixels; larger ones have fewer corners (`kit.label.formats.polygons.EXACT`)."""


def paint(drawing: Drawing, classes: Sequence[str], size: tuple[int, int], overlap: str = "refuse") -> np.ndarray:
    """The mask of a drawing, uint8 (H, W), IGNORE where nothing is drawn.

    Args:
        drawing: of an export.
        classes: names in the order of class ids.
        size: (height, width) of the image.
        overlap: "refuse" raises for regions of different classes but the same order whose overlap exceeds OVERLAP;
            "later" paints the later one over the earlier.
    Raises: KitError naming the file for another size, an unknown class, a region outside the image, or overlap.
    """
    if drawing.size is not None and tuple(drawing.size) != tuple(size):
        raise KitError(f"{drawing.file}: the export says {size_text(drawing.size)}, the image is {size_text(size)} "
                       "(height x width)")  # fmt: skip
    mask = np.full(size, IGNORE, np.uint8)
    order = np.full(size, -1, np.int32)  # place of the shape that a pixel has its class from
    shapes = sorted(drawing.shapes, key=lambda shape: shape.order)
    areas = []
    for place, shape in enumerate(shapes):
        cls, (top, left), inside = class_id(shape.label, classes, drawing.file), *placed(shape, size, drawing.file)
        box = slice(top, top + inside.shape[0]), slice(left, left + inside.shape[1])
        areas.append(int(inside.sum()))
        if overlap == "refuse":
            below = order[box][inside]
            for other, count in zip(*np.unique(below[below >= 0], return_counts=True), strict=True):
                same = shapes[other].order == shape.order and shapes[other].label != shape.label
                if same and count > max(THIN, OVERLAP * min(areas[place], areas[other])):
                    raise KitError(f"{drawing.file}: {shape.label!r} and {shapes[other].label!r} overlap in {count} "
                                   "pixels, and nothing says which lies on top; correct one, or take the later one "
                                   "with --overlap later")  # fmt: skip
        mask[box][inside], order[box][inside] = cls, place
    return mask


def class_id(label: str, classes: Sequence[str], file: str) -> int:
    """Class id of a label, or IGNORE for one of VOID. Raises KitError for any other."""
    if label in classes:
        return list(classes).index(label)
    if label.lower() in VOID:
        return IGNORE
    raise KitError(f"{file}: no class is called {label!r}; the data set has {', '.join(classes)}")


def placed(shape: Shape, size: tuple[int, int], file: str) -> tuple[tuple[int, int], np.ndarray]:
    """(top, left) and pixels, bool (h, w), of a shape. Raises KitError if it does not lie inside the image."""
    if isinstance(shape, Bitmap):
        (h, w), (height, width) = shape.mask.shape, size
        if shape.top < 0 or shape.left < 0 or shape.top + h > height or shape.left + w > width:
            raise KitError(f"{file}: the bitmap of {shape.label!r}, {size_text((h, w))} at row {shape.top} and column "
                           f"{shape.left}, does not lie inside the image of {size_text(size)}")  # fmt: skip
        return (shape.top, shape.left), np.asarray(shape.mask, bool)
    points = np.asarray(shape.points, np.float64)
    if points.ndim != 2 or len(points) < 3 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise KitError(f"{file}: a polygon of {shape.label!r} has fewer than three corners, or one that is not numeric")
    limit = np.array(size[::-1], np.float64)
    if (points < -OUTSIDE).any() or (points > limit + OUTSIDE).any():
        x, y = points[((points < -OUTSIDE) | (points > limit + OUTSIDE)).any(1)][0]
        raise KitError(f"{file}: a polygon of {shape.label!r} has a corner at x {x:g}, y {y:g}, outside the image of "
                       f"{size_text(size)} (height x width)")  # fmt: skip
    return filled(np.clip(points, 0, limit))


def filled(points: np.ndarray) -> tuple[tuple[int, int], np.ndarray]:
    """(top, left) and bool (h, w): the pixels whose centres lie inside a polygon, by the even-odd rule.

    Functions of other libraries put (0, 0) at the centre of a pixel, include the outline, or work at a fifth of a
    pixel. This one restores a mask from outlines along its pixel borders bit for bit.

    Args:
        points: float (n, 2), x and y, not negative.
    """
    (left, top), (right, bottom) = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int)
    toggles = np.zeros((bottom - top, right - left + 1), np.int64)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, 0), strict=True):
        low, high = min(y0, y1), max(y0, y1)
        rows = np.arange(np.ceil(low - 0.5), np.ceil(high - 0.5)).astype(int)  # centres with low <= y < high
        if len(rows):
            x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            toggles[rows - top, np.ceil(x - 0.5).astype(int).clip(left, right) - left] += 1
    return (int(top), int(left)), toggles.cumsum(1)[:, :-1] % 2 == 1


def bitmaps(mask: np.ndarray, names: Mapping[int, str]) -> list[Bitmap]:
    """A bitmap for each class in a mask, cut to its pixels.

    Args:
        mask: integers (H, W).
        names: value -> label; other values are left out.
    """
    found = []
    for value in np.unique(mask).tolist():
        if value in names:
            rows, columns = np.nonzero(mask == value)
            top, left = int(rows.min()), int(columns.min())
            found.append(Bitmap(names[value], mask[top : rows.max() + 1, left : columns.max() + 1] == value, top, left))
    return found


def regions(item: Item, how: Written) -> list[Shape]:
    """The regions of an image in the form that is written: outlines, or a bitmap for each class."""
    if how.polygons:
        return [Polygon(how.classes[cls], points) for cls, points in outlines(item.mask, how.tolerance)]
    return bitmaps(item.mask, dict(enumerate(how.classes)))


def numbers(values: Iterable, what: str, kind: Callable = float) -> list:
    """Values as numbers. Raises KitError naming `what` if one is not a number."""
    try:
        return [kind(value) for value in values]
    except (TypeError, ValueError) as error:
        raise KitError(f"{what}: {error}") from error
