"""Groups of images with similar features of the student's encoder."""

import warnings
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import NamedTuple

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.spatial.distance import cdist

NEIGHBOURS = 20
"""Nearest neighbours that define typicality, as in TypiClust."""


class Groups(NamedTuple):
    """k-means clusters of N unlabelled and L labelled images."""

    of: np.ndarray  # int (N,), group of each unlabelled image
    labelled: np.ndarray  # int (k,), number of labelled images in each group
    size: np.ndarray  # int (k,), number of unlabelled images in each group


def groups(features: np.ndarray, labelled: np.ndarray, count: int, seed: int) -> Groups:
    """k-means clusters of all images (scipy, k-means++ initialisation): `count`, or one per distinct image if fewer.

    Args:
        features, labelled: float32 (N, F) and (L, F).
        count: 1 or more.
        seed: of the initialisation.
    """
    both = np.concatenate([features, labelled]).astype(np.float64)
    count = min(count, len(np.unique(both.round(6), axis=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a group may stay empty
        _, of = kmeans2(both, count, minit="++", seed=np.random.default_rng(seed))
    mine = of[: len(features)]
    return Groups(mine, np.bincount(of[len(features) :], minlength=count), np.bincount(mine, minlength=count))


def in_turns(groups: Iterable[Hashable], at_once: int = 1, begun: Iterable[Hashable] = ()) -> list[int]:
    """Round-robin order of a ranking over groups, as indices: the first `at_once` entries of each group, then the next
    `at_once` of each, and so on.

    Args:
        groups: group of each entry of the ranking.
        at_once: entries of one group per turn.
        begun: group of each entry that was taken before.
    """
    seen, turns = Counter(begun), []
    for place, group in enumerate(groups):
        turns.append((seen[group] // at_once, place))
        seen[group] += 1
    return [place for _, place in sorted(turns)]


def typicality(features: np.ndarray) -> np.ndarray:
    """1 / (mean distance to the nearest images of a group), float (N,); 1 for a group of one.

    Args:
        features: float32 (N, F) of one group.
    Source: Hacohen et al. 2022 (TypiClust, arXiv 2202.02794), equation 1.
    """
    if len(features) < 2:
        return np.ones(len(features))
    nearest = np.sort(cdist(features, features), axis=1)[:, 1 : NEIGHBOURS + 1]
    return 1 / (nearest.mean(1) + 1e-6)
