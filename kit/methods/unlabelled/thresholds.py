"""Confidence thresholds of pseudo labels, one for each class."""

import torch
from torch import Tensor, nn

from kit.losses.confidence import Belief
from kit.losses.reduction import summed

BINS = 200
"""Number of bins of confidence, over 0..1, in the search for a threshold."""


class ClassThresholds(nn.Module):
    """Selects the most confident `share` of the pixels of every predicted class, and all pixels above `ceiling`.

    With one threshold, a class that is never predicted with high confidence (thin or rare objects) would never be
    learnt. Class-balanced self-training (Zou et al., ECCV 2018, arXiv 1810.07911, equation 7) takes a share of each
    class over the whole data set between rounds of training; here each level is a running average over steps.

    Args:
        num_classes: C.
        share: of each class's pixels, 0..1; 0 uses `ceiling` for all classes.
        ceiling: highest threshold of any class.
        momentum: of the running average.
    """

    def __init__(self, num_classes: int, share: float, ceiling: float, momentum: float = 0.95):
        super().__init__()
        self.share, self.ceiling, self.momentum = share, ceiling, momentum
        self.register_buffer("level", torch.full((num_classes,), ceiling))

    @torch.no_grad()
    def update(self, belief: Belief, valid: Tensor) -> None:
        """Move the levels of the classes that any process predicts somewhere in `valid` (U, H, W)."""
        if not self.share:
            return
        classes = len(self.level)
        bins = (belief.confidence * BINS).long().clamp(0, BINS - 1)  # nan would be a negative number
        counts = torch.zeros(classes * BINS, device=bins.device)
        counts.scatter_add_(0, (belief.labels * BINS + bins).flatten(), valid.flatten().float())
        above = summed(counts).reshape(classes, BINS).flip(1).cumsum(1).flip(1)  # pixels at least as sure as each bin
        wanted = self.share * above[:, :1]
        level = ((above >= wanted).sum(1) - 1) / BINS  # the highest bin with enough pixels above it
        seen = above[:, 0] > 0
        self.level.copy_(torch.where(seen, torch.lerp(level, self.level, self.momentum), self.level))

    def sure(self, belief: Belief) -> Tensor:
        """bool (U, H, W): where a label is learnt."""
        return belief.confidence >= self.level.clamp(max=self.ceiling)[belief.labels]

    def _load_from_state_dict(self, state: dict, prefix: str, *others) -> None:
        state.setdefault(f"{prefix}level", self.level)  # older checkpoints of UniMatch lack it
        super()._load_from_state_dict(state, prefix, *others)
