"""Images on which the student wavers between two classes."""

import numpy as np

from kit.label.pool import Choice, Pool, share_below


def margin(pool: Pool, count: int, seed: int) -> list[Choice]:
    """All images by how close the two largest probabilities are, mean over pixels, the closest first.

    Source: Scheffer et al. 2001, averaged over pixels.
    """
    values = pool.margin
    order = np.argsort(-values, kind="stable")
    return [
        Choice(int(i), float(values[i]), f"two classes are close (1 - margin {values[i]:.2f}), "
               f"{share_below(values, values[i])}")
        for i in order
    ]  # fmt: skip
