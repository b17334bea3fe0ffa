"""Near-duplicate images, such as neighbouring frames of a video: one label for all of them is enough."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

PRINT = (24, 32)
"""(height, width) of a fingerprint."""

ALIKE = 0.9
"""Smallest correlation of the fingerprints of two near-duplicates. In CamVid, with one frame per second, 40 % of
neighbouring frames reach it, but fewer than 0.1 % of the pairs that are more than 20 frames apart."""


def fingerprint(image: np.ndarray) -> np.ndarray:
    """Downscaled grey values of an image with mean 0 and norm 1, float32 (768,), so that the dot product of two
    fingerprints is their correlation; all zeros for an image of one grey value, which has no duplicates.

    Args:
        image: uint8 (H, W, 3).
    """
    small = Image.fromarray(image).convert("L").resize(PRINT[::-1], Image.Resampling.BOX)
    values = np.asarray(small, np.float32).ravel()
    values = values - values.mean()
    length = np.linalg.norm(values)
    return values / length if length > 1e-6 else np.zeros_like(values)


def without_duplicates(order: Iterable[int], prints: np.ndarray, taken: np.ndarray, count: int,
                       alike: float = ALIKE) -> list[int]:  # fmt: skip
    """The first `count` indices in `order` that duplicate neither `taken` nor an index chosen before them.

    Args:
        order: indices into `prints`, the best first.
        prints: float32 (N, P), fingerprints.
        taken: float32 (L, P), fingerprints of the labelled images.
        count: number of indices; fewer are returned if all others are duplicates.
        alike: smallest correlation of duplicates; above 1 there are none.
    """
    chosen: list[int] = []
    for index in order:
        if len(chosen) == count:
            break
        seen = np.concatenate([taken, prints[chosen]]) if len(taken) else prints[chosen]
        if not len(seen) or (seen @ prints[index]).max() < alike:
            chosen.append(int(index))
    return chosen
