"""The images of a training step, without training."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from kit.data.catalog import DatasetSpec, find_spec
from kit.data.loaders import TrainBatches
from kit.data.reading.files import SegFiles
from kit.data.splits.split import make_split
from kit.methods.build import METHODS
from kit.settings.run import RunConfig
from kit.system.paths import from_project
from kit.types import Batch


class Shown(NamedTuple):
    """A step's images."""

    spec: DatasetSpec
    batch: Batch
    mixed: list[Tensor]
    """The unlabelled images (M, 3, H, W) after CutMix, one tensor for each view that the method mixes."""


def shown_batch(cfg: RunConfig, step: int = 0) -> Shown:
    """The images of a step of a run, exactly as its networks get them; no network is built, nothing is written.

    If a step is divided among processes or micro-steps, it is the first part.

    Args:
        step: from 0.
    Raises: KitError if data or split do not fit the configuration.
    """
    root = from_project(cfg.data.root)
    spec, method = find_spec(cfg.data.dataset, root), METHODS[cfg.method.name]
    train, val = (SegFiles(spec, root, part, cfg.data.base_size) for part in ("train", "val"))
    views = method.views_of(cfg.method)
    batches = TrainBatches(cfg.data, train, make_split(cfg.data, train, val), views, cfg.seed, cfg.train.steps,
                           0, cfg.train.processes, cfg.train.accumulate)  # fmt: skip
    batch = batches.part(step, 0)
    rng = np.random.default_rng([cfg.seed, step, 3, 0])  # that of `kit.train.loop`
    pastes = method.pastes(cfg.method, batch.weak, rng) if views.unlabelled else []
    seen = [batch.strong[:, i] for i in range(views.strong)] or [batch.weak]
    boxes = [(paste, images) for paste, images in zip(pastes, seen, strict=False) if paste.inside.any()]
    return Shown(spec, batch, [paste(images) for paste, images in boxes])
