"""A learning-rate test (Smith, WACV 2017, arXiv 1506.01186): losses at a rate that grows at every step."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from accelerate.utils import send_to_device

from kit.data.loaders import train_loader
from kit.errors import KitError
from kit.settings.checks import require_positive
from kit.settings.fields import replace_fields
from kit.settings.run import RunConfig
from kit.train.optim import make_optimizer
from kit.train.prepare import prepare
from kit.train.processes import make_accelerator
from kit.types import Progress

DIVERGED = 4.0
"""Multiple of the lowest smoothed loss at which the test ends."""

WIDTH = 0.03
"""Standard deviation of the smoothing, as a share of the steps."""

FALL = 0.05
"""Share of the first smoothed loss by which the loss must fall, else no rate is suggested."""


@dataclass(frozen=True)
class RateTest:
    """Losses of a learning-rate test."""

    rates: list[float]
    """`optim.lr` of each step, rising."""
    losses: list[float]
    """Loss of each step before its update."""
    smoothed: list[float]
    """The same, smoothed over neighbouring steps."""

    @property
    def lowest(self) -> float:
        """Rate at which the smoothed loss is lowest."""
        return self.rates[int(np.argmin(self.smoothed))]

    @property
    def suggested(self) -> float:
        """A tenth of `lowest`: there the loss falls fast, and a whole run at this rate has room before it diverges."""
        return self.lowest / 10


def try_rates(cfg: RunConfig, low: float = 1e-6, high: float = 1.0, steps: int = 100,
              done: Callable[[], None] | None = None) -> RateTest:  # fmt: skip
    """Losses of a run at rates rising from `low` to `high`, one step per rate, in this process. Nothing is written to
    the run's folder, and a later run does not use these weights.

    Every term of the loss keeps its weight of the first step, so that losses are comparable; terms with a ramp have
    weight 0. Each group of parameters keeps its factor on the rate.

    Args:
        low, high: of `optim.lr`; the test ends earlier if the loss is not finite or DIVERGED times its lowest.
        steps: number of rates, evenly spread on a logarithmic scale.
        done: called after each step.
    Raises: KitError as `kit.fit` does for data, split and networks, for wrong bounds, and if the loss falls at no rate.
    """
    require_positive(low=low, high=high, steps=steps)
    if not low < high or steps < 10:
        raise KitError(
            f"a learning-rate test needs 10 steps or more and low below high, got {steps}, {low:g}, {high:g}"
        )
    cfg = replace_fields(cfg, {"train.processes": 1, "train.steps": max(steps, cfg.train.steps)})
    accelerator, parts = make_accelerator(cfg), prepare(cfg)
    method = parts.method.to(accelerator.device)
    method, optimizer = accelerator.prepare(method, make_optimizer(cfg.optim, method))
    batches, count = iter(train_loader(parts.batches, 0)), cfg.train.accumulate
    rates, losses = np.geomspace(low, high, steps).tolist(), []
    method.train()
    for step, rate in enumerate(rates):
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        torch.manual_seed(step)  # dropout
        progress, loss = Progress(0, cfg.train.steps, np.random.default_rng([cfg.seed, step, 3])), 0.0
        for batch in islice(batches, count):
            part = method(send_to_device(batch, accelerator.device), progress).loss / count
            accelerator.backward(part)
            loss += part.item()
        if not math.isfinite(loss):
            break
        losses.append(loss)
        if cfg.optim.clip:
            accelerator.clip_grad_norm_(method.parameters(), cfg.optim.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        accelerator.unwrap_model(method).after_step(progress)
        if done is not None:
            done()
        if np.mean(losses[-3:]) > DIVERGED * min(smooth(losses, steps)):
            break
    test = RateTest(rates[: len(losses)], losses, smooth(losses, steps))
    if not losses or min(test.smoothed) > (1 - FALL) * test.smoothed[0]:
        raise KitError(f"the loss does not fall at any rate from {low:g} to {high:g}; try other bounds or more steps")
    return test


def smooth(losses: list[float], steps: int) -> list[float]:
    """Losses averaged with their neighbours by a Gaussian of WIDTH * steps."""
    place = np.arange(len(losses))
    weight = np.exp(-0.5 * ((place[:, None] - place) / (WIDTH * steps)) ** 2)
    return (weight @ np.array(losses) / weight.sum(1)).tolist()
