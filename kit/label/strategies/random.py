"""Images drawn at random: what every other strategy is to be compared with."""

import numpy as np

from kit.label.pool import Choice, Pool


def random(pool: Pool, count: int, seed: int) -> list[Choice]:
    """All images in an order that follows from the seed alone."""
    order = np.random.default_rng(seed).permutation(len(pool.names))
    return [Choice(int(i), 0.0, f"drawn at random, seed {seed}") for i in order]
