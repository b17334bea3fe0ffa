"""What the tests share: small drawn scenes, runs that take seconds, and a network whose answers are known."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that wait for each other crawl on a busy machine

import kit  # noqa: I001  (first: it makes torchvision importable)
import pytest
import torch
from torch import nn

from kit.data.scenes.dataset import draw_dataset
from kit.settings.recipes import configure
from kit.types import SegOutput


QUICK = ("data/splits", "figures", "losses", "methods", "models/decoders", "models/layers", "runs", "settings",
         "test_structure.py")  # fmt: skip
"""Folders and files whose tests are marked `quick`, but for those marked `slow`."""


def pytest_collection_modifyitems(config, items):
    """Tests marked `gpu` are there on machines with a GPU; `quick` is a matter of the folder."""
    for item in items:
        place = item.path.relative_to(Path(__file__).parent).as_posix()
        if place.startswith(QUICK) and not item.get_closest_marker("slow"):
            item.add_marker("quick")
    away = [] if torch.cuda.is_available() else [item for item in items if item.get_closest_marker("gpu")]
    if away:
        config.hook.pytest_deselected(items=away)
        items[:] = [item for item in items if item not in away]


@pytest.fixture(autouse=True)
def seeded():
    """The same random weights and inputs whatever order tests run in."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """Root of a synthetic data set: 8 train and 3 val scenes of 64 x 128."""
    return draw_dataset(tmp_path_factory.mktemp("data") / "scenes", train=8, val=3, size=(64, 128))


@pytest.fixture
def tiny(scenes, tmp_path):
    """Function (method, **parameters) -> RunConfig of a few steps on `scenes`, in float32: networks this small on crops
    of 64 gain nothing from bfloat16 (their steps take a tenth longer), and numbers should not depend on the machine."""

    def config(method: str = "supervised", overrides: dict | None = None, **parameters):
        here = {"data_root": str(scenes), "run_dir": str(tmp_path / "run")}
        parameters = {"steps": 4, "split": "1_2"} | here | parameters
        small = {"data.crop": (64, 64), "data.labelled": 2, "data.unlabelled": 2, "train.log_every": 2,
                 "train.checkpoint_every": 2, "train.precision": "fp32",
                 "data.cache_dir": str(tmp_path / "cache")}  # fmt: skip
        return configure(method=method, recipe="tiny", overrides=small | (overrides or {}), **parameters)

    return config


@pytest.fixture(scope="session")
def finished(scenes, tmp_path_factory):
    """Function (student) -> folder of a finished run of that student, each trained once."""
    made = {}

    def folder(student="deeplab_demo", method="supervised"):
        key = f"{student}_{method}"
        if key not in made:
            path = tmp_path_factory.mktemp("runs") / key
            small = {"data.crop": (64, 64), "data.base_size": (64, 128), "data.cache": False, "data.labelled": 2,
                     "data.unlabelled": 2, "train.log_every": 2, "evaluate.resamples": 50, "train.precision": "fp32",
                     "student.d0_relative": False}  # fmt: skip
            cfg = configure(method, "tiny", small, student=student, data_root=str(scenes), split="1_2", steps=2,
                            eval_every=1, run_dir=str(path))  # fmt: skip
            kit.fit(cfg)
            made[key] = path
        return made[key]

    return folder


class Pixelwise(nn.Module):
    """Logits that depend on each pixel alone: the images' own channels, as many as there are classes."""

    multiple = 8

    def __init__(self):
        super().__init__()
        self.weight, self.shapes = nn.Parameter(torch.zeros(1)), []

    def forward(self, images, scores=False):
        self.shapes.append(tuple(images.shape))
        return SegOutput(images, [], None, images)


@pytest.fixture
def pixelwise():
    return Pixelwise()
