"""Evaluation of a network on the val part of a data set."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from kit.data.catalog import DatasetSpec
from kit.evaluate.predict import Predictor
from kit.evaluate.protocol import WHOLE, sentence
from kit.evaluate.scores.boundary import boundary_counts
from kit.evaluate.scores.calibration import calibration_counts
from kit.evaluate.scores.counts import Counts, mask_digest
from kit.evaluate.scores.metrics import confusion_matrix
from kit.settings.run import EvalConfig
from kit.system.allocator import kept_pages

Item = tuple[str, Tensor, Tensor]
"""(id, image (3, H, W), mask (H', W'))."""


class BatchCounts(NamedTuple):
    """Counts of a few images, still on the device."""

    names: list[tuple[str, str]]  # (id, digest of the mask or "")
    matrices: Tensor  # int64 (B, C, C)
    boundary: Tensor | None  # int64 (B, C, 3), on the CPU
    calibration: Tensor | None  # float64 (bins, 3), on the CPU


def count(net: nn.Module, items: Iterable[Item], spec: DatasetSpec, cfg: EvalConfig = WHOLE, rank: int = 0,
          world: int = 1, full: bool = False) -> Counts:  # fmt: skip
    """Counts of `net`'s predictions on each item, compared at the mask's size.

    Args:
        net: put in eval mode, where it stays; used on its device.
        items: this process's share of the ordered images: those at rank, rank + world, rank + 2 world ...
        cfg: the protocol.
        rank, world: this process and the number of processes. All of them call this function, and each gets the counts
            of all images, each image once. Several processes need an initialised process group.
        full: also count boundaries and calibration, and record digests of the masks.
    """
    predictor = Predictor(net, cfg)
    with kept_pages(predictor.device):
        parts = [_count(predictor, batch, spec, cfg, full) for batch in _batches(items, cfg.batch)]
    device, c = predictor.device, spec.num_classes
    names = [name for part in parts for name in part.names]
    matrices = torch.cat([torch.zeros(0, c, c, dtype=torch.long, device=device), *(part.matrices for part in parts)])
    boundary = calibration = None
    if full:
        empty = torch.zeros(0, c, 3, dtype=torch.long)
        boundary = torch.cat([empty, *(part.boundary for part in parts)]).to(device)
        start = torch.zeros(cfg.bins, 3, dtype=torch.float64)
        calibration = sum((part.calibration for part in parts), start)
    if world > 1:
        names = _gather_names(names, world)
        matrices, boundary = (_gather(rows, len(names), rank, world) for rows in (matrices, boundary))
        if full:
            calibration = calibration.to(device)
            dist.all_reduce(calibration)
    counts = {"matrices": matrices, "boundary": boundary, "calibration": calibration}
    plain = {name: None if value is None else value.cpu().numpy() for name, value in counts.items()}
    ids, masks = zip(*names, strict=True) if names else ((), ())
    return Counts(ids, protocol=sentence(cfg), masks=masks if full else None, **plain)


def _count(predictor: Predictor, batch: list[Item], spec: DatasetSpec, cfg: EvalConfig, full: bool) -> BatchCounts:
    ids, images, masks = zip(*batch, strict=True)
    names = [(name, mask_digest(mask) if full else "") for name, mask in zip(ids, masks, strict=True)]
    images, masks = torch.stack(images).to(predictor.device), torch.stack(masks).to(predictor.device)
    predict = predictor.probabilities if full else predictor.scores
    scores = predict(images, tuple(masks.shape[-2:]))
    predictions = scores.max(1).indices
    matrices = torch.stack([confusion_matrix(*pair, spec.num_classes) for pair in zip(predictions, masks, strict=True)])
    if not full:
        return BatchCounts(names, matrices, None, None)
    pairs = zip(predictions.to(torch.uint8).cpu().numpy(), masks.to(torch.uint8).cpu().numpy(), strict=True)
    bands = np.stack([boundary_counts(*pair, spec.num_classes, cfg.boundary) for pair in pairs])
    return BatchCounts(names, matrices, torch.from_numpy(bands), calibration_counts(scores, masks, cfg.bins))


def _gather_names(names: list[tuple[str, str]], world: int) -> list[tuple[str, str]]:
    """Ids and digests of all processes in the order of the images."""
    shares: list[list[tuple[str, str]]] = [[] for _ in range(world)]
    dist.all_gather_object(shares, names)
    total = sum(map(len, shares))
    return [shares[i % world][i // world] for i in range(total)]


def _gather(rows: Tensor | None, total: int, rank: int, world: int) -> Tensor | None:
    """Rows of all processes in the order of the images."""
    if rows is None:
        return None
    whole = rows.new_zeros(total, *rows.shape[1:])
    whole[rank::world] = rows
    dist.all_reduce(whole)
    return whole


def _batches(items: Iterable[Item], batch: int) -> Iterator[list[Item]]:
    """Batches of consecutive items of equal size."""
    held: list[Item] = []
    for item in items:
        if held and (len(held) == batch or [x.shape for x in item[1:]] != [x.shape for x in held[0][1:]]):
            yield held
            held = []
        held.append(item)
    if held:
        yield held
