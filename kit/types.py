"""Records that travel between the parts of the kit; the same in training and in evaluation.

Shape letters: B labelled and U unlabelled images, S strong views, C classes, (H, W) the crop, (h, w) a token grid.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

IGNORE = 255
"""Mask value of pixels that no loss and no metric counts."""

PADDING = (0.485, 0.456, 0.406)
"""Colour of pixels added around an image, red, green, blue in 0..1: the mean of ImageNet."""


class Batch(NamedTuple):
    """What one training step sees. Images are float32 RGB in 0..1; every network normalises them itself."""

    images: Tensor  # (B, 3, H, W) labelled images
    masks: Tensor  # (B, H, W) int64, class ids or IGNORE
    weak: Tensor  # (U, 3, H, W) unlabelled images; U = 0 where the method uses none
    strong: Tensor  # (U, S, 3, H, W) the same crops with strong changes of colour; S = Views.strong
    valid: Tensor  # (U, H, W) bool, False where the crop was padded
    hidden: Tensor | None = None  # (U, H, W) int64 labels of `weak` for statistics alone; no image: they were not read


class SegOutput(NamedTuple):
    """What every network returns, in train mode and in eval mode alike."""

    logits: Tensor  # (B, C, H, W) at the size of the input
    maps: list[Tensor]  # encoder maps (B, Ci, Hi, Wi), fine to coarse
    scores: Tensor | None  # (B, heads, h, w, h, w): query grid, then key grid, before softmax; None unless requested
    features: Tensor  # the decoder's map (B, F, h, w), before dropout and classifier


class StepOutput(NamedTuple):
    """What a method returns for one step. A tuple, so that Accelerate casts its tensors to float32."""

    loss: Tensor  # scalar float32, the only thing that is back-propagated
    parts: dict[str, Tensor]  # detached scalars before weighting, logged under these names
    stats: dict[str, Tensor] = {}  # counts about pseudo labels (`kit.losses.pseudo_label_counts`), summed by the loop


@dataclass(frozen=True)
class Views:
    """What a method wants the loader to prepare of each unlabelled image."""

    unlabelled: bool = True
    """False: the method never looks at unlabelled images, so none are read."""
    strong: int = 0
    """Number of strongly changed views beside the weak one."""


@dataclass(frozen=True)
class Progress:
    """Where a step stands in its run, and the randomness that belongs to it."""

    step: int
    """Steps done so far; 0 for the first."""
    total: int
    """Steps of the whole run."""
    rng: np.random.Generator
    """Derived from the run's seed and the step alone, so that a resumed run draws the same numbers."""

    def ramp(self, share: float) -> float:
        """Linear weight from 0 at the first step to 1 once `share` of the run is done; 1 throughout if share is 0."""
        return min(1.0, self.step / (share * self.total)) if share > 0 else 1.0
