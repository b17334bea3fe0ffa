"""A finished run of a few steps, and masks with everything that is hard about them."""

import numpy as np
import pytest

import kit


@pytest.fixture(scope="session")
def street(scenes, tmp_path_factory):
    """Folder of a run of CPS that has kept its second network, on four labelled scenes of eight."""
    out = tmp_path_factory.mktemp("run") / "cps"
    small = {"data.crop": (64, 64), "data.base_size": None, "data.labelled": 2, "data.unlabelled": 2,
             "train.log_every": 1, "train.precision": "fp32", "data.cache": False, "train.eval_every": 0}  # fmt: skip
    cfg = kit.configure("cps", "tiny", data_root=str(scenes), split="1_2", steps=2, run_dir=str(out), overrides=small)
    kit.fit(cfg)
    return out


@pytest.fixture
def hard():
    """A mask (40, 60) of 4 classes: a hole, things that touch at corners, thin slanted ones, single pixels, void."""
    mask = np.zeros((40, 60), np.uint8)
    mask[5:25, 5:30] = 1
    mask[10:15, 10:20] = 2  # a region inside a region
    mask[17:20, 10:20] = 255  # void inside a region
    mask[25:30, 30:35] = 3  # touches class 1 at a corner
    mask[np.arange(30), 59 - np.arange(30)] = 2  # a slanted line one pixel wide
    mask[35, 3], mask[0, 0], mask[39, 59] = 1, 2, 3
    mask[34:38, 40:50] = 255
    return mask
