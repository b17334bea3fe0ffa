"""What every loss shares: one reduction over valid pixels, and checks at the door."""

import torch
from torch import Tensor

from kit.errors import KitError


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision as float32, which every loss is computed in; float32 and float64 as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of `values` where `valid` (bool, same shape) is True; 0 with a zero gradient if it is nowhere."""
    require_same_shape(values, valid)
    return values.masked_fill(~valid, 0.0).sum() / valid.sum().clamp(min=1)


def require_same_shape(a: Tensor, b: Tensor) -> None:
    """Refuse tensors of different shape, quoting both."""
    if a.shape != b.shape:
        raise KitError(f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}")


def require_pixels(logits: Tensor, labels: Tensor) -> None:
    """Refuse logits (B, C, H, W) and labels (B, H, W) that do not belong together."""
    if logits.ndim != 4 or labels.shape != (logits.shape[0], *logits.shape[2:]):
        shapes = f"{tuple(logits.shape)} and {tuple(labels.shape)}"
        raise KitError(f"logits (B, C, H, W) and labels (B, H, W) must be of the same size, got {shapes}")
