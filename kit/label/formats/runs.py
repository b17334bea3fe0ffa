"""Run lengths of bitmaps; zeros and ones alternate, zeros first."""

from collections.abc import Sequence

import numpy as np

from kit.data.reading.sizes import size_text
from kit.errors import KitError


def to_runs(mask: np.ndarray) -> list[int]:
    """Run lengths of a bitmap bool (h, w), row by row."""
    flat = mask.ravel()
    edges = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]])
    return [0] * bool(flat[0]) + np.diff(edges).tolist()


def from_runs(lengths: Sequence[int], size: tuple[int, int], where: str, order: str = "C") -> np.ndarray:
    """The bitmap bool (h, w) of run lengths, row by row, or for "F" column by column. Raises KitError if their sum is
    not the number of pixels."""
    if any(length < 0 for length in lengths) or sum(lengths) != size[0] * size[1]:
        raise KitError(f"{where}: the RLE has {sum(lengths)} pixels, and should have {size_text(size)} = "
                       f"{size[0] * size[1]}")  # fmt: skip
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(size, order=order)
