import os
from pathlib import Path

import pytest

import kit
from kit.system.paths import PROJECT


@pytest.fixture(scope="session")
def finished(scenes, tmp_path_factory):
    """Folders of two finished runs on drawn scenes, a supervised one and TriKD with its views."""
    out = tmp_path_factory.mktemp("finished")
    folders = [out / "supervised", out / "trikd"]
    for folder in folders:
        overrides = {"data.crop": (64, 64), "data.base_size": None, "data.labelled": 2, "data.unlabelled": 2,
                     "data.cache": False, "train.log_every": 1}  # fmt: skip
        kit.fit(kit.configure(method=folder.name, recipe="tiny", steps=6, eval_every=3, split="1_2",
                              overrides=overrides, data_root=str(scenes), run_dir=str(folder)))  # fmt: skip
    return folders


@pytest.fixture(scope="session")
def screens(tmp_path_factory):
    """Folder for screenshots: that of KIT_SCREENSHOTS, or one of pytest's own."""
    folder = Path(os.environ.get("KIT_SCREENSHOTS") or tmp_path_factory.mktemp("screens"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def notebooks():
    return PROJECT / "notebooks"
