"""CutMix on the device: rectangles of one unlabelled image are pasted over another, its partner.

Boxes are drawn with `Progress.rng`, so a resumed run draws the same ones. One `Paste` mixes the images, labels,
confidences and valid maps of a step, so they stay consistent.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kit.errors import KitError


class Paste(NamedTuple):
    """Where each of M mixed images shows its partner."""

    inside: Tensor  # (M, H, W) bool, True where the partner is shown
    partner: str  # "roll" or "halves"

    def __call__(self, x: Tensor | None, partners: Tensor | None = None) -> Tensor | None:
        """Mix any (U, ..., H, W) of the unlabelled images -> (M, ..., H, W).

        Args:
            x: None and empty tensors are returned unchanged.
            partners: values to paste, shaped like `x`; None pastes from `x`.
        """
        if x is None or not len(x):
            return x
        own, other = self.pair(x)[0], self.pair(x if partners is None else partners)[1]
        inside = self.inside.reshape(len(own), *[1] * (x.ndim - 3), *x.shape[-2:])
        return torch.where(inside, other, own)

    def pair(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The M images that receive boxes, and the partner of each."""
        if self.partner == "halves":
            return x.chunk(2)
        return x, x.roll(1, 0)


def french_cutmix(batch: Tensor, rng: np.random.Generator, overlap: str = "union", partner: str = "roll") -> Paste:
    """Three boxes per image that cover about a quarter to a half of it (French et al. 2020; CPS and MGD use it).

    Each box has a third of an area drawn from 0.25..0.5 of the image and a log-uniform aspect ratio.

    Args:
        batch: the unlabelled images (U, 3, H, W); only size and device matter.
        overlap: where boxes overlap, show the partner always ("union") or only if their number is odd ("invert", the
            public code of all three).
        partner: "roll" mixes each image with the one before it in the batch, so M = U, and a batch of one stays
            unchanged; "halves" mixes the first half of the batch with the second (M = U/2), which is equivalent to two
            separate loaders.
    Raises: KitError for "halves" and an odd number of images.
    """
    count = len(batch)
    if partner == "halves":
        if count % 2:
            raise KitError(f"partner 'halves' needs an even number of unlabelled images in a step, got {count}")
        count //= 2
    area = rng.uniform(0.25, 0.5, size=(count, 3))
    tall = area ** rng.uniform(0, 1, size=(count, 3))  # height in area..1, width the rest
    sides = np.stack([tall, area / tall], axis=-1) * np.sqrt(1 / 3)  # (M, 3, 2), shares of the image's sides
    size = np.array(batch.shape[-2:])
    extent = np.round(sides * size)
    start = np.round((size - extent) * rng.uniform(0, 1, size=extent.shape))
    covered = _cover(start, start + extent, batch).sum(1)  # number of boxes over each pixel
    return Paste(covered > 0 if overlap == "union" else covered % 2 == 1, partner)


def single_cutmix(batch: Tensor, rng: np.random.Generator, probability: float = 0.5) -> Paste:
    """One box in a share of the images; the partner is the previous image of the batch (UniMatch and its FixMatch).

    The area is drawn from 0.02..0.4 of the image. The aspect ratio (height over width, as shares of the image's sides,
    from 0.3..1/0.3) and the corner are drawn again until the box lies inside the image.

    Args:
        batch: the unlabelled images (U, 3, H, W); only size and device matter.
        probability: share of the images that are mixed; 0 switches CutMix off.
    """
    height, width = batch.shape[-2:]
    start, end = np.zeros((len(batch), 1, 2)), np.zeros((len(batch), 1, 2))
    for i in range(len(batch)):
        if rng.random() >= probability:
            continue
        area = rng.uniform(0.02, 0.4)
        fits = False
        while not fits:
            ratio = rng.uniform(0.3, 1 / 0.3)
            sides = np.floor(np.sqrt([area * ratio, area / ratio]) * (height, width))
            corner = rng.integers([height, width])
            fits = bool((corner + sides <= (height, width)).all())
        start[i, 0], end[i, 0] = corner, corner + sides
    return Paste(_cover(start, end, batch).any(1), "roll")


def _cover(start: np.ndarray, end: np.ndarray, batch: Tensor) -> Tensor:
    """Corners (M, boxes, 2) in pixels -> bool (M, boxes, H, W) on the device of `batch`."""
    corners = torch.from_numpy(np.stack([start, end])).float()
    if batch.is_cuda:
        corners = corners.pin_memory()  # from pageable memory the copy would wait for all queued work
    corners = corners.to(batch.device, non_blocking=True)
    along = []
    for axis, side in enumerate(batch.shape[-2:]):
        at = torch.arange(side, device=batch.device)
        low, high = corners[..., axis].unsqueeze(-1)  # (M, boxes, 1)
        along.append((at >= low) & (at < high))
    return along[0].unsqueeze(-1) & along[1].unsqueeze(-2)
