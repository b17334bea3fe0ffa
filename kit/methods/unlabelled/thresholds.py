"""Confidence thresholds of pseudo labels, one for each class."""

import torch
from torch import Tensor, nn

from kit.losses.confidence import Belief

BINS = 200
"""Of the confidence, between 0 and 1, in which a threshold is found."""


class ClassThresholds(nn.Module):
    """Lets the surest `share` of the pixels of every predicted class through, and all above `ceiling`.

    A class of which a network is never sure, such as a thin or a rare one, would else never be taught. Class-balanced
    self-training (Zou et al., ECCV 2018, arXiv 1810.07911, equation 7) takes such a share of each class over the whole
    data set between rounds of training; here the level is a running average over steps, so that it can follow.

    Args:
        num_classes: C.
        share: of each class's pixels, 0..1; 0 leaves `ceiling` alone.
        ceiling: threshold of a class that is often sure.
        momentum: of the running average.
    """

    def __init__(self, num_classes: int, share: float, ceiling: float, momentum: float = 0.95):
        super().__init__()
        self.share, self.ceiling, self.momentum = share, ceiling, momentum
        self.register_buffer("level", torch.full((num_classes,), ceiling))

    @torch.no_grad()
    def update(self, belief: Belief, valid: Tensor) -> None:
        """Move the levels of the classes that are predicted somewhere in `valid` (U, H, W)."""
        if not self.share:
            return
        classes = len(self.level)
        bins = (belief.confidence * BINS).long().clamp(max=BINS - 1)
        counts = torch.zeros(classes * BINS, device=bins.device)
        counts.scatter_add_(0, (belief.labels * BINS + bins).flatten(), valid.flatten().float())
        above = counts.reshape(classes, BINS).flip(1).cumsum(1).flip(1)  # pixels at least as sure as each bin
        wanted = self.share * above[:, :1]
        level = ((above >= wanted).sum(1) - 1) / BINS  # the highest bin with enough pixels above it
        seen = above[:, 0] > 0
        self.level.copy_(torch.where(seen, torch.lerp(level, self.level, self.momentum), self.level))

    def sure(self, belief: Belief) -> Tensor:
        """bool (U, H, W): where a label may be learnt."""
        return belief.confidence >= self.level.clamp(max=self.ceiling)[belief.labels]

    def _load_from_state_dict(self, state: dict, prefix: str, *others) -> None:
        state.setdefault(f"{prefix}level", self.level)  # checkpoints of UniMatch from before it had thresholds lack it
        super()._load_from_state_dict(state, prefix, *others)
