"""Wrong regions planted into masks, to measure how many of them are found."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from kit.types import IGNORE

KINDS = ("swapped", "shifted", "missing")
"""A region gets another class; a region is moved; a region gets the class of its surroundings."""

SMALLEST, LARGEST = 150, 0.2
"""Smallest region that is made wrong, in pixels, and largest, as a share of the image."""


class Planted(NamedTuple):
    """A wrong region."""

    kind: str  # one of KINDS
    where: np.ndarray  # bool (H, W), wrong pixels
    given: int  # their wrong class
    true: int  # their original class; of several pairs (given, true), the one with most pixels


def plant(mask: np.ndarray, kind: str, classes: int, rng: np.random.Generator) -> tuple[np.ndarray, Planted] | None:
    """A copy of a mask with one wrong region, and its description; None if there is no region, or the drawn one fails.

    Args:
        mask: uint8 (H, W), class ids or IGNORE.
        kind: one of KINDS.
        classes: number of classes.
        rng: draws the region, its class and the direction of a shift.
    """
    regions = _regions(mask)
    if not regions:
        return None
    region = regions[rng.integers(len(regions))]
    cls, wrong = int(mask[region][0]), mask.copy()
    around = _around(mask, region, cls)
    if kind == "swapped":
        others = [each for each in range(classes) if each not in (cls, around)]
        if not others:
            return None
        wrong[region] = rng.choice(others)
    elif around is None:
        return None
    else:
        wrong[region] = around
        if kind == "shifted":
            rows, columns = np.nonzero(region)
            far = max(4, round(0.6 * min(np.ptp(rows) + 1, np.ptp(columns) + 1)))
            down, right = rng.choice([(far, 0), (-far, 0), (0, far), (0, -far)])
            inside = (rows + down >= 0) & (rows + down < mask.shape[0]) & (columns + right >= 0)
            inside &= columns + right < mask.shape[1]
            wrong[rows[inside] + down, columns[inside] + right] = cls
    where = (wrong != mask) & (mask != IGNORE)
    if where.sum() < SMALLEST // 2:
        return None
    pairs = wrong[where].astype(np.int64) * (IGNORE + 1) + mask[where]
    return wrong, Planted(kind, where, *divmod(_most(pairs), IGNORE + 1))


def _regions(mask: np.ndarray) -> list[np.ndarray]:
    """Connected regions of one class, neither too small nor too large."""
    found = []
    for cls in np.unique(mask[mask != IGNORE]).tolist():
        labels, count = ndimage.label(mask == cls)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        found += [labels == i + 1 for i in np.flatnonzero((sizes >= SMALLEST) & (sizes <= LARGEST * mask.size))]
    return found


def _around(mask: np.ndarray, region: np.ndarray, cls: int) -> int | None:
    """The most frequent class around a region; None if there is none."""
    ring = ndimage.binary_dilation(region, iterations=3) & ~region & (mask != IGNORE) & (mask != cls)
    return _most(mask[ring]) if ring.any() else None


def _most(values: np.ndarray) -> int:
    return int(np.bincount(values).argmax())
