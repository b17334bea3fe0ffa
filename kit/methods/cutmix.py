"""CutMix on the device: rectangles of one unlabelled image are pasted over another, its partner.

Where they go is drawn with `Progress.rng`, so a resumed run draws the same. Images, labels, confidences and valid maps
of one step are pasted with one `Paste`, so they stay together.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kit.errors import KitError
from kit.types import IGNORE, Batch

CERTAIN = 20.0
"""Logit of a class that is given, and with a minus those of the others: e^-40 is left for them."""


class Paste(NamedTuple):
    """Where each of M mixed images shows its partner."""

    inside: Tensor  # (M, H, W) bool, True where the partner is seen
    partner: str  # "roll" or "halves"

    def __call__(self, x: Tensor | None, partners: Tensor | None = None) -> Tensor | None:
        """Mix any (U, ..., H, W) of the unlabelled images -> (M, ..., H, W).

        Args:
            x: nothing, or nothing of no image, stays what it is.
            partners: like `x`, to paste from instead.
        """
        if x is None or not len(x):
            return x
        own, other = self.pair(x)[0], self.pair(x if partners is None else partners)[1]
        inside = self.inside.reshape(len(own), *[1] * (x.ndim - 3), *x.shape[-2:])
        return torch.where(inside, other, own)

    def pair(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The M images that are pasted over, and the partner of each."""
        if self.partner == "halves":
            return x.chunk(2)
        return x, x.roll(1, 0)


def french_cutmix(batch: Tensor, rng: np.random.Generator, overlap: str = "union", partner: str = "roll") -> Paste:
    """Three boxes per image that cover about a quarter to a half of it (French et al. 2020; CPS and MGD use it).

    Each box has a third of an area drawn from 0.25..0.5 of the image and a log-uniform aspect ratio.

    Args:
        batch: the unlabelled images (U, 3, H, W); only size and device matter.
        overlap: pixels that several boxes cover show the partner ("union") or the partner if their number is odd
            ("invert", the public code of all three).
        partner: "roll" mixes each image with the one before it in the batch, so M = U and only a batch of one is mixed
            with itself, that is, stays as it is; "halves" mixes the first half of the batch with the second (M = U/2),
            which is how two separate loaders look from here.
    Raises: KitError for "halves" and an odd number of images.
    """
    count = _mixed(len(batch), partner)
    area = rng.uniform(0.25, 0.5, size=(count, 3))
    tall = area ** rng.uniform(0, 1, size=(count, 3))  # height in area..1, width the rest
    sides = np.stack([tall, area / tall], axis=-1) * np.sqrt(1 / 3)  # (M, 3, 2), shares of the image's sides
    size = np.array(batch.shape[-2:])
    extent = np.round(sides * size)
    start = np.round((size - extent) * rng.uniform(0, 1, size=extent.shape))
    covered = _cover(start, start + extent, batch).sum(1)  # number of boxes over each pixel
    return Paste(covered > 0 if overlap == "union" else covered % 2 == 1, partner)


def single_cutmix(batch: Tensor, rng: np.random.Generator, probability: float = 0.5) -> Paste:
    """One box in a share of the images, the partner being the one before in the batch (UniMatch and its FixMatch).

    Its area is drawn from 0.02..0.4 of the image, height over width (as shares of the image's) from 0.3..1/0.3, anew
    until it lies inside.

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


class ClassPaste(NamedTuple):
    """Pixels of labelled images, with their labels, that cover parts of U unlabelled ones."""

    inside: Tensor  # (U, H, W) bool, True where a labelled pixel is seen
    images: Tensor  # (U, 3, H, W) the labelled images
    labels: Tensor  # (U, H, W) int64

    def image(self, x: Tensor) -> Tensor:
        """Unlabelled images (U, 3, H, W), covered."""
        return torch.where(self.inside[:, None], self.images, x)

    def label(self, x: Tensor) -> Tensor:
        """Labels (U, H, W), covered by those of people."""
        return torch.where(self.inside, self.labels, x)

    def logits(self, x: Tensor) -> Tensor:
        """Logits (U, C, H, W) that are certain of the labels where it is covered."""
        certain = torch.full_like(x, -CERTAIN)
        certain.scatter_(1, self.labels.clamp(max=x.shape[1] - 1)[:, None], CERTAIN)
        return torch.where(self.inside[:, None], certain, x)

    def view(self, images: Tensor, valid: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Images, valid pixels and hidden labels of a view, covered: valid there, and nothing is hidden."""
        return self.image(images), self.fill(valid, True), self.fill(hidden, IGNORE)

    def fill(self, x: Tensor | None, value: float) -> Tensor | None:
        """Any (U, H, W) with `value` where it is covered; nothing, or nothing of no image, stays what it is."""
        return x if x is None or not len(x) else x.masked_fill(self.inside, value)


