"""What training steps are shown while they are measured."""

import numpy as np
import torch
from torch import nn

from kit.types import IGNORE, Batch, Progress

CLASSES = 19


def make_batch(crop: int, images: int, unlabelled: int, dtype: torch.dtype = torch.float32) -> Batch:
    """Noise to look at, and labels of a few hundred large patches, some of them ignored."""
    make = torch.Generator().manual_seed(1)
    noise = torch.randn(images + unlabelled, 3, crop, crop, generator=make).to(dtype)
    patches = torch.randint(0, CLASSES + 1, (images, 1, 16, 16), generator=make).float()
    masks = nn.functional.interpolate(patches, size=crop)[:, 0].long()
    masks[masks == CLASSES] = IGNORE
    every = torch.ones(unlabelled, crop, crop, dtype=torch.bool)
    return Batch(noise[:images], masks, noise[images:], noise.new_zeros(unlabelled, 0, 3, crop, crop), every)


def progress() -> Progress:
    """The same draws at every call."""
    return Progress(0, 1, np.random.default_rng(0))
