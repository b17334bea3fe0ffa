"""Everything of a run that can be refused before its folder is made: data, split, networks, and how they fit."""

from dataclasses import dataclass

import torch

from kit.config import RunConfig
from kit.data.catalog import DatasetSpec, find_spec
from kit.data.files import SegFiles
from kit.data.loaders import TrainBatches, ValImages
from kit.data.splits import Split, look_for_classes, make_split
from kit.errors import KitError
from kit.methods.base import Method
from kit.methods.build import build_method
from kit.models.segmenter import Segmenter
from kit.paths import from_project


@dataclass(frozen=True)
class Parts:
    """What a run is made of."""

    spec: DatasetSpec
    split: Split
    val: ValImages
    batches: TrainBatches
    method: Method


def prepare(cfg: RunConfig, rank: int = 0, world: int = 1) -> Parts:
    """Data, split and networks of a run, checked against each other."""
    root = from_project(cfg.data.root)
    spec = find_spec(cfg.data.dataset, root)
    cache = from_project(cfg.data.cache_dir) if cfg.data.cache else None
    train, val = (SegFiles(spec, root, part, cfg.data.base_size, cache) for part in ("train", "val"))
    if not val.masked_ids:
        raise KitError(f"no masks for the val images in {root}; without them nothing can be judged")
    split = look_for_classes(make_split(cfg.data, train, val), train)
    if world > 1 and (cfg.data.labelled % world or cfg.data.unlabelled % world):
        raise KitError(f"data.labelled and data.unlabelled must be multiples of the {world} processes")
    torch.manual_seed(cfg.seed)  # initial weights
    method = build_method(cfg, spec.num_classes)
    for net in method.modules():
        if isinstance(net, Segmenter):
            net.check_size(*cfg.data.crop)
    batches = TrainBatches(cfg.data, train, split, method.views, cfg.seed, cfg.train.steps, rank, world)
    judged = ValImages(val, cfg.evaluate.limit)
    unlabelled = split.pool if method.views.unlabelled else ()
    # Each process its share, so that a broken file is named at once. What another has not kept yet is made when needed.
    train.keep(unlabelled[rank::world], split.labelled[rank::world], silent=rank > 0)
    val.keep((), judged.ids[rank::world], full=True, silent=rank > 0)
    return Parts(spec, split, judged, batches, method)
