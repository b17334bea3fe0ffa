"""How much of a score is owed to the choice of val images: bootstrap over images (Efron), alone and paired.

Images are drawn with replacement, as many as there are; a draw's score is that of the sum of their confusion matrices.
Two networks are compared on the same draws, which takes out what makes an image easy or hard for both.
Intervals are the 2.5th and 97.5th percentile. They say nothing about other seeds of training.
"""

import numpy as np

from kit.data.loaders import FEW_VAL
from kit.errors import KitError

LEVEL = 95
"""Percent of an interval."""


def intervals(matrices: np.ndarray, classes: tuple[str, ...], resamples: int, seed: int = 0) -> dict:
    """Intervals of the mean IoU and of every class's: {"level", "resamples", "miou": [low, high], "iou": {class: ...}}.

    A class that is absent from some draws has the interval of the others; None if it is absent from all.

    Args:
        matrices: confusion matrices of the images, int64 (n, C, C).
    """
    iou = resampled_iou(matrices, draw(len(matrices), resamples, seed))
    present = ~np.isnan(iou).all(0)
    return {
        "level": LEVEL / 100,
        "resamples": resamples,
        "miou": _interval(_mean(iou)),
        "iou": {name: _interval(iou[:, i]) if present[i] else None for i, name in enumerate(classes)},
    }


def compare(first: np.ndarray, second: np.ndarray, resamples: int, seed: int = 0) -> dict:
    """Mean IoU of the second minus that of the first network, on the same images.

    Args:
        first, second: confusion matrices of the images in one order, int64 (n, C, C).
    Returns: {"images", "resamples", "level", "first", "second", "difference", "interval", "p"}; p is two-sided, from
        how many draws lie on the other side of 0, never below 2 / (resamples + 1); None for fewer than FEW_VAL images.
    Raises: KitError if the two do not hold the same true pixels.
    """
    if first.shape != second.shape or not np.array_equal(first.sum(2), second.sum(2)):
        raise KitError("the two were not judged on the same masks; evaluate both on the same images")
    weights = draw(len(first), resamples, seed)
    before, after = (_mean(resampled_iou(matrices, weights)) for matrices in (first, second))
    whole = np.ones((1, len(first)))
    a, b = (float(_mean(resampled_iou(matrices, whole))[0]) for matrices in (first, second))
    difference = after - before
    crossing = min((difference <= 0).sum(), (difference >= 0).sum())
    return {
        "images": len(first),
        "resamples": resamples,
        "level": LEVEL / 100,
        "first": a,
        "second": b,
        "difference": b - a,
        "interval": _interval(difference),
        "p": min(1.0, 2 * (int(crossing) + 1) / (resamples + 1)) if len(first) >= FEW_VAL else None,
    }


def holds_zero(interval: list[float]) -> bool:
    """Whether an interval [low, high] of a difference leaves open which of the two is higher."""
    return interval[0] <= 0 <= interval[1]


def draw(images: int, resamples: int, seed: int = 0) -> np.ndarray:
    """How often each image occurs in each draw, float64 (resamples, images); the same numbers for the same seed."""
    rng = np.random.default_rng([seed, images, resamples])
    return rng.multinomial(images, np.full(images, 1 / images), resamples).astype(np.float64)


def resampled_iou(matrices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """IoU of every class in every draw, float64 (draws, C); nan where the class is absent."""
    hit = matrices.diagonal(axis1=1, axis2=2)
    union = matrices.sum(1) + matrices.sum(2) - hit
    hits, unions = weights @ hit.astype(np.float64), weights @ union.astype(np.float64)  # whole numbers below 2 ** 53
    return np.divide(hits, unions, out=np.full_like(hits, np.nan), where=unions > 0)


def _mean(iou: np.ndarray) -> np.ndarray:
    """Over the classes that are there; nan where none is."""
    there = ~np.isnan(iou)
    count = there.sum(1)
    total = np.where(there, iou, 0).sum(1)
    return np.divide(total, count, out=np.full(len(iou), np.nan), where=count > 0)


def _interval(values: np.ndarray) -> list[float]:
    edge = (100 - LEVEL) / 2
    return np.nanpercentile(values, [edge, 100 - edge]).tolist()
