"""Reference pipeline for crops, written like most published code: every step on the whole image, with Pillow.

It uses nothing of the kit's own pipeline, so that the two can be compared.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor

IGNORE = 255


class Draw(NamedTuple):
    """Random parameters of one crop."""

    scale: float
    top: int  # of the crop, in pixels of the scaled image
    left: int
    flip: bool


def decode(image: Path, mask: Path, raw_ids: dict[int, int], table: bool) -> tuple[Image.Image, Image.Image]:
    """Image and mask; label ids become class ids one at a time, as in most code, or by a lookup table."""
    raw = np.array(Image.open(mask))
    if table:
        lookup = np.full(256, IGNORE, np.uint8)
        lookup[list(raw_ids)] = list(raw_ids.values())
        ids = lookup[raw]
    else:
        ids = raw.copy()
        for value, cls in raw_ids.items():
            ids[raw == value] = cls
    return Image.open(image).convert("RGB"), Image.fromarray(ids)


def geometry(image: Image.Image, mask: Image.Image, draw: Draw, crop: int) -> tuple[Image.Image, Image.Image]:
    """Resize the whole image, pad it if it is smaller than the crop, crop, flip."""
    width, height = round(image.width * draw.scale), round(image.height * draw.scale)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    mask = mask.resize((width, height), Image.Resampling.NEAREST)
    right, bottom = max(0, crop - width), max(0, crop - height)
    if right or bottom:
        image = ImageOps.expand(image, (0, 0, right, bottom), fill=0)
        mask = ImageOps.expand(mask, (0, 0, right, bottom), fill=IGNORE)
    box = (draw.left, draw.top, draw.left + crop, draw.top + crop)
    image, mask = image.crop(box), mask.crop(box)
    if draw.flip:
        image, mask = ImageOps.mirror(image), ImageOps.mirror(mask)
    return image, mask


def colour(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A strong view as `kit.data.reading.transforms` draws it: colour jitter (80 %), grey (20 %), blur (50 %)."""
    if rng.random() < 0.8:
        changes = [(change, rng.uniform(0.5, 1.5)) for change in
                   (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation)]  # fmt: skip
        changes.append((tv.adjust_hue, rng.uniform(-1, 1) * 0.25))
        for i in rng.permutation(4):
            change, factor = changes[i]
            image = change(image, factor)
    if rng.random() < 0.2:
        image = image.convert("L").convert("RGB")
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.1, 2.0)))
    return image


def to_tensor(image: Image.Image, mask: Image.Image) -> tuple[Tensor, Tensor]:
    """Float32 (3, crop, crop) in 0..1 and int64 (crop, crop)."""
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
    return pixels, torch.from_numpy(np.array(mask)).long()
