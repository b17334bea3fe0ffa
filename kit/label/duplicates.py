"""Pictures that show nearly the same, such as neighbouring frames of a video: one label for all of them is enough."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

PRINT = (24, 32)
"""(height, width) of a fingerprint."""

ALIKE = 0.9
"""Correlation of two fingerprints from which on two pictures count as one. Of CamVid's frames, taken a second apart, 40
% of neighbours reach it, and fewer than 0.1 % of the pairs that lie more than 20 frames apart."""


def fingerprint(image: np.ndarray) -> np.ndarray:
    """A picture as a small grey one of mean 0 and length 1, float32 (768,), so that the dot product of two is their
    correlation; a picture of one grey value is all zeros, alike to none.

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
    """The first `count` places of `order` that are alike to nothing before them and to nothing taken.

    Args:
        order: indices into `prints`, the best first.
        prints: float32 (N, P), fingerprints.
        taken: float32 (L, P), fingerprints of what is labelled already.
        count: fewer come back if the others are all alike to something.
        alike: smallest correlation that counts as the same picture; above 1 nothing does.
    """
    chosen: list[int] = []
    for index in order:
        if len(chosen) == count:
            break
        seen = np.concatenate([taken, prints[chosen]]) if len(taken) else prints[chosen]
        if not len(seen) or (seen @ prints[index]).max() < alike:
            chosen.append(int(index))
    return chosen
