"""Two finished runs of a few seconds, and pixel-wise "networks" whose answers are known."""

import pytest
import torch
from torch import nn

import kit
from kit.recipes import configure
from kit.types import SegOutput


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
