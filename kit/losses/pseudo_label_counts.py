"""Counts about pseudo labels during training, for logs only; no loss uses them.

Counts stay on the device and add up over steps. `kit.train.monitor.pseudo_labels` turns their sums into shares.
"""

import torch
from torch import Tensor

from kit.types import IGNORE


def pseudo_counts(labels: Tensor, masks: Tensor, num_classes: int, *, sure: Tensor | None = None,
                  second: Tensor | None = None, hidden: Tensor | None = None) -> dict[str, Tensor]:  # fmt: skip
    """Counts about the pseudo labels of one step.

    Args:
        labels: int64 (U, H, W), pseudo labels, IGNORE where a crop was padded.
        masks: int64 (B, H, W), ground truth of the same step's labelled images.
        num_classes: C.
        sure: bool (U, H, W), where labels pass the method's threshold; None if the method uses all labels.
        second: int64 (U, H, W), labels predicted by another view or network.
        hidden: int64 (U, H, W), ground truth of the unlabelled images, which the method never sees; IGNORE where there
            is none; None or U = 0 if it was not read.
    Returns: float32 pairs (hits, total) "coverage", "agreement", "accuracy" and "sure_accuracy", where their inputs are
        given; and pixels per class (C,): "predicted" (in pseudo labels), "taught" (in sure ones) and "labelled" (in
        `masks`).
    """
    with torch.no_grad():
        valid = labels != IGNORE
        counts = {"predicted": _histogram(labels, num_classes), "labelled": _histogram(masks, num_classes)}
        if sure is not None:
            counts["coverage"] = _pair(sure & valid, valid)
            counts["taught"] = _histogram(labels.masked_fill(~sure, IGNORE), num_classes)
        if second is not None:
            counts["agreement"] = _pair((labels == second) & valid, valid)
        if hidden is not None and len(hidden):
            known, right = valid & (hidden != IGNORE), labels == hidden
            counts["accuracy"] = _pair(right & known, known)
            if sure is not None:
                counts["sure_accuracy"] = _pair(right & known & sure, known & sure)
        return counts


def _pair(hits: Tensor, out_of: Tensor) -> Tensor:
    return torch.stack([hits.sum(), out_of.sum()]).float()


def _histogram(labels: Tensor, num_classes: int) -> Tensor:
    """Pixels of each class, float32 (C,). `bincount` would wait for the device. Values out of range are ignored."""
    return torch.histc(labels.float(), num_classes, 0, num_classes)
