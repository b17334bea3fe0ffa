"""Endless training batches and the val images in order.

Which images a step sees, and how they are changed, follows from (seed, step, place in the batch) alone. So a resumed
run sees what an uninterrupted one would have, with any number of loader processes, and nothing needs to be saved.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from kit.config import DataConfig
from kit.data.files import SegFiles
from kit.data.splits import Split
from kit.data.transforms import draw_geometry, jitter, normalise, pad_mask, strong_colour
from kit.errors import KitError
from kit.types import Batch, Views

LABELLED, UNLABELLED = 0, 1
"""Streams of random numbers: labelled and unlabelled images are drawn independently."""


@lru_cache(maxsize=4)
def _order(count: int, seed: int, stream: int, epoch: int) -> np.ndarray:
    """Permutation of `count` images for one pass over them."""
    return np.random.default_rng([seed, stream, epoch]).permutation(count)


class TrainBatches(Dataset):
    """Step number -> this process's part of the step's `Batch`.

    Args:
        rank, world: this process and the number of processes; the images of a step are dealt out in turn.
    Raises: KitError if unlabelled images are wanted and the split has none.
    """

    def __init__(self, cfg: DataConfig, files: SegFiles, split: Split, views: Views, seed: int, steps: int,
                 rank: int = 0, world: int = 1):  # fmt: skip
        if views.unlabelled and not split.unlabelled:
            raise KitError(f"split {split.name!r} leaves no unlabelled image, which this method needs")
        self.cfg, self.files, self.split, self.views = cfg, files, split, views
        self.seed, self.steps, self.rank, self.world = seed, steps, rank, world

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        images, masks = zip(
            *(self._labelled(name, rng) for name, rng in self._deal(step, LABELLED, self.split.labelled)), strict=True
        )
        if self.views.unlabelled:
            drawn = [self._unlabelled(name, rng) for name, rng in self._deal(step, UNLABELLED, self.split.unlabelled)]
            weak, strong, valid = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        else:
            weak, strong = torch.zeros(0, 3, *self.cfg.crop), torch.zeros(0, 0, 3, *self.cfg.crop)
            valid = torch.zeros(0, *self.cfg.crop, dtype=torch.bool)
        return Batch(torch.stack(images), torch.stack(masks), weak, strong, valid)

    def _deal(self, step: int, stream: int, ids: tuple[str, ...]) -> Iterator[tuple[str, np.random.Generator]]:
        """This process's images of a step, each with its own random numbers."""
        batch = self.cfg.labelled if stream == LABELLED else self.cfg.unlabelled
        for place in range(self.rank, batch, self.world):
            ticket = step * batch + place
            epoch, at = divmod(ticket, len(ids))
            # 2 keeps these numbers apart from the permutations'
            yield (
                ids[_order(len(ids), self.seed, stream, epoch)[at]],
                np.random.default_rng([self.seed, stream, ticket, 2]),
            )

    def _labelled(self, name: str, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        image, mask = self.files.pair(name)
        geometry = draw_geometry(image.shape[1:], self.cfg.crop, self.cfg.scale, rng)
        image = jitter(geometry.apply(image, nearest=False), self.cfg.jitter, rng)
        return geometry.finish(normalise(image), 0.0), pad_mask(mask, geometry)

    def _unlabelled(self, name: str, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        image = self.files.image(name)
        geometry = draw_geometry(image.shape[1:], self.cfg.crop, self.cfg.scale, rng)
        image = jitter(geometry.apply(image, nearest=False), self.cfg.jitter, rng)
        views = [geometry.finish(normalise(strong_colour(image, rng)), 0.0) for _ in range(self.views.strong)]
        weak = geometry.finish(normalise(image), 0.0)
        valid = geometry.finish(torch.ones(image.shape[1:], dtype=torch.bool), False)
        return weak, torch.stack(views) if views else torch.zeros(0, *weak.shape), valid


def train_loader(batches: TrainBatches, start: int) -> DataLoader:
    """Batches of the steps from `start` to the end, in order."""
    workers = batches.cfg.workers
    return DataLoader(
        batches,
        batch_size=None,
        sampler=range(start, batches.steps),
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator().manual_seed(batches.seed),  # else each iterator draws from the global one
    )


class ValImages(Dataset):
    """Val images in order: (id, image float32 (3, H, W), mask uint8 (H', W') at its size on disk)."""

    def __init__(self, files: SegFiles, limit: int = 0):
        self.files = files
        self.ids = files.masked_ids[: limit or None]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[str, Tensor, Tensor]:
        name = self.ids[index]
        return name, normalise(self.files.image(name)), self.files.full_mask(name)
