"""Random changes of an image and its mask. Each takes the random generator it draws from.

Scale, pad and crop are done as crop, scale and pad: the region that would end up in the crop is cut first, so only its
pixels are ever resized. The distribution is the same, and padding is always to the right and below.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as tv
from torch import Tensor
from torchvision.transforms import InterpolationMode

from kit.types import IGNORE

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, red, green, blue, for images in 0..1."""


@dataclass(frozen=True)
class Geometry:
    """One drawn scale, crop and flip."""

    top: int
    left: int
    region: tuple[int, int]  # (height, width) cut from the image
    inner: tuple[int, int]  # (height, width) it is resized to
    crop: tuple[int, int]  # (height, width) after padding
    flip: bool

    def apply(self, x: Tensor, nearest: bool) -> Tensor:
        """(C, H, W) uint8 -> (C, *inner) uint8, not yet padded or flipped."""
        x = x[..., self.top : self.top + self.region[0], self.left : self.left + self.region[1]]
        if self.inner != self.region:
            mode = InterpolationMode.NEAREST_EXACT if nearest else InterpolationMode.BILINEAR
            x = tv.resize(x, list(self.inner), mode, antialias=not nearest)
        return x

    def finish(self, x: Tensor, fill: float) -> Tensor:
        """Pad to `crop` with `fill`, then flip."""
        bottom, right = self.crop[0] - x.shape[-2], self.crop[1] - x.shape[-1]
        if bottom or right:
            x = F.pad(x, (0, right, 0, bottom), value=fill)
        return x.flip(-1) if self.flip else x


def draw_geometry(size: tuple[int, int], crop: tuple[int, int], scale: tuple[float, float],
                  rng: np.random.Generator) -> Geometry:  # fmt: skip
    """A scale uniform in `scale`, a crop uniform among those inside the scaled image, a flip with probability 1/2."""
    s = rng.uniform(*scale)
    wanted = tuple(max(1, round(side / s)) for side in crop)
    region = tuple(min(full, side) for full, side in zip(size, wanted, strict=True))
    inner = tuple(
        side if part == want else min(side, max(1, round(part * s)))  # the image ends before the crop does: pad
        for part, want, side in zip(region, wanted, crop, strict=True)
    )
    top, left = (int(rng.integers(full - part + 1)) for full, part in zip(size, region, strict=True))
    return Geometry(top, left, region, inner, crop, bool(rng.random() < 0.5))


def jitter(image: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Brightness, contrast, saturation (factor in 1 +- strength) and hue (+- strength/4 turns, at most 1/2).

    Args:
        image: uint8 (3, H, W).
        strength: 0 (nothing is changed) to 1.
    """
    if strength == 0:
        return image
    low, high = max(0.0, 1 - strength), 1 + strength
    image = tv.adjust_brightness(image, rng.uniform(low, high))
    image = tv.adjust_contrast(image, rng.uniform(low, high))
    image = tv.adjust_saturation(image, rng.uniform(low, high))
    return tv.adjust_hue(image, rng.uniform(-1, 1) * min(0.5, strength / 4))


def strong_colour(image: Tensor, rng: np.random.Generator) -> Tensor:
    """The strong view of consistency methods: jitter 0.5 (80 %), grey (20 %), Gaussian blur (50 %). uint8 (3, H, W)."""
    if rng.random() < 0.8:
        image = jitter(image, 0.5, rng)
    if rng.random() < 0.2:
        image = tv.rgb_to_grayscale(image, num_output_channels=3)
    if rng.random() < 0.5:
        sigma = rng.uniform(0.1, 2.0)
        image = tv.gaussian_blur(image, kernel_size=2 * round(3 * sigma) + 1, sigma=sigma)
    return image


def normalise(image: Tensor) -> Tensor:
    """uint8 (3, H, W) -> float32, ImageNet's mean 0 and standard deviation 1."""
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return (image.float() / 255 - mean) / std


def pad_mask(mask: Tensor, geometry: Geometry) -> Tensor:
    """Mask uint8 (H, W) -> int64 crop, padded with IGNORE."""
    return geometry.finish(geometry.apply(mask[None], nearest=True)[0].long(), IGNORE)
