"""The images of a training step, without training."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from kit.data.catalog import DatasetSpec
from kit.data.fingerprint import find_data
from kit.data.loaders import TrainBatches
from kit.methods.build import METHODS
from kit.settings.run import RunConfig
from kit.types import Batch


class Shown(NamedTuple):
    """Images of a step."""

    spec: DatasetSpec
    batch: Batch
    mixed: list[Tensor]
    """The unlabelled images (M, 3, H, W) after CutMix and pasted classes, one tensor for each view that has them."""


def shown_batch(cfg: RunConfig, step: int = 0) -> Shown:
    """The images of a step of a run, exactly as its networks get them; no network is built, nothing is written.

    If a step is divided among processes or micro-steps, these are the images of its first part.

    Args:
        step: from 0.
    Raises: KitError if data or split do not fit the configuration.
    """
    data, method = find_data(cfg.data), METHODS[cfg.method.name]
    views = method.views_of(cfg.method)
    batches = TrainBatches(cfg.data, data.train, data.split, views, cfg.seed, cfg.train.steps,
                           0, cfg.train.processes, cfg.train.accumulate)  # fmt: skip
    batch = batches.part(step, 0)
    mixed = []
    if views.unlabelled:
        rng = np.random.default_rng([cfg.seed, step, 3, 0])  # the generator of `kit.train.loop`
        mixes = method.mixes(cfg.method, batch, data.spec.num_classes, rng)
        for mix, view in zip(mixes, batch.strong.unbind(1) or [batch.weak], strict=True):
            if any(part is not None and part.inside.any() for part in mix):
                mixed.append(mix.images(view))
    return Shown(data.spec, batch, mixed)
