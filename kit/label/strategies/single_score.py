"""Rankings by one number per image, and the random ranking."""

from collections.abc import Callable

import numpy as np

from kit.label.pool import Choice, Pool, share_below


def disagree(pool: Pool, count: int, seed: int) -> list[Choice]:
    """All images by the Jensen-Shannon divergence between networks or views, mean over pixels, the largest first.

    Between networks it is query by committee (Dagan and Engelson 1995) with the divergence of Melville et al. 2005;
    between views of one image, consistency as in Gao et al. 2020 (arXiv 1910.07153).
    """
    return _largest_first(pool.disagreement, lambda index: disagreement_of(pool, index))


def disagreement_of(pool: Pool, index: int) -> str:
    """The disagreement of networks or views on an image, in words."""
    value = pool.disagreement[index]
    return f"{pool.members} disagree ({value:.3f}), {share_below(pool.disagreement, value)}"


def margin(pool: Pool, count: int, seed: int) -> list[Choice]:
    """All images by the difference of the student's two largest probabilities, mean over pixels, the smallest first.

    Source: Scheffer et al. 2001, averaged over pixels.
    """
    values = pool.margin
    return _largest_first(
        values, lambda i: f"two classes are close (1 - margin {values[i]:.2f}), {share_below(values, values[i])}"
    )


def random(pool: Pool, count: int, seed: int) -> list[Choice]:
    """All images in random order, which depends only on the seed: the baseline of the other strategies."""
    order = np.random.default_rng(seed).permutation(len(pool.names))
    return [Choice(int(i), 0.0, f"drawn at random, seed {seed}") for i in order]


def _largest_first(values: np.ndarray, why: Callable[[int], str]) -> list[Choice]:
    return [Choice(i, float(values[i]), why(i)) for i in np.argsort(-values, kind="stable").tolist()]
