"""Losses on pseudo labels, with and without a confidence threshold, and mean teacher's consistency loss."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kit.losses.reduction import masked_mean, require_pixels, require_same_shape
from kit.losses.supervised import pixel_cross_entropy
from kit.system.precision import at_least_float32
from kit.types import IGNORE


class Belief(NamedTuple):
    """A network's predicted classes and their confidence, without gradient."""

    labels: Tensor  # (U, H, W) int64
    confidence: Tensor  # (U, H, W), probability of that class


def believe(logits: Tensor) -> Belief:
    """The most likely class and its probability at every pixel of logits (U, C, H, W)."""
    with torch.no_grad():
        confidence, labels = at_least_float32(logits).softmax(1).max(1)
    return Belief(labels, confidence)


def confident_cross_entropy(logits: Tensor, labels: Tensor, sure: Tensor, valid: Tensor) -> Tensor:
    """Cross entropy at `sure` pixels, divided by the number of all valid pixels (FixMatch, equation 4).

    The loss thus grows with the share of sure pixels: the few labels early in training have little weight.

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
    """The most likely class and its probability, after averaging the probabilities of several logits (U, C, H, W)."""
    with torch.no_grad():
        confidence, labels = torch.stack([at_least_float32(x).softmax(1) for x in several]).mean(0).max(1)
    return Belief(labels, confidence)


def taught_cross_entropy(views: list[Tensor], labels: list[list[Tensor]], valid: Tensor) -> Tensor:
    """Cross entropy of each network against given labels, where `kit.losses.pseudo.cross_pseudo` makes them itself.

    Args:
        views: logits (U, C, H, W) of each network.
        labels: for each network, several int64 (U, H, W); IGNORE where a pixel must not be learnt.
        valid: bool (U, H, W), False where a crop was padded.
    Returns: scalar: means over all valid pixels, learnt or not, summed over networks and their labels.
    """
    terms = [pixel_cross_entropy(view, *given) for view, given in zip(views, labels, strict=True)]
    return masked_mean(torch.stack(terms).sum(0), valid)


def probability_mse(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    """Squared difference of class probabilities, summed over classes and averaged over valid pixels (mean teacher).

    Args:
        student: logits (B, C, H, W).
        teacher: logits (B, C, H, W); no gradient flows into them.
        valid: bool (B, H, W).
    Returns: scalar in 0..2; 0 if nothing is valid.
    """
    require_same_shape(student, teacher)
    difference = at_least_float32(student).softmax(1) - at_least_float32(teacher.detach()).softmax(1)
    return masked_mean(difference.square().sum(1), valid)
