"""Records shared by all parts of the kit, the same in training and in evaluation.

Shape letters: B labelled and U unlabelled images, S strong views, C classes, (H, W) the crop, (h, w) a token grid.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

IGNORE = 255
"""Mask value of pixels that losses and metrics ignore."""

PADDING = (0.485, 0.456, 0.406)
"""Colour of pixels added around an image, red, green, blue in 0..1: the mean of ImageNet."""


class Batch(NamedTuple):
    """Input of one training step. Images are float32 RGB in 0..1; every network normalises them itself."""

    images: Tensor  # (B, 3, H, W) labelled images
    masks: Tensor  # (B, H, W) int64, class ids or IGNORE
    weak: Tensor  # (U, 3, H, W) unlabelled images; U = 0 if the method uses none
    strong: Tensor  # (U, S, 3, H, W) the same crops with strong colour changes; S = Views.strong
    valid: Tensor  # (U, H, W) bool, False where the crop was padded
    hidden: Tensor | None = None  # (U, H, W) int64 labels of `weak`, for statistics only; not read if None or U = 0


class SegOutput(NamedTuple):
    """Output of every network, in train and eval mode."""

    logits: Tensor  # (B, C, H, W) at the size of the input
    maps: list[Tensor]  # encoder maps (B, Ci, Hi, Wi), fine to coarse
    scores: Tensor | None  # (B, heads, h, w, h, w): query grid, then key grid, before softmax; None unless requested
    features: Tensor  # the decoder's map (B, F, h, w), before dropout and classifier


class StepOutput(NamedTuple):
    """Output of a method for one step. A tuple, so that Accelerate casts its tensors to float32."""

    loss: Tensor  # scalar float32, the only output that is back-propagated
    parts: dict[str, Tensor]  # detached scalars before weighting, logged under these names
    stats: dict[str, Tensor] = {}  # counts about pseudo labels (`kit.losses.pseudo_label_counts`), summed by the loop


@dataclass(frozen=True)
class Views:
    """Views of each unlabelled image that a method needs from the loader."""

    unlabelled: bool = True
    """Whether the method uses unlabelled images; if False, none are read."""
    strong: int = 0
    """Number of strong views in addition to the weak one."""


@dataclass(frozen=True)
class Progress:
    """Position of a step in its run, and its random generator."""

    step: int
    """Number of steps already done; 0 in the first step."""
    total: int
    """Steps of the whole run."""
    rng: np.random.Generator
    """Derived only from the run's seed and the step, so that a resumed run draws the same numbers."""

    def ramp(self, share: float) -> float:
        """Linear weight from 0 at the first step to 1 after `share` of the run; always 1 if share is 0."""
        return min(1.0, self.step / (share * self.total)) if share > 0 else 1.0
