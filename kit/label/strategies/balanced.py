"""Coverage while labels are few, disagreement when there are more, one image per group."""

import itertools
import math

import numpy as np

from kit.label.groups import groups, in_turns
from kit.label.pool import Choice, Pool
from kit.label.strategies.cover import cover
from kit.label.strategies.single_score import disagreement_of

FEW, MANY = 0.5, 4.0
"""Labelled images per class: up to FEW all images are chosen for coverage, from MANY on none."""

RARE = 3.0
"""Largest factor on the disagreement of an image with rare classes."""


def balanced(pool: Pool, count: int, seed: int) -> list[Choice]:
    """First the share `covering_share` of `count` in the order of `cover`, then one image per group, ranked by
    disagreement times `rarity`; after `count`, both rankings in turn.

    A small budget is best spent on typical images that cover the data, a large one on images where the networks
    disagree (Hacohen et al. 2022; for segmentation Mittal et al. 2023, arXiv 2302.04075, where the best strategy
    depends on redundancy and budget). The share depends on the labels per class; FEW and MANY are this kit's choice.
    """
    covering = round(count * covering_share(pool.labelled, pool.shares.shape[1]))
    typical = cover(pool, count, seed)
    differing = _one_per_group(pool, count, seed, taken=[choice.index for choice in typical[:covering]])
    order = [*typical[:covering], *differing[: count - covering]]
    rest = itertools.chain.from_iterable(zip(typical, differing, strict=True))
    first: dict[int, Choice] = {}
    for choice in [*order, *rest]:
        first.setdefault(choice.index, choice)
    return list(first.values())


def covering_share(labelled: int, classes: int) -> float:
    """Share of the next images that are chosen for coverage: 1 up to FEW labelled images per class, 0 from MANY on,
    linear in the logarithm between."""
    per_class = max(labelled, 1) / classes
    return float(np.clip(1 - math.log(per_class / FEW) / math.log(MANY / FEW), 0, 1))


def rarity(shares: np.ndarray) -> np.ndarray:
    """How rare the classes of each image are, 1..RARE, float (N,).

    The mean over an image's pixels of 1 / sqrt(share of their class in the pool), divided by the pool's smallest mean.

    Args:
        shares: float (N, C), share of each class in each image; rows sum to 1.
    """
    usual = shares.mean(0)
    weight = np.where(usual > 0, 1 / np.sqrt(np.maximum(usual, 1e-4)), 0)
    values = shares @ weight
    return np.clip(values / max(values.min(), 1e-9), 1, RARE)


def _one_per_group(pool: Pool, count: int, seed: int, taken: list[int]) -> list[Choice]:
    """The best image of each group, then the second best, and so on; groups of images in `taken` join a turn later."""
    rare = rarity(pool.shares)
    score = pool.disagreement * rare
    of = groups(pool.features, pool.labelled_features[:0], max(2, 2 * count), seed).of.tolist()
    ranked = np.argsort(-score, kind="stable").tolist()
    turns = in_turns([of[index] for index in ranked], begun={of[index] for index in taken})
    words = [f"; rare classes, times {times:.1f}" if times >= 1.25 else "" for times in rare]
    return [Choice(i, float(score[i]), disagreement_of(pool, i) + words[i]) for i in (ranked[place] for place in turns)]
