"""Learning only from what another prediction is sure of."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kit.losses.reduction import masked_mean, require_pixels, require_same_shape
from kit.losses.supervised import pixel_cross_entropy
from kit.system.precision import at_least_float32
from kit.types import IGNORE


class Belief(NamedTuple):
    """What a network takes to be there, and how sure it is; no gradient."""

    labels: Tensor  # (U, H, W) int64
    confidence: Tensor  # (U, H, W), probability of that class


def believe(logits: Tensor) -> Belief:
    """The most likely class and its probability, of logits (U, C, H, W)."""
    with torch.no_grad():
        confidence, labels = at_least_float32(logits).softmax(1).max(1)
    return Belief(labels, confidence)


def confident_cross_entropy(logits: Tensor, labels: Tensor, sure: Tensor, valid: Tensor) -> Tensor:
    """Cross entropy where `sure`, averaged over all valid pixels, sure or not (FixMatch, equation 4).

    Dividing by all of them makes the loss grow with the share of sure pixels, so few early labels pull little.

    Args:
        logits: (U, C, H, W).
        labels: int64 (U, H, W), 0..C-1; anything where not `valid`.
        sure: bool (U, H, W), True where the label may be learnt.
        valid: bool (U, H, W), False where a crop was padded.
    Returns: scalar in nats per pixel; 0 if nothing is valid.
    """
    require_pixels(logits, labels)
    require_same_shape(labels, sure)
    taught = labels.masked_fill(~(sure & valid), IGNORE)
    return masked_mean(F.cross_entropy(at_least_float32(logits), taught, ignore_index=IGNORE, reduction="none"), valid)


def mean_belief(several: list[Tensor]) -> Belief:
    """The most likely class and its probability by the mean of the probabilities of several logits (U, C, H, W)."""
    with torch.no_grad():
        confidence, labels = torch.stack([at_least_float32(x).softmax(1) for x in several]).mean(0).max(1)
    return Belief(labels, confidence)


def taught_cross_entropy(views: list[Tensor], labels: list[list[Tensor]], valid: Tensor) -> Tensor:
    """Every network learns from labels of its own: `kit.losses.pseudo.cross_pseudo` with labels from elsewhere.

    Args:
        views: logits (U, C, H, W) of each network.
        labels: int64 (U, H, W), IGNORE where it may not be learnt; several for each network.
        valid: bool (U, H, W), False where a crop was padded.
    Returns: scalar, a sum over networks and their labels of means over all valid pixels, learnt or not.
    """
    terms = [pixel_cross_entropy(view, *given) for view, given in zip(views, labels, strict=True)]
    return masked_mean(torch.stack(terms).sum(0), valid)


def probability_mse(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    """Squared difference of class probabilities, summed over classes, a mean over valid pixels (mean teacher).

    Args:
        student: logits (B, C, H, W).
        teacher: logits (B, C, H, W); no gradient flows into them.
        valid: bool (B, H, W).
    Returns: scalar in 0..2; 0 if nothing is valid.
    """
    require_same_shape(student, teacher)
    difference = at_least_float32(student).softmax(1) - at_least_float32(teacher.detach()).softmax(1)
    return masked_mean(difference.square().sum(1), valid)
