"""Endless training batches and the val images in order.

The images of a step, and their augmentation, depend on (seed, step, place in the batch) alone. So a resumed run sees
the same batches as an uninterrupted one, with any number of loader processes, and no state needs to be saved.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from kit.data.reading.files import SegFiles
from kit.data.reading.transforms import Geometry, draw_geometry, jitter, padding, strong_colour, unit_range
from kit.data.reading.workers import InOrder
from kit.data.splits.split import Split
from kit.errors import KitError
from kit.settings.run import DataConfig
from kit.types import IGNORE, Batch, Views

LABELLED, UNLABELLED = 0, 1
"""Streams of random numbers: labelled and unlabelled images are drawn independently."""

FEW_VAL = 20
"""With fewer val images, a score depends more on the choice of images than on what is compared."""


def few_images_warning(count: int) -> str:
    """One line if `count` val images with masks are too few for reliable scores, else empty."""
    if count >= FEW_VAL:
        return ""
    return (
        f"{count} val image(s) with masks are too few for reliable scores: other images may change scores by several "
        f"points. Do not choose between methods by these scores; use {FEW_VAL} or more"
    )


@lru_cache(maxsize=4)
def _order(count: int, seed: int, stream: int, epoch: int) -> np.ndarray:
    """Permutation of `count` images for one pass over them."""
    return np.random.default_rng([seed, stream, epoch]).permutation(count)


@lru_cache(maxsize=4)
def _order_apart(count: int, seed: int, stream: int, epoch: int, batch: int) -> np.ndarray:
    """`_order`, but none of the first `batch` images is among the last `batch` of the previous pass. So a batch that
    spans two passes holds no image twice, and CutMix mixes no image with itself. Fewer than four batches of images keep
    their order."""
    order = _order(count, seed, stream, epoch).copy()
    if epoch and batch and count >= 4 * batch:
        just_seen = set(_order(count, seed, stream, epoch - 1)[-batch:])  # never swapped
        spare = (j for j in range(batch, count - batch) if order[j] not in just_seen)
        for i in range(batch):
            if order[i] in just_seen:
                j = next(spare)
                order[i], order[j] = order[j], order[i]
    return order


class TrainBatches(Dataset):
    """Index of a micro-step -> this process's part of the step's `Batch`. Without accumulation, micro-steps are steps.

    Args:
        rank, world: index of this process and number of processes, to which a step's images are dealt in turn.
        accumulate: micro-steps per step.
    Raises: KitError if the method needs unlabelled images and the split has none.
    """

    def __init__(self, cfg: DataConfig, files: SegFiles, split: Split, views: Views, seed: int, steps: int,
                 rank: int = 0, world: int = 1, accumulate: int = 1):  # fmt: skip
        pool = split.labelled if cfg.pool == "labelled" else split.pool
        if views.unlabelled and not pool:
            raise KitError(f"split {split.name!r} leaves no unlabelled image, which this method needs")
        self.cfg, self.files, self.split, self.views = cfg, files, split, views
        self.pool = pool if views.unlabelled else ()
        self.seed, self.steps, self.rank, self.world, self.accumulate = seed, steps, rank, world, accumulate

    def __len__(self) -> int:
        return self.steps * self.accumulate

    def __getitem__(self, index: int) -> Batch:
        step, micro = divmod(index, self.accumulate)
        return self.part(step, self.place(micro))

    @property
    def parts(self) -> int:
        """Number of parts of a step: one for every micro-step of every process."""
        return self.world * self.accumulate

    def place(self, micro: int) -> int:
        """Number of the part that this process gets in micro-step `micro` of a step."""
        return micro * self.world + self.rank

    def part(self, step: int, number: int) -> Batch:
        """One part of a step, of any process. Images are written directly into the batch; the rest is padding."""
        crop, strong = self.cfg.crop, self.views.strong
        labelled = list(self._deal(step, LABELLED, self.split.labelled, number))
        unlabelled = list(self._deal(step, UNLABELLED, self.pool, number)) if self.pool else []
        batch = Batch(
            images=padding(len(labelled), 3, *crop),
            masks=torch.full((len(labelled), *crop), IGNORE),
            weak=padding(len(unlabelled), 3, *crop),
            strong=padding(len(unlabelled), strong if unlabelled else 0, 3, *crop),
            valid=torch.zeros(len(unlabelled), *crop, dtype=torch.bool),
            hidden=torch.full((len(unlabelled) if self.cfg.observe else 0, *crop), IGNORE),
        )
        for (name, rng), image, mask in zip(labelled, batch.images, batch.masks, strict=True):
            self._labelled(name, rng, image, mask)
        hidden = batch.hidden if self.cfg.observe else [None] * len(unlabelled)
        for (name, rng), *places in zip(unlabelled, batch.weak, batch.strong, batch.valid, hidden, strict=True):
            self._unlabelled(name, rng, *places)
        return batch

    def _deal(self, step: int, stream: int, ids: tuple[str, ...],
              part: int = 0) -> Iterator[tuple[str, np.random.Generator]]:  # fmt: skip
        """Ids of the images of a part of a step, each with its own random generator."""
        batch = self.cfg.labelled if stream == LABELLED else self.cfg.unlabelled
        for place in range(part, batch, self.parts):
            ticket = step * batch + place
            epoch, at = divmod(ticket, len(ids))
            apart = batch if stream == UNLABELLED else 0
            # the 2 separates this random stream from those of the permutations
            yield (
                ids[_order_apart(len(ids), self.seed, stream, epoch, apart)[at]],
                np.random.default_rng([self.seed, stream, ticket, 2]),
            )

    def _geometry(self, name: str, rng: np.random.Generator) -> Geometry:
        return draw_geometry(self.files.size(name), self.cfg.crop, self.cfg.scale, rng, self.cfg.discrete_scales)

    def _labelled(self, name: str, rng: np.random.Generator, image: Tensor, mask: Tensor) -> None:
        """Fill a crop's image (3, *crop) and mask (*crop)."""
        geometry = self._geometry(name, rng)
        pixels, ids = self.files.pair(name, geometry.box)
        pixels = jitter(geometry.fit(pixels, nearest=False), self.cfg.jitter, rng)
        geometry.place(pixels, image).div_(255)
        geometry.place(geometry.fit(ids[None], nearest=True)[0], mask)

    def _unlabelled(self, name: str, rng: np.random.Generator, weak: Tensor, strong: Tensor, valid: Tensor,
                    hidden: Tensor | None) -> None:  # fmt: skip
        """Fill a crop's weak view (3, *crop), strong views (S, 3, *crop), valid map and true mask (*crop)."""
        geometry = self._geometry(name, rng)
        if hidden is not None and name in self.files.masks:
            pixels, ids = self.files.pair(name, geometry.box)
            geometry.place(geometry.fit(ids[None], nearest=True)[0], hidden)
        else:
            pixels = self.files.image(name, geometry.box)
        pixels = jitter(geometry.fit(pixels, nearest=False), self.cfg.jitter, rng)
        for view in strong:
            geometry.place(strong_colour(pixels, rng), view).div_(255)
        geometry.place(pixels, weak).div_(255)
        geometry.window(valid).fill_(True)