class Mixed(NamedTuple):
    """Strong views as the student sees them, and what it is to learn there."""

    images: Tensor  # (M, 3, H, W)
    labels: Tensor  # (M, H, W) int64
    sure: Tensor  # (M, H, W) bool, where the label may be learnt
    valid: Tensor  # (M, H, W) bool, False where a crop was padded
    hidden: Tensor | None  # as `Batch.hidden`; IGNORE where labelled pixels cover the image

    def covered(self, batch: Batch, num_classes: int, which: str, rng: np.random.Generator) -> "Mixed":
        """With classes of the labelled images pasted over, whose labels are sure."""
        if which == "none":
            return self
        over = class_paste(batch, num_classes, which, rng)
        images, valid, hidden = over.view(self.images, self.valid, self.hidden)
        return Mixed(images, over.label(self.labels), over.fill(self.sure, True), valid, hidden)


def class_paste(batch: Batch, num_classes: int, which: str, rng: np.random.Generator) -> ClassPaste:
    """Half of the classes that a labelled image shows, cut out along their borders, for each unlabelled image.

    ClassMix (Olsson et al., WACV 2021, arXiv 2007.07936) with labelled images as its source, as DACS has it (Tranheden
    et al., WACV 2021, arXiv 2007.08702), so that what is pasted has labels of people. Labelled images are taken in a
    drawn order. There the colours of the mixture change as a whole; here those of the unlabelled image alone.

    Args:
        which: "half", classes drawn at random (both papers), or "small", those with the fewest pixels in the image,
            which rare and thin classes are.
    """
    order = rng.permutation(len(batch.images))
    order = torch.from_numpy(order[np.arange(len(batch.weak)) % len(order)]).to(batch.masks.device)
    labels = batch.masks[order]  # (U, H, W)
    columns = labels.clamp(max=num_classes).flatten(1)  # those of no class in a column of their own
    pixels = torch.zeros(len(labels), num_classes + 1, device=labels.device)
    pixels.scatter_add_(1, columns, torch.ones_like(columns, dtype=pixels.dtype))
    pixels[:, num_classes] = 0
    keys = pixels
    if which == "half":
        keys = torch.from_numpy(rng.random(pixels.shape)).to(pixels)
    rank = keys.masked_fill(pixels == 0, torch.inf).argsort(1).argsort(1)
    chosen = (rank < (pixels > 0).sum(1, keepdim=True) // 2) & (pixels > 0)
    inside = chosen.gather(1, columns).reshape(labels.shape)
    return ClassPaste(inside, batch.images[order], labels)


def _mixed(count: int, partner: str) -> int:
    """M for U = `count`."""
    if partner == "halves" and count % 2:
        raise KitError(f"partner 'halves' needs an even number of unlabelled images in a step, got {count}")
    return count // 2 if partner == "halves" else count


def _cover(start: np.ndarray, end: np.ndarray, batch: Tensor) -> Tensor:
    """Corners (M, boxes, 2) in pixels -> bool (M, boxes, H, W) on the device of `batch`."""
    corners = torch.from_numpy(np.stack([start, end])).float()
    if batch.is_cuda:
        corners = corners.pin_memory()  # from other memory the copy would wait for all the work that is queued
    corners = corners.to(batch.device, non_blocking=True)
    along = []
    for axis, side in enumerate(batch.shape[-2:]):
        at = torch.arange(side, device=batch.device)
        low, high = corners[..., axis].unsqueeze(-1)  # (M, boxes, 1)
        along.append((at >= low) & (at < high))
    return along[0].unsqueeze(-1) & along[1].unsqueeze(-2)
