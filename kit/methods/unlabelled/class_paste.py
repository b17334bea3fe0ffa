"""Pasting classes of labelled images, with their labels, over unlabelled images."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kit.methods.unlabelled.cutmix import Paste
from kit.types import IGNORE, Batch

CERTAIN = 20.0
"""Logit of a pasted label's class; the other classes get its negative, so their odds are e^-40."""


class ClassPaste(NamedTuple):
    """Pixels of labelled images, with their labels, that cover parts of U unlabelled ones."""

    inside: Tensor  # (U, H, W) bool, True at pasted pixels
    images: Tensor  # (U, 3, H, W) the labelled images
    labels: Tensor  # (U, H, W) int64


def class_paste(batch: Batch, num_classes: int, which: str, rng: np.random.Generator) -> ClassPaste | None:
    """Half of the classes that a labelled image shows, cut out along their borders, for each unlabelled image.

    ClassMix (Olsson et al., WACV 2021, arXiv 2007.07936) with labelled images as its source, as in DACS (Tranheden et
    al., WACV 2021, arXiv 2007.08702), so that pasted pixels have ground truth. Labelled images are taken in random
    order. DACS changes the colours of the whole mixture; here only those of the unlabelled image change.

    Args:
        which: "half", random classes (both papers); "small", the half with the fewest pixels in the image, usually rare
            and thin classes; "none": nothing is drawn or pasted.
    """
    if which == "none":
        return None
    order = rng.permutation(len(batch.images))
    order = torch.from_numpy(order[np.arange(len(batch.weak)) % len(order)]).to(batch.masks.device)
    labels = batch.masks[order]  # (U, H, W)
    columns = labels.clamp(max=num_classes).flatten(1)  # ignored pixels get an extra column
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


class Mix(NamedTuple):
    """Mixing of a step's unlabelled images and of their labels, logits and masks: CutMix first, then pasted classes of
    labelled images; either may be left out. None and empty tensors are returned unchanged."""

    paste: Paste | None
    over: ClassPaste | None

    def images(self, x: Tensor) -> Tensor:
        """Images (U, 3, H, W) -> (M, 3, H, W)."""
        return self._covered(x, self.over and self.over.images)

    def labels(self, x: Tensor, partners: Tensor | None = None) -> Tensor:
        """Labels (U, H, W) -> (M, H, W), ground truth where classes are pasted; `partners` as in `Paste`."""
        return self._covered(x, self.over and self.over.labels, partners)

    def logits(self, x: Tensor) -> Tensor:
        """Logits (U, C, H, W) -> (M, C, H, W); where classes are pasted, near-certain logits of their labels."""
        certain = None
        if self.over is not None:
            known = self.over.labels.clamp(max=x.shape[1] - 1)[:, None]
            certain = torch.full_like(x, -CERTAIN).scatter_(1, known, CERTAIN)
        return self._covered(x, certain)

    def fill(self, x: Tensor | None, value: float, partners: Tensor | None = None) -> Tensor | None:
        """Any (U, H, W) -> (M, H, W), `value` where classes are pasted."""
        return self._covered(x, value, partners)

    def seen(self, batch: Batch, images: Tensor) -> Batch:
        """`batch` with `images`, mixed, as unlabelled images; pasted pixels are valid and have no hidden label."""
        return batch._replace(weak=self.images(images), valid=self.fill(batch.valid, True),
                              hidden=self.fill(batch.hidden, IGNORE))  # fmt: skip

    def _covered(self, x: Tensor | None, given: Tensor | float | None,
                 partners: Tensor | None = None) -> Tensor | None:  # fmt: skip
        """`given` where classes are pasted, and `x` under CutMix elsewhere."""
        mixed = x if self.paste is None else self.paste(x, partners)
        if self.over is None or mixed is None or not len(mixed):
            return mixed
        return torch.where(self.over.inside if mixed.ndim == 3 else self.over.inside[:, None], given, mixed)
