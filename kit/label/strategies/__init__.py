"""Strategies: name -> function (pool, count, seed) that ranks all images of a pool, the best first.

Pure functions of arrays. The ranking after the first `count` matters too: near-duplicates are left out, and the next
images take their places.
"""

from collections.abc import Callable

from kit.label.pool import Choice, Pool
from kit.label.strategies.balanced import balanced
from kit.label.strategies.cover import cover
from kit.label.strategies.single_score import disagree, margin, random

STRATEGIES: dict[str, Callable[[Pool, int, int], list[Choice]]] = {
    "balanced": balanced, "cover": cover, "disagree": disagree, "margin": margin, "random": random,
}  # fmt: skip
"""The first is the default."""

DIFFERING = ("balanced", "disagree")
"""Strategies that use `Pool.disagreement`, which needs the predictions of all networks or views."""
