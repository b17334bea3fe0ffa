"""Scores from one confusion matrix over a whole data set."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from kit.types import IGNORE


@dataclass(frozen=True)
class Scores:
    """Shares in 0..1. A class that neither the truth nor the prediction ever holds has None and is left out."""

    miou: float
    """Mean of `iou` over the classes that have one."""
    iou: dict[str, float | None]
    """Intersection over union of each class."""
    pixel_accuracy: float
    """Share of labelled pixels that are right."""
    images: int
    """Number of images behind these scores."""

    def record(self) -> dict:
        """Plain values for JSON."""
        return asdict(self)


def confusion_matrix(prediction: Tensor, truth: Tensor, num_classes: int) -> Tensor:
    """Counts of pixels, int64 (C, C): row is the true class, column the predicted one. Ignored pixels are left out.

    Args:
        prediction: class ids of any shape.
        truth: the same shape, class ids or IGNORE.
    """
    return multiclass_confusion_matrix(
        prediction.flatten().long(), truth.flatten().long(), num_classes, ignore_index=IGNORE, validate_args=False
    )


def scores_of(matrix: Tensor, classes: tuple[str, ...], images: int) -> Scores:
    """Scores of a confusion matrix (C, C). The mean IoU of an empty matrix is nan."""
    matrix = matrix.double()
    hit, union = matrix.diag(), matrix.sum(0) + matrix.sum(1) - matrix.diag()
    iou = (hit / union).tolist()  # 0 / 0 is nan: absent
    present = union > 0
    return Scores(
        miou=torch.nanmean(hit / union).item(),
        iou={name: value if there else None for name, value, there in zip(classes, iou, present.tolist(), strict=True)},
        pixel_accuracy=(hit.sum() / matrix.sum()).item(),
        images=images,
    )
