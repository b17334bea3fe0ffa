"""Labels that networks which have not learnt from them agree against: where to look for mistakes in masks.

A student's mistakes outnumber those in masks by far. So a region counts only where all networks are sure of one other
class, and ranks by how unusual that is:

    score = (mean margin) * log(1 + core) * surprise

The margin is the probability of the networks' class less that of the mask's. The core is what is left of the region
without its rim, in pixels: borders are drawn this way or that. The surprise is -log of the larger of P(label |
networks) and P(networks | label) over the sure pixels of all other images: low for what networks confuse as a rule. Two
regions of each image come first, then the next two: one who opens an image sees the rest too. This is
confident learning (Northcutt et al. 2021, arXiv 1911.00068) with regions in the place of samples; the score is the
kit's own.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from kit.errors import KitError
from kit.label.groups import in_turns
from kit.types import IGNORE

RIM = 1 / 300
"""Width of a region's rim, as a share of the image's diagonal: two pixels of 600."""

KEPT = 40
"""Regions that are kept of one image, at most."""

AT_ONCE = 2
"""Regions of one image that come before the second ones of others."""

HIT = 0.3
"""Share of a finding's pixels that must be wrong where errors were planted."""

NEIGHBOURS = np.ones((3, 3), bool)
"""Pixels that touch at a corner are connected: thin things are slanted."""


class Suspicion(NamedTuple):
    """A region whose label is likely to be wrong."""

    name: str  # id of the image
    box: tuple[int, int, int, int]  # top, left, height, width in pixels of the mask
    region: np.ndarray  # bool (height, width), inside the box
    given: int  # class of the mask
    expected: int  # class that the networks agree on
    margin: float  # mean probability of the expected class less that of the given one, 0..1
    core: int  # pixels without the rim
    score: float = 0.0

    @property
    def pixels(self) -> int:
        """Size of the region."""
        return int(self.region.sum())


@dataclass
class Census:
    """What is gathered image by image: regions, and how often which label meets which sure prediction."""

    classes: int
    regions: list[Suspicion] = field(default_factory=list)
    counts: dict[str, np.ndarray] = field(default_factory=dict)  # id -> int64 (C, C), label by sure prediction

    def add(self, name: str, members: Sequence[np.ndarray], mask: np.ndarray, sure: float) -> None:
        """Add an image.

        Args:
            name: its id.
            members: probabilities (C, H, W) by each network or view, at the mask's size.
            mask: uint8 (H, W), class ids or IGNORE.
            sure: 0..1, smallest mean probability that counts.
        Raises: KitError if sizes differ.
        """
        if any(member.shape != (self.classes, *mask.shape) for member in members):
            raise KitError(f"{name}: predictions and mask are not of one size")
        mean = np.mean(members, axis=0, dtype=np.float32)
        predicted = mean.argmax(0)
        sure_of = (mean.max(0) >= sure) & (mask != IGNORE)
        for member in members:
            sure_of &= member.argmax(0) == predicted
        pairs = mask[sure_of].astype(np.int64) * self.classes + predicted[sure_of]
        self.counts[name] = np.bincount(pairs, minlength=self.classes**2).reshape(self.classes, self.classes)
        code = np.where(sure_of & (predicted != mask), mask.astype(np.int64) * self.classes + predicted, -1)
        rim = max(1, round(RIM * math.hypot(*mask.shape)))
        found = [each for pair in np.unique(code[code >= 0]).tolist()
                 for each in _regions(name, code == pair, mean, *divmod(pair, self.classes), rim)]  # fmt: skip
        self.regions += sorted(found, key=lambda each: -each.margin * math.log1p(each.core))[:KEPT]

    def ranked(self) -> list[Suspicion]:
        """All regions, the most suspicious first."""
        total = sum(self.counts.values(), np.zeros((self.classes, self.classes), np.int64))
        scored = []
        for region in self.regions:
            others = total - self.counts[region.name]
            meet = others[region.given, region.expected] + 1
            usual = meet / (min(others[:, region.expected].sum(), others[region.given].sum()) + self.classes)
            scored.append(region._replace(score=region.margin * math.log1p(region.core) * -math.log(usual)))
        scored.sort(key=lambda each: (-each.score, each.name, each.box))
        return [scored[place] for place in in_turns([each.name for each in scored], AT_ONCE)]


def hits(found: Iterable[Suspicion], planted: dict[str, list]) -> tuple[list[bool], int]:
    """Which findings lie in a wrong region, and how many wrong regions are hit by any.

    A finding hits if at least HIT of its pixels are wrong ones of a single region.

    Args:
        planted: id -> regions with `where` (bool (H, W)), as `kit.label.planted.plant` gives them.
    """
    right, hit = [], set()
    for each in found:
        top, left, height, width = each.box
        inside = [(each.name, i) for i, wrong in enumerate(planted.get(each.name, ()))
                  if wrong.where[top : top + height, left : left + width][each.region].mean() >= HIT]  # fmt: skip
        right.append(bool(inside))
        hit.update(inside)
    return right, len(hit)


def _regions(name: str, where: np.ndarray, mean: np.ndarray, given: int, expected: int, rim: int) -> list[Suspicion]:
    labels, _ = ndimage.label(where, NEIGHBOURS)
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        region = labels[rows, columns] == number
        core = int(ndimage.binary_erosion(np.pad(region, 1), NEIGHBOURS, iterations=rim).sum())
        if core:
            margin = (mean[expected, rows, columns] - mean[given, rows, columns])[region].mean()
            box = rows.start, columns.start, *region.shape
            found.append(Suspicion(name, box, region, given, expected, float(margin), core))
    return found
