"""Scores from one confusion matrix over a whole data set."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kit.types import IGNORE

ADDED = ("boundary_miou", "boundary_iou", "calibration_error", "intervals")
"""Fields that only a full evaluation has."""


@dataclass(frozen=True)
class Scores:
    """Scores in 0..1. A class absent from both truth and prediction has None and is left out of means."""

    miou: float
    """Mean of `iou` over the classes that have one."""
    iou: dict[str, float | None]
    """Intersection over union of each class."""
    pixel_accuracy: float
    """Share of labelled pixels that are correct."""
    images: int
    """Number of images behind these scores."""
    boundary_miou: float | None = None
    """Mean of `boundary_iou` over the classes that have one."""
    boundary_iou: dict[str, float | None] | None = None
    """IoU of each class within a band along its border (`kit.evaluate.scores.boundary`)."""
    calibration_error: float | None = None
    """Expected calibration error (`kit.evaluate.scores.calibration`)."""
    intervals: dict | None = None
    """95 % intervals over images (`kit.evaluate.scores.bootstrap`): {"miou": [low, high],
    "iou": {class: [low, high]}}."""

    def record(self) -> dict:
        """Plain values for JSON."""
        return {name: value for name, value in vars(self).items() if name not in ADDED or value is not None}


def confusion_matrix(prediction: Tensor, truth: Tensor, num_classes: int) -> Tensor:
    """Counts of pixels, int64 (C, C): rows are true classes, columns predicted ones. Ignored pixels are left out.

    Args:
        prediction: class ids of any shape.
        truth: the same shape, class ids or IGNORE.
    """
    # torchmetrics has this function too, but importing it takes a quarter of the time that a run needs to start.
    cells = torch.where(truth == IGNORE, num_classes**2, num_classes * truth.long() + prediction).flatten()
    return torch.bincount(cells, minlength=num_classes**2 + 1)[:-1].reshape(num_classes, num_classes)


def scores_of(matrix: Tensor, classes: tuple[str, ...], images: int, **added: object) -> Scores:
    """Scores of a confusion matrix (C, C). The mean IoU of an empty matrix is nan.

    Args:
        added: further fields of a full evaluation, see `ADDED`.
    """
    matrix = matrix.double()
    hit, union = matrix.diag(), matrix.sum(0) + matrix.sum(1) - matrix.diag()
    return Scores(
        miou=torch.nanmean(hit / union).item(),  # 0 / 0 is nan: absent
        iou=by_class(hit / union, classes),
        pixel_accuracy=(hit.sum() / matrix.sum()).item(),
        images=images,
        **added,
    )


def mean_iou(got: Sequence[np.ndarray], masks: Sequence[np.ndarray], classes: Sequence[str]) -> float:
    """Mean IoU, 0..1, of class ids (H, W) from one confusion matrix."""
    pairs = zip(got, masks, strict=True)
    matrix = sum(confusion_matrix(*map(torch.from_numpy, pair), len(classes)) for pair in pairs)
    return scores_of(matrix, tuple(classes), len(masks)).miou


def by_class(shares: Tensor, classes: Sequence[str]) -> dict[str, float | None]:
    """Class -> share, None for nan."""
    return {name: None if math.isnan(value) else value for name, value in zip(classes, shares.tolist(), strict=True)}
