"""Networks of a run: those trained beside the student, and the student before training."""

import dataclasses
from pathlib import Path

import torch

from kit.errors import KitError
from kit.evaluate.student import Student, load, load_weights
from kit.models.build import build_model
from kit.runs.folder import RunFolder
from kit.settings.run import ModelConfig

STUDENT = "student"
"""Name of the network that every run keeps."""


def networks(run_dir: str | Path, weights: str = "last") -> dict[str, Student]:
    """Every network of a finished run by name: its "student", then those trained beside it, if the run had
    `train.keep_views`. Arguments and errors are those of `kit.load`."""
    views = {name: load_view(run_dir, name) for name in RunFolder(run_dir).views()}
    return {STUDENT: load(run_dir, weights), **views}


def load_view(run_dir: str | Path, name: str) -> Student:
    """Load a network that was trained beside the student, such as TriKD's "vit" or "cnn", with its last weights.

    Raises: KitError if the run is not finished, does not keep this network, or the weights do not fit.
    """
    folder = RunFolder(run_dir)
    result = folder.finished_result()
    if name not in folder.views():
        kept = ", ".join(folder.views()) or "none"
        raise KitError(
            f"{folder.path} does not keep a network {name!r} beside its student (kept: {kept}); "
            "train it with train.keep_views: true"
        )
    config = folder.config()
    own = getattr(config.method, name, None)
    settings = own if isinstance(own, ModelConfig) else config.student
    return load_weights(folder.view(name), dataclasses.replace(config, student=settings), result["dataset"])


def untrained(student: Student) -> Student:
    """The student before the first step of its run: random weights of the run's seed, or pretrained ones.

    Every method builds its student before its other networks, so the same seed gives the same weights.

    Raises: KitError if pretrained weights are not available.
    """
    config = student.config
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        net = build_model(config.student, len(student.classes), config.pretrained)
    return Student(net, student.classes, student.palette, config)
