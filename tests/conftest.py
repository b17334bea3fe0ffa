"""What the tests share: a handful of small drawn scenes, and a run that takes seconds."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that wait for each other crawl on a busy machine

import kit  # noqa: F401, I001  (first: it makes torchvision importable)
import pytest
import torch

from kit.data.synthetic import draw_dataset
from kit.recipes import configure


def pytest_collection_modifyitems(config, items):
    """Tests marked `gpu` are there on machines with a GPU."""
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
