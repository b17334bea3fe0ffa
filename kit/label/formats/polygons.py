"""Outlines of the regions of a mask: valid polygons without holes that share their borders."""

from collections.abc import Iterator

import numpy as np

from kit.system.first_use import optional
from kit.types import IGNORE

EXACT = 0.34
"""Pixels; slightly less than the distance from a pixel's centre to its nearest border, a quarter of the diagonal
(0.354)."""

SLIVER = 0.25
"""Square pixels; smaller pieces lie between simplified borders that cross each other, and contain no pixel's centre."""


def outlines(mask: np.ndarray, tolerance: float = EXACT) -> Iterator[tuple[int, np.ndarray]]:
    """(class id, corners float (n, 2) of x and y) of every connected region, IGNORE left out.

    Borders run between pixels, with (0, 0) the upper left corner of the upper left pixel, and cut the corners of pixels
    from the middle of one side to the middle of the next. Each piece of border between two regions is simplified once
    for both (Douglas and Peucker, by shapely), so that neither gaps nor overlap arise. A region with holes is cut
    through them, because most tools do not support holes.

    Args:
        mask: uint8 (H, W).
        tolerance: 0 or more, pixels by which a border may move. Up to EXACT it passes no pixel's centre, so that
            `kit.label.formats.shapes.filled` restores the mask except for rounding.
    Raises: KitError if shapely is not installed.
    """
    shapely = optional("shapely", "outlines need shapely; pip install shapely, or write bitmaps (--shapes bitmaps)")
    lines = shapely.line_merge(shapely.multilinestrings(_borders(mask)))
    if tolerance > 0:
        lines = shapely.union_all(shapely.simplify(shapely.get_parts(lines), tolerance))
    faces = shapely.get_parts(shapely.polygonize([lines]))
    faces = faces[shapely.area(faces) >= SLIVER]
    inside = shapely.get_coordinates(shapely.point_on_surface(faces)).astype(int)
    for cls, face in zip(mask[inside[:, 1], inside[:, 0]].tolist(), faces, strict=True):
        if cls != IGNORE:
            for part in _without_holes(face, shapely):
                yield cls, shapely.get_coordinates(part.exterior)[:-1]


def _borders(mask: np.ndarray) -> np.ndarray:
    """Segments of the borders between values and around the image, float (n, 2, 2) of x and y.

    Where two sides meet at a corner of pixels, a segment joins their midpoints. Where more sides meet, and at the
    image's corners, a segment leads from the midpoint of each side to the corner.
    """
    (height, width), padded = mask.shape, np.pad(mask.astype(np.int16), 1, constant_values=-1)
    rows, columns = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])  # between a row and the one above
    flat = np.stack([np.stack([columns, rows], 1), np.stack([columns + 1, rows], 1)], 1)
    rows, columns = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    upright = np.stack([np.stack([columns, rows], 1), np.stack([columns, rows + 1], 1)], 1)
    sides = np.concatenate([flat, upright])  # (n, 2 ends, 2)
    ends = sides.reshape(-1, 2) @ (1, width + 1)
    middles = np.repeat(sides.mean(1), 2, axis=0)
    order = np.argsort(ends, kind="stable")
    at, first, meeting = np.unique(ends[order], return_index=True, return_counts=True)
    corners = np.isin(at, [0, width, height * (width + 1), height * (width + 1) + width])
    through = (meeting == 2) & ~corners
    one, other = (middles[order[first[through] + i]] for i in (0, 1))
    stops = order[np.repeat(~through, meeting)]
    return np.concatenate([np.stack([one, other], 1), np.stack([middles[stops], sides.reshape(-1, 2)[stops]], 1)])


def _without_holes(polygon, shapely) -> Iterator:
    """Pieces of a polygon, cut vertically through the middle of a hole until no piece has a hole."""
    pieces = [polygon]
    while pieces:
        piece = pieces.pop()
        if not piece.interiors:
            yield piece
            continue
        left, low, right, high = piece.bounds
        hole = piece.interiors[0].bounds
        at = round((hole[0] + hole[2]) / 2)
        at = at if hole[0] < at < hole[2] else (hole[0] + hole[2]) / 2
        for box in ((left - 1, low - 1, at, high + 1), (at, low - 1, right + 1, high + 1)):
            cut = shapely.get_parts(shapely.intersection(piece, shapely.box(*box)))
            pieces += [part for part in cut if part.geom_type == "Polygon" and part.area > 0]
