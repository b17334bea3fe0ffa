"""Plain reference of MGD's step: twelve forward passes and every loss that the authors' step computes.

Teachers are in train mode without gradients. The student predicts pseudo labels as well, the teachers have supervised
and pseudo-label losses too, and all networks compute all logits at full size. Memory layout is PyTorch's default.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kit.bench.plain.trikd import plain, sorted_ohem
from kit.models.segmenter import Segmenter
from kit.settings.run import MGDConfig
from kit.types import IGNORE, SegOutput


class Nets(NamedTuple):
    """The three networks of a step."""

    student: Segmenter
    wide: Segmenter
    deep: Segmenter

    def plain(self) -> "Nets":
        """These networks in train mode, with plain forwards, and teachers without gradients."""
        for teacher in (self.wide, self.deep):
            teacher.requires_grad_(False)
        return Nets(*(plain(net).train() for net in self))

    def see(self, images: Tensor) -> list[SegOutput]:
        """Outputs of student, wide and deep teacher on images."""
        return [self.student(images), *(_quiet(teacher, images) for teacher in (self.wide, self.deep))]


class Images(NamedTuple):
    """Input of a step."""

    labelled: Tensor  # (B, 3, H, W)
    masks: Tensor  # (B, H, W)
    first: Tensor  # (B, 3, H, W) unlabelled images
    second: Tensor  # (B, 3, H, W) what is pasted over them
    inside: Tensor  # (B, 1, H, W) 1 where `second` is seen, 0 elsewhere

    def mix(self, first: Tensor, second: Tensor) -> Tensor:
        """Paste `second` over `first`; both are images or logits (B, C, H, W)."""
        return first * (1 - self.inside) + second * self.inside


def plain_loss(nets: Nets, images: Images, cfg: MGDConfig) -> Tensor:
    """The whole loss, of which only the student's part carries a gradient."""
    labels = []
    for net in nets:
        mixed = images.mix(_quiet(net, images.first).logits, _quiet(net, images.second).logits)
        labels.append(mixed.max(1).indices)
    student, wide, deep = nets.see(images.mix(images.first, images.second))
    loss = _each_other([student, wide, deep], labels)
    means = [F.adaptive_avg_pool2d(out.logits, 1) for out in (student, deep)]
    loss = loss + cfg.image_weight * (means[0] - means[1]).abs().sum() / len(images.first)  # see recipes.mgd
    tables = [_similarity(out.features) for out in (student, wide)]
    loss = loss + cfg.region_weight * F.mse_loss(*tables)

    seen = nets.see(images.labelled)
    loss = loss + _each_other(seen, [out.logits.max(1).indices for out in seen])
    for out in seen:
        loss = loss + sorted_ohem(out.logits, images.masks, cfg.ohem_threshold, cfg.ohem_min_kept)
    return loss


@torch.no_grad()
def _quiet(net: Segmenter, images: Tensor) -> SegOutput:
    return net(images)


def _each_other(seen: list[SegOutput], labels: list[Tensor]) -> Tensor:
    """Sum of cross entropies: the student with each teacher's labels, and each teacher with the student's labels."""
    pairs = [pair for teacher in (1, 2) for pair in ((0, teacher), (teacher, 0))]
    return sum(F.cross_entropy(seen[a].logits, labels[b], ignore_index=IGNORE) for a, b in pairs)


def _similarity(features: Tensor) -> Tensor:
    """Cosines between 7 x 7 regions, (B, 49, 49)."""
    regions = F.adaptive_avg_pool2d(features, 7).flatten(2)
    length = regions.norm(dim=1)
    return regions.transpose(1, 2) @ regions / length[:, :, None] / length[:, None, :]