def train_loader(batches: TrainBatches, start: int) -> InOrder:
    """Batches of the steps from `start` to the end, in order."""
    return InOrder(batches, range(start * batches.accumulate, len(batches)), batches.cfg.workers)


class ValImages(Dataset):
    """Val images in order: (id, image float32 (3, H, W), mask uint8 (H', W') at its size on disk).

    Raises: KitError if none of them has a mask, or if a mask and its image differ in size.
    """

    def __init__(self, files: SegFiles, limit: int = 0):
        if not files.masked_ids:
            raise KitError(f"no masks for the val images in {files.root}; without them nothing can be evaluated")
        self.files = files
        self.ids = files.masked_ids[: limit or None]
        files.check_sizes(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def warning(self) -> str:
        """One line if they are too few for reliable scores, else empty."""
        return few_images_warning(len(self))

    def require_labels(self) -> None:
        """Raise KitError if every pixel of every mask is ignored: scores would not be numbers. Reads masks only up to
        the first with a label, usually one."""
        if not any((self.files.full_mask(name) != IGNORE).any() for name in self.ids):
            raise KitError(
                f"every pixel in the masks of the {len(self)} val image(s) in {self.files.root} is ignored; without "
                "labels nothing can be evaluated"
            )

    def __getitem__(self, index: int) -> tuple[str, Tensor, Tensor]:
        name = self.ids[index]
        # a copy: a loader process cannot send a mask that is mapped from the cache
        return name, unit_range(self.files.image(name)), self.files.full_mask(name).clone()


def val_loader(images: ValImages, workers: int, rank: int = 0, world: int = 1) -> InOrder:
    """The val images in order. Of several processes, each gets every `world`-th image; no image is read twice."""
    return InOrder(images, range(rank, len(images), world), workers)
