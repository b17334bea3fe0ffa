"""Uncertainty of a score from the choice of val images: bootstrap over images (Efron), single and paired.

A draw takes n of the n images with replacement; its score comes from the sum of their confusion matrices.
Two networks are compared on the same draws, which removes the variation that both share.
Intervals are the 2.5th and 97.5th percentile. They do not cover other seeds of training.
"""

import numpy as np

from kit.data.loaders import FEW_VAL

LEVEL = 95
"""Coverage of an interval in percent."""


def intervals(matrices: np.ndarray, classes: tuple[str, ...], resamples: int) -> dict:
    """Intervals of the mean and the class IoUs: {"level", "resamples", "miou": [low, high], "iou": {class: ...}}.

    The interval of a class ignores draws without the class; it is None if all draws lack it.

    Args:
        matrices: confusion matrices of the images, int64 (n, C, C).
    """
    iou = resampled_iou(matrices, draw(len(matrices), resamples))
    present = ~np.isnan(iou).all(0)
    return {
        "level": LEVEL / 100,
        "resamples": resamples,
        "miou": interval(_mean(iou)),
        "iou": {name: interval(iou[:, i]) if present[i] else None for i, name in enumerate(classes)},
    }


def compare(first: np.ndarray, second: np.ndarray, resamples: int) -> dict:
    """Difference in mean IoU, second network minus first, on the same images.

    Args:
        first, second: confusion matrices of the images in one order, int64 (n, C, C), with equal true pixels.
    Returns: {"images", "resamples", "level", "first", "second", "difference", "interval", "p"}; p is two-sided, from
        the number of draws with the opposite sign, at least 2 / (resamples + 1); None for fewer than FEW_VAL images.
    """
    weights = draw(len(first), resamples)
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
        "interval": interval(difference),
        "p": min(1.0, 2 * (int(crossing) + 1) / (resamples + 1)) if len(first) >= FEW_VAL else None,
    }


def draw(images: int, resamples: int, seed: int = 0) -> np.ndarray:
    """Number of times each image occurs in each draw, float64 (resamples, images); equal for equal seeds."""
    rng = np.random.default_rng([seed, images, resamples])
    return rng.multinomial(images, np.full(images, 1 / images), resamples).astype(np.float64)


def overlaps(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in the intersection and in the union of truth and prediction, int64 (n, C) each, of confusion matrices
    (n, C, C)."""
    hits = matrices.diagonal(axis1=1, axis2=2)
    return hits, matrices.sum(1) + matrices.sum(2) - hits


def resampled_iou(matrices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """IoU of every class in every draw, float64 (draws, C); nan where the class is absent."""
    return overlap_iou(*overlaps(matrices), weights)


def overlap_iou(hits: np.ndarray, unions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`resampled_iou` from the results of `overlaps`."""
    hits, unions = weights @ hits.astype(np.float64), weights @ unions.astype(np.float64)  # whole numbers below 2 ** 53
    return np.divide(hits, unions, out=np.full_like(hits, np.nan), where=unions > 0)


def _mean(iou: np.ndarray) -> np.ndarray:
    """Mean over the classes that are present; nan if none is."""
    there = ~np.isnan(iou)
    count = there.sum(1)
    total = np.where(there, iou, 0).sum(1)
    return np.divide(total, count, out=np.full(len(iou), np.nan), where=count > 0)


def interval(values: np.ndarray) -> list[float]:
    """[low, high] of the values of all draws; nan is ignored."""
    edge = (100 - LEVEL) / 2
    return np.nanpercentile(values, [edge, 100 - edge]).tolist()
