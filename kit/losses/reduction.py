"""The reduction over valid pixels that all losses share, and checks of inputs.

If several processes share a step, each divides its sum by the mean count of valid pixels per process. Distributed
training averages the gradients of the processes, so the result is the gradient of the whole step's mean. If each
divided by its own count, a process with few valid pixels would weigh as much as one with many.
"""

import torch
import torch.distributed as dist
from torch import Tensor

from kit.errors import KitError


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of `values` where `valid` (bool, same shape) is True; 0 with a zero gradient if no pixel is valid.

    With several processes: this process's sum divided by the mean count of valid pixels per process."""
    require_same_shape(values, valid)
    return values.masked_fill(~valid, 0.0).sum() / _share(valid.sum())


def of_all_processes(values: Tensor) -> Tensor:
    """`values` (N,) of all processes, concatenated to (processes * N,); N is equal in all of them; no gradient."""
    if not _several():
        return values
    gathered = [torch.empty_like(values) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, values.contiguous())
    return torch.cat(gathered)


def summed(values: Tensor) -> Tensor:
    """The sum of `values` over all processes; no gradient."""
    if not _several():
        return values
    values = values.clone()
    dist.all_reduce(values)
    return values


def _share(count: Tensor) -> Tensor:
    """Mean of a count over processes; their total is taken as at least 1."""
    total = summed(count).clamp(min=1)
    return total / dist.get_world_size() if _several() else total


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def require_same_shape(a: Tensor, b: Tensor) -> None:
    """Refuse tensors of different shape, quoting both."""
    if a.shape != b.shape:
        raise KitError(f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}")


def require_pixels(logits: Tensor, labels: Tensor) -> None:
    """Refuse logits (B, C, H, W) and labels (B, H, W) that do not belong together."""
    if logits.ndim != 4 or labels.shape != (logits.shape[0], *logits.shape[2:]):
        shapes = f"{tuple(logits.shape)} and {tuple(labels.shape)}"
        raise KitError(f"logits (B, C, H, W) and labels (B, H, W) must be of the same size, got {shapes}")
