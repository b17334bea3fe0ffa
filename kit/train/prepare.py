"""Data, split and networks of a run, checked before its folder is made."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kit.data.catalog import DatasetSpec
from kit.data.fingerprint import find_data
from kit.data.loaders import TrainBatches, ValImages
from kit.data.splits.split import Split, check_masks, look_for_classes
from kit.errors import KitError
from kit.evaluate.student import load, weights_file
from kit.methods.base import Method
from kit.methods.build import METHODS, build_method
from kit.models.build import build_model
from kit.models.encoders.pretrained import Origin
from kit.models.segmenter import Segmenter
from kit.settings.fields import replace_fields
from kit.settings.run import RunConfig
from kit.system.storage import file_sha256


@dataclass(frozen=True)
class Parts:
    """Data, split and networks of a run."""

    spec: DatasetSpec
    split: Split
    data: dict
    """The record of the data (`kit.data.fingerprint.Data.record`)."""
    val: ValImages
    batches: TrainBatches
    method: Method
    teachers: dict[str, dict]
    """Origin of each of the method's teachers; empty for most methods."""
    origins: dict[str, dict]
    """Trained network -> origin of its encoder's first weights."""


def prepare(cfg: RunConfig, rank: int = 0, world: int = 1) -> Parts:
    """Data, split and networks of a run, checked against each other."""
    data = find_data(cfg.data, cfg.evaluate.limit)
    spec, train = data.spec, data.train
    val = ValImages(data.val, cfg.evaluate.limit)
    val.require_labels()
    check_masks(data.split, train, cfg.data.observe)
    split = look_for_classes(data.split, train)
    accumulate = cfg.train.accumulate
    check_shares(cfg, world)
    teachers, taught_by = load_teachers(cfg, spec)
    first, origin = first_weights(cfg, spec)
    torch.manual_seed(cfg.seed)  # initial weights
    kept = math.ceil(cfg.method.ohem_min_kept / accumulate)  # by OHEM, of a micro-step's pixels
    method = build_method(replace_fields(cfg, {"method.ohem_min_kept": kept}), spec.num_classes, teachers, first)
    for net in method.modules():
        if isinstance(net, Segmenter):
            net.check_size(*cfg.data.crop)
    batches = TrainBatches(cfg.data, train, split, method.views, cfg.seed, cfg.train.steps, rank, world, accumulate)
    # Each process caches its share, so that a broken file is reported at once; items of others are made when needed.
    pairs = split.labelled + (tuple(i for i in batches.pool if i in train.masks) if cfg.data.observe else ())
    train.keep(batches.pool[rank::world], pairs[rank::world], silent=rank > 0)
    val.files.keep((), val.ids[rank::world], full=True, silent=rank > 0)
    origins = {name: net.encoder.origin.record() for name, net in method.networks().items()}
    return Parts(spec, split, data.record(), val, batches, method, taught_by, {**origins, **origin})


def check_step(cfg: RunConfig) -> None:
    """Refuse a run whose student cannot be built or does not take its crops, or as `check_shares`. Nothing is computed,
    and no data is read."""
    check_shares(cfg, cfg.train.processes)
    with torch.device("meta"):  # its weights do not matter
        build_model(cfg.student, 2, pretrained=False).check_size(*cfg.data.crop)


def check_shares(cfg: RunConfig, world: int) -> None:
    """Refuse a step that processes and micro-steps cannot share, or shares that CutMix cannot halve."""
    data, method, parts = cfg.data, cfg.method, world * cfg.train.accumulate
    unlabelled = data.unlabelled if METHODS[method.name].views.unlabelled else 0
    divided = f"train.processes ({world}) times train.accumulate ({cfg.train.accumulate}), which divide a step"
    if data.labelled % parts or unlabelled % parts:
        raise KitError(f"data.labelled ({data.labelled}) and data.unlabelled ({data.unlabelled}) must be multiples of "
                       f"{divided}")  # fmt: skip
    in_halves = getattr(method, "partner", "roll") == "halves" and getattr(method, "cutmix", True)
    if in_halves and unlabelled // parts % 2:
        raise KitError(f'method.partner "halves" mixes pairs, so data.unlabelled ({data.unlabelled}) must be a '
                       f"multiple of twice {divided}")  # fmt: skip


def first_weights(cfg: RunConfig, spec: DatasetSpec) -> tuple[dict[str, Tensor] | None, dict[str, dict]]:
    """The weights that `cfg.start` names, and their record as in `Parts.origins`; None and {} if it is empty.

    Raises: KitError if it names no finished run or model folder, or a student of other settings or classes.
    """
    if not cfg.start:
        return None, {}
    student = load(cfg.start)
    if student.config.student != cfg.student:
        raise KitError(f"start: the student in {cfg.start} is another network ({student.config.student.name}) or has "
                       f"other settings than this run's {cfg.student.name}")  # fmt: skip
    if tuple(student.classes) != spec.classes:
        raise KitError(f"start: the student in {cfg.start} predicts other classes than those of {spec.name}")
    digest = file_sha256(weights_file(cfg.start))
    return student.net.state_dict(), {"student": Origin(cfg.student.name, "run", cfg.start, digest).record()}


def load_teachers(cfg: RunConfig, spec: DatasetSpec) -> tuple[dict[str, Segmenter], dict[str, dict]]:
    """The teachers of a run's method, and the origin of each, with the digest of its weights.

    Raises: KitError if the settings name no finished run, or one with other classes.
    """
    nets, origins = {}, {}
    for name in METHODS[cfg.method.name].teachers:
        run = getattr(cfg.method, name)
        if not run:
            raise KitError(
                f"method.{name} names no teacher; give a finished run or a model folder, or train the teachers first: "
                "kit.train.teachers.with_teachers(cfg) does, as do notebooks/train.ipynb and `python -m kit train`"
            )
        teacher = load(run)
        if tuple(teacher.classes) != spec.classes:
            raise KitError(f"method.{name}: the classes of the network in {run} differ from those of {spec.name}")
        nets[name] = teacher.net
        origins[name] = {"run": run, "network": teacher.config.student.name, "trained_by": teacher.config.method.name,
                         "weights_sha256": file_sha256(weights_file(run))}  # fmt: skip
    return nets, origins
