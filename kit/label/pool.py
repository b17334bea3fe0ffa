"""What a strategy knows of the images that could be labelled next: plain arrays, an entry per image."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kit.errors import KitError


@dataclass(frozen=True, kw_only=True)
class Pool:
    """N unlabelled images, and what has to be known of the L labelled ones beside them. F features, C classes."""

    names: tuple[str, ...]
    """Ids, N."""
    features: np.ndarray
    """float32 (N, F): the student's deepest encoder map averaged over the image, of length 1."""
    disagreement: np.ndarray
    """float32 (N,): Jensen-Shannon divergence between networks or views, mean over pixels, 0..1."""
    margin: np.ndarray
    """float32 (N,): 1 minus the difference of the two largest probabilities, mean over pixels, 0..1."""
    shares: np.ndarray
    """float32 (N, C): share of the pixels that the student takes for each class."""
    prints: np.ndarray
    """float32 (N, P): `kit.label.duplicates.fingerprint` of each image."""
    labelled_features: np.ndarray
    """float32 (L, F)."""
    labelled_prints: np.ndarray
    """float32 (L, P)."""
    members: str = "views"
    """What the disagreement is between, in words."""

    def __post_init__(self):
        for name in ("features", "disagreement", "margin", "shares", "prints"):
            if len(getattr(self, name)) != len(self.names):
                raise KitError(f"{name} has {len(getattr(self, name))} rows for {len(self.names)} images")

    @property
    def labelled(self) -> int:
        """L."""
        return len(self.labelled_features)


class Choice(NamedTuple):
    """A place in a ranking."""

    index: int  # of the image in the pool
    score: float  # what the strategy ranked by; comparable within one ranking alone
    reason: str  # why, in words, for the person who labels


def share_below(values: np.ndarray, value: float) -> str:
    """How a value stands among others, in words: "the most of the pool", "more than 93 % of the pool"."""
    if value >= np.max(values):
        return "the most of the pool"
    return f"more than {np.mean(np.asarray(values) < value):.0%} of the pool".replace("%", " %")
