"""Batches for benchmarks of training steps, and the step of the optimiser."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from kit.system.allocator import kept_pages
from kit.system.precision import autocast
from kit.types import IGNORE, Batch, Progress

CLASSES = 19
CPU = torch.device("cpu")


class Side(NamedTuple):
    """One form of a training step."""

    trained: nn.Module
    loss: Callable[[], Tensor]


def make_batch(crop: int, images: int, unlabelled: int, dtype: torch.dtype = torch.float32,
               device: torch.device = CPU) -> Batch:  # fmt: skip
    """Noise images; masks are a grid of 16 x 16 patches of random classes, some of them IGNORE."""
    make = torch.Generator().manual_seed(1)
    noise = torch.randn(images + unlabelled, 3, crop, crop, generator=make).to(device, dtype)
    patches = torch.randint(0, CLASSES + 1, (images, 1, 16, 16), generator=make).float()
    masks = nn.functional.interpolate(patches, size=crop)[:, 0].long().to(device)
    masks[masks == CLASSES] = IGNORE
    every = torch.ones(unlabelled, crop, crop, dtype=torch.bool, device=device)
    return Batch(noise[:images], masks, noise[images:], noise.new_zeros(unlabelled, 0, 3, crop, crop), every)


def progress() -> Progress:
    """Progress at the first step, with the same random draws at every call."""
    return Progress(0, 1, np.random.default_rng(0))


def sgd_step(net: nn.Module, losses: Callable[[], tuple[Tensor, dict[str, Tensor]]], lr: float, plainly: bool,
             precision: str = "fp32") -> Callable[[], dict[str, float]]:  # fmt: skip
    """A training step of `net` on a CPU, which returns the terms of its loss.

    Args:
        losses: returns the loss and its terms.
        plainly: False gives the step a run's fused optimiser, and keeps freed memory in the process during the step.
        precision: "fp32" or "bf16", in which `losses` is computed.
    """
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4, fused=not plainly)

    def step() -> dict[str, float]:
        with autocast(precision, CPU):
            loss, terms = losses()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return {name: term.item() for name, term in terms.items()}

    return step if plainly else kept_pages(CPU)(step)
