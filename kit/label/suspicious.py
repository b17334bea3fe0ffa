"""Suspicious labels: mask regions where networks that were not trained on them agree on another class.

A student makes far more mistakes than the masks contain. So a region counts only where all networks predict the same
other class and their mean probability is high. Regions are ranked by how unusual this is:

    score = (mean margin) * log(1 + core) * surprise

The margin is the probability of the predicted class minus that of the mask's class. The core is the region without its
rim, in pixels, because annotators draw borders differently. The surprise is -log of the larger of P(label | prediction)
and P(prediction | label), over the confident pixels of all other images; it is low for classes that the networks often
confuse. The ranking takes two regions of each image, then the next two of each, because an annotator who opens an image
sees its other regions too. This is confident learning (Northcutt et al. 2021, arXiv 1911.00068) with regions instead of
samples; the score is the kit's own.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from kit.data.reading.decode import Box, cut
from kit.errors import KitError
from kit.label.groups import in_turns
from kit.types import IGNORE

RIM = 1 / 300
"""Width of a region's rim as a share of the image's diagonal: 2 pixels if the diagonal has 600."""

KEPT = 40
"""Largest number of regions kept per image."""

AT_ONCE = 2
"""Regions of one image per turn of the ranking (`kit.label.groups.in_turns`)."""

HIT = 0.3
"""Smallest share of a finding's pixels inside a planted region for a hit."""

NEIGHBOURS = np.ones((3, 3), bool)
"""Pixels that touch at a corner are connected, because thin slanted objects consist of such pixels."""


class Suspicion(NamedTuple):
    """A region whose label is probably wrong."""

    name: str  # id of the image
    box: Box  # in pixels of the mask
    region: np.ndarray  # bool (height, width), inside the box
    given: int  # class of the mask
    expected: int  # class that the networks agree on
    margin: float  # mean probability of the expected class minus that of the given one, 0..1
    core: int  # pixels without the rim
    score: float = 0.0

    @property
    def pixels(self) -> int:
        """Number of pixels in the region."""
        return int(self.region.sum())


@dataclass
class Census:
    """Regions gathered image by image, and counts of confident pixels by label and prediction."""

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
    """Whether each finding hits a planted region, and how many planted regions are hit.

    A finding hits a region if at least the share HIT of its pixels is wrong because of that region.

    Args:
        planted: id -> regions with `where` (bool (H, W)), as `kit.label.planted.plant` gives them.
    """
    right, hit = [], set()
    for each in found:
        inside = [(each.name, i) for i, wrong in enumerate(planted.get(each.name, ()))
                  if cut(wrong.where, each.box)[each.region].mean() >= HIT]  # fmt: skip
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
