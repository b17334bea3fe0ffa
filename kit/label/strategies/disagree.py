"""Images on which the networks, or views of one image, differ."""

import numpy as np

from kit.label.pool import Choice, Pool, share_below


def disagree(pool: Pool, count: int, seed: int) -> list[Choice]:
    """All images by the Jensen-Shannon divergence between networks or views, mean over pixels, the largest first.

    Between networks it is query by committee (Dagan and Engelson 1995) with the divergence of Melville et al. 2005;
    between views of one image, consistency as in Gao et al. 2020 (arXiv 1910.07153).
    """
    values = pool.disagreement
    order = np.argsort(-values, kind="stable")
    return [Choice(int(i), float(values[i]), reason(pool, int(i))) for i in order]


def reason(pool: Pool, index: int) -> str:
    """How far apart they are on an image, in words."""
    value = pool.disagreement[index]
    return f"{pool.members} disagree ({value:.3f}), {share_below(pool.disagreement, value)}"
