"""Input of a strategy: data on the images that could be labelled next, as plain arrays with one entry per image."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Pool:
    """N unlabelled and L labelled images. F features, C classes, P fingerprint values."""

    names: tuple[str, ...]
    """Ids, N."""
    features: np.ndarray
    """float32 (N, F): the student's deepest encoder map averaged over the image, with norm 1."""
    disagreement: np.ndarray
    """float32 (N,): Jensen-Shannon divergence between networks or views, mean over pixels, 0..1."""
    margin: np.ndarray
    """float32 (N,): 1 minus the difference of the two largest probabilities, mean over pixels, 0..1."""
    shares: np.ndarray
    """float32 (N, C): share of the pixels that are predicted as each class."""
    prints: np.ndarray
    """float32 (N, P): `kit.label.duplicates.fingerprint` of each image."""
    labelled_features: np.ndarray
    """float32 (L, F): `features` of the labelled images."""
    labelled_prints: np.ndarray
    """float32 (L, P): `prints` of the labelled images."""
    members: str = "views"
    """Names of the networks or views that are compared for `disagreement`."""

    @property
    def labelled(self) -> int:
        """L."""
        return len(self.labelled_features)


class Choice(NamedTuple):
    """A place in a ranking."""

    index: int  # of the image in the pool
    score: float  # of the strategy; comparable only within one ranking
    reason: str  # in words, for the annotator


def share_below(values: np.ndarray, value: float) -> str:
    """Rank of a value among others, in words: "the most of the pool", "more than 93 % of the pool"."""
    if value >= np.max(values):
        return "the most of the pool"
    return f"more than {np.mean(np.asarray(values) < value):.0%} of the pool".replace("%", " %")
