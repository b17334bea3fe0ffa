"""The frequency bands of a decoder over many images: spectra by frequency, channel attention by image and by class, and
the effect of other cut-offs, as plain arrays; `kit.figures` draws them."""

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from kit.errors import KitError
from kit.evaluate.scores.metrics import mean_iou
from kit.evaluate.student import Student
from kit.evaluate.val_images import Example
from kit.explore.frequency_levels import Level, frequency_levels, laterals, level_inputs
from kit.types import IGNORE

BINS = 24
"""Most bins of a profile, from frequency 0 to 0.5 cycles per pixel, the highest along an axis."""

CLASSES = 11
"""Most classes of a figure of channel attention."""


class Profile(NamedTuple):
    """Amplitude of one level over frequency, averaged over directions, channels and images."""

    level: int
    stride: int
    frequency: np.ndarray  # (n,) cycles per pixel of the map, above 0 up to 0.5
    amplitude: np.ndarray  # (n,) divided by the mean over all frequencies except 0
    cut: tuple[float, float]  # the Gaussian's radius along height and width, in the same unit, mean over images


class Channels(NamedTuple):
    """Channel attention of one level over several images. C channels, n images, k classes that occur in them."""

    level: int
    band: str
    images: np.ndarray  # (n, C) weights, 0..1
    classes: tuple[int, ...]  # ids of the k classes, the most frequent first
    by_class: np.ndarray  # (k, C) means over images, weighted by the share of the class in each image


class Cutoff(NamedTuple):
    """Effect on several images of multiplying the Gaussians' radii by a factor, without retraining."""

    factor: float
    radius: tuple[float, ...]  # of each level, along the height of the last image's map, in bins
    low_energy: tuple[float, ...]  # of each level: share of the map's energy in the low part
    attention_change: tuple[float, ...]  # of each level: mean absolute change of the channel attention
    changed_pixels: float  # share of pixels whose predicted class differs from that with factor 1
    miou: float  # over these images


def profiles(student: Student, images: Sequence[np.ndarray]) -> list[Profile]:
    """A profile per level, fine to coarse.

    Args:
        images: uint8 (H, W, 3), of any sizes.
    Raises: KitError if the decoder has no bands, or there is no image.
    """
    if not images:
        raise KitError("a spectrum needs at least one image")
    by_level = zip(*(frequency_levels(student, image) for image in images), strict=True)
    return [_profile(levels) for levels in by_level]


def _profile(levels: Sequence[Level]) -> Profile:
    steps = min(BINS, *(max(level.spectrum.shape) // 2 for level in levels))
    sums, counts = np.zeros(steps + 2), np.zeros(steps + 2, int)
    for level in levels:
        h, w = level.spectrum.shape
        vertical, horizontal = (np.arange(n) - n // 2 for n in (h, w))
        frequency = np.hypot(vertical[:, None] / h, horizontal[None] / w)
        place = np.minimum((frequency * 2 * steps).round().astype(int), steps + 1)  # corners lie beyond 0.5
        counted = np.ones((h, w), bool)
        counted[h // 2, w // 2] = False  # the constant
        amplitude = 10.0**level.spectrum / math.sqrt(h * w)  # FFT amplitudes grow with the size of the map
        sums += np.bincount(place[counted], amplitude[counted], steps + 2)
        counts += np.bincount(place[counted], minlength=steps + 2)
    known = np.flatnonzero(counts[1:-1]) + 1
    values, mean = sums[known] / counts[known], sums.sum() / max(counts.sum(), 1)
    cuts = [np.divide(level.radius, level.spectrum.shape) for level in levels]
    return Profile(levels[0].level, levels[0].stride, known / (2 * steps), values / max(mean, 1e-12),
                   tuple(np.mean(cuts, axis=0).tolist()))  # fmt: skip


def channels(student: Student, examples: Sequence[Example]) -> list[Channels]:
    """Channel attention of every level, by image and by class (the CLASSES most frequent ones).

    Raises: KitError if the decoder has no bands, or there is no image.
    """
    if not examples:
        raise KitError("channel attention by image needs at least one image")
    count = len(student.classes)
    pixels = np.stack([np.bincount(e.truth[e.truth != IGNORE], minlength=count) for e in examples]).astype(float)
    shares = pixels / np.maximum(pixels.sum(1, keepdims=True), 1)  # (n, classes)
    order = [int(cls) for cls in np.argsort(-shares.sum(0), kind="stable") if shares[:, cls].any()][:CLASSES]
    found = []
    for levels in zip(*(frequency_levels(student, example.image) for example in examples), strict=True):
        images = np.stack([level.attention for level in levels])
        weights = shares[:, order].T  # (k, n)
        by_class = weights @ images / weights.sum(1, keepdims=True)
        found.append(Channels(levels[0].level, levels[0].band, images, tuple(order), by_class))
    return found


@torch.no_grad()
def cutoffs(student: Student, examples: Sequence[Example], factors: Sequence[float]) -> list[Cutoff]:
    """Effects of scaling the radii of the network's Gaussians, measured on copies; the student does not change.

    Args:
        factors: multipliers on D0 of every level, above 0.
    Raises: KitError if the decoder has no bands or an infinite D0, without images, or for a factor that is not above 0.
    """
    if not examples or any(not (math.isfinite(factor) and factor > 0) for factor in factors):
        raise KitError(f"give at least one image, and factors above 0; got {len(examples)} images, factors {factors}")
    usual = _measured(student, examples, 1.0)
    found = []
    for factor in factors:
        masks, attention, energy, radius = usual if factor == 1 else _measured(student, examples, factor)
        pairs = list(zip(attention, usual[1], strict=True))
        changed = [(mask != before).ravel() for mask, before in zip(masks, usual[0], strict=True)]
        found.append(Cutoff(
            float(factor), radius, energy, tuple(float(np.abs(a - b).mean()) for a, b in pairs),
            float(np.concatenate(changed).mean()), mean_iou(masks, [e.truth for e in examples], student.classes),
        ))  # fmt: skip
    return found


def with_cutoff(student: Student, factor: float) -> Student:
    """A copy of a student whose Gaussians' radii are multiplied by a factor. Raises KitError as `cutoffs` does."""
    net = copy.deepcopy(student.net)
    for _, lateral in laterals(net):
        if not math.isfinite(lateral.d0):
            raise KitError("D0 of this network is infinite: everything passes as low with any factor")
        lateral.d0 *= factor
    return Student(net, student.classes, student.palette, student.config)


def _measured(student: Student, examples: Sequence[Example], factor: float):
    """Predictions, attention of each level (n, C), share of energy in the low part and radius of each level."""
    changed = with_cutoff(student, factor)
    masks = [changed.predict(example.image) for example in examples]
    attention: dict[int, list] = {}
    low: dict[int, float] = {}
    whole: dict[int, float] = {}
    radius: dict[int, float] = {}
    for example in examples:
        for level, lateral, x, *_ in level_inputs(changed, example.image):
            attention.setdefault(level, []).append(lateral.channel_attention(x).flatten().cpu().numpy())
            low[level] = low.get(level, 0.0) + lateral.split(x)[0].abs().square().sum().item()
            whole[level] = whole.get(level, 0.0) + x.float().square().sum().item()
            radius[level] = lateral.radius(*x.shape[-2:])[0]
    energy = tuple(low[level] / max(whole[level], 1e-12) for level in low)
    return masks, [np.stack(values) for values in attention.values()], energy, tuple(radius.values())
