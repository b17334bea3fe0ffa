"""Random augmentation of an image and its mask. Each function takes the random generator it draws from.

Instead of scale, pad and crop, the order is crop, scale and pad: the region that the crop would show is cut first, so
only its pixels are resized. The distribution is the same. Before the flip, padding is always to the right and below.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as tv
from torch import Tensor
from torchvision.transforms import InterpolationMode

from kit.types import PADDING


@dataclass(frozen=True)
class Geometry:
    """One drawn scale, crop and flip."""

    top: int
    left: int
    region: tuple[int, int]  # (height, width) cut from the image
    inner: tuple[int, int]  # (height, width) it is resized to
    crop: tuple[int, int]  # (height, width) after padding
    flip: bool

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(top, left, height, width) of the part of the image that is used; nothing else has to be read."""
        return (self.top, self.left, *self.region)

    def fit(self, x: Tensor, nearest: bool) -> Tensor:
        """Resize the image's `box`, uint8 (C, *region), to uint8 (C, *inner), not yet padded or flipped."""
        if self.inner != self.region:
            mode = InterpolationMode.NEAREST_EXACT if nearest else InterpolationMode.BILINEAR
            x = tv.resize(x, list(self.inner), mode, antialias=not nearest)
        return x.contiguous()  # decoded images are channels-last; the next steps are faster channels-first

    def window(self, out: Tensor) -> Tensor:
        """The part of a crop (..., *crop) that the image covers; the rest, below and on one side, is padding."""
        height, width = self.inner
        left = self.crop[1] - width if self.flip else 0  # padding is flipped too
        return out[..., :height, left : left + width]

    def place(self, x: Tensor, out: Tensor) -> Tensor:
        """Write (..., *inner), flipped if `flip`, into its window of `out` (..., *crop); return the window."""
        return self.window(out).copy_(x.flip(-1) if self.flip else x)


def draw_geometry(size: tuple[int, int], crop: tuple[int, int], scale: tuple[float, float],
                  rng: np.random.Generator, discrete: tuple[float, ...] = ()) -> Geometry:  # fmt: skip
    """Draw a scale uniform in `scale`, or one of `discrete` if there are any; a crop uniform among those inside the
    scaled image; and a flip with probability 1/2."""
    s = float(rng.choice(discrete)) if discrete else rng.uniform(*scale)
    wanted = tuple(max(1, round(side / s)) for side in crop)
    region = tuple(min(full, side) for full, side in zip(size, wanted, strict=True))
    inner = tuple(
        side if part == want else min(side, max(1, round(part * s)))  # the image ends before the crop does: pad
        for part, want, side in zip(region, wanted, crop, strict=True)
    )
    top, left = (int(rng.integers(full - part + 1)) for full, part in zip(size, region, strict=True))
    return Geometry(top, left, region, inner, crop, bool(rng.random() < 0.5))


def jitter(image: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Random change of brightness, contrast, saturation (factor in 1 +- strength) and hue (+- strength/4 turns, at most
    1/2), in this order. For labelled images and weak views; none of the papers has it.

    Args:
        image: uint8 (3, H, W).
        strength: 0 (no change) to 1.
    """
    if strength == 0:
        return image
    for change in colour_changes(strength, min(0.5, strength / 4), rng):
        image = change(image)
    return image


def colour_changes(strength: float, hue: float, rng: np.random.Generator) -> list[Callable[[Tensor], Tensor]]:
    """Four random changes for an image uint8 (3, H, W): of brightness, contrast, saturation (factor in 1 +- strength)
    and hue (+- `hue` turns)."""
    low, high = max(0.0, 1 - strength), 1 + strength
    return [
        partial(tv.adjust_brightness, brightness_factor=rng.uniform(low, high)),
        partial(tv.adjust_contrast, contrast_factor=rng.uniform(low, high)),
        partial(tv.adjust_saturation, saturation_factor=rng.uniform(low, high)),
        partial(tv.adjust_hue, hue_factor=rng.uniform(-1, 1) * hue),
    ]


def strong_colour(image: Tensor, rng: np.random.Generator) -> Tensor:
    """The strong view of FixMatch and UniMatch (Yang et al., CVPR 2023), uint8 (3, H, W).

    Brightness, contrast, saturation (0.5..1.5) and hue (+- 0.25 turns) in random order (80 %), grey (20 %), Gaussian
    blur of sigma 0.1..2 (50 %): the public code's values.
    """
    if rng.random() < 0.8:
        changes = colour_changes(0.5, 0.25, rng)
        for i in rng.permutation(len(changes)):
            image = changes[i](image)
    if rng.random() < 0.2:
        image = tv.rgb_to_grayscale(image, num_output_channels=3)
    if rng.random() < 0.5:
        image = blur(image, rng.uniform(0.1, 2.0))
    return image


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, uint8 (3, H, W), reflected at the edges: torchvision's, but much faster with one pass per axis."""
    radius = min(round(3 * sigma), min(image.shape[-2:]) - 1)
    weights = torch.arange(radius + 1.0).div_(sigma).square_().div_(-2).exp_()
    middle, *others = (weights / (weights[0] + 2 * weights[1:].sum())).tolist()
    blurred = F.pad(image.float(), (radius,) * 4, mode="reflect")
    for axis in (-2, -1):
        size = blurred.shape[axis] - 2 * radius
        parts = [blurred.narrow(axis, start, size) for start in range(2 * radius + 1)]
        blurred = parts[radius] * middle
        for away, weight in enumerate(others, 1):
            blurred.add_(parts[radius - away], alpha=weight).add_(parts[radius + away], alpha=weight)
    return blurred.round_().to(torch.uint8)


def unit_range(image: Tensor) -> Tensor:
    """uint8 (3, H, W) in 0..255 -> float32 in 0..1."""
    return image.to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def padding(*shape: int) -> Tensor:
    """Padding only, float32 (..., 3, H, W): `kit.types.PADDING` everywhere."""
    return torch.tensor(PADDING)[:, None, None].expand(shape).clone(memory_format=torch.contiguous_format)
