"""Frames in the layout of Cityscapes, drawn so that they compress like photographs, and a loader of their crops."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from kit.data.catalog import DATASETS
from kit.data.loaders import TrainBatches, train_loader
from kit.data.reading.files import SegFiles
from kit.data.scenes.dataset import scene_paths
from kit.data.scenes.scene import draw_scene
from kit.data.splits.split import Split
from kit.settings.run import DataConfig
from kit.types import Views

SCENES = 2
"""Number of scenes drawn (each takes seconds at 2048 x 1024); further frames repeat them with other noise."""

BLUR, NOISE = 1.0, 1.0
"""Blur of a lens (radius in pixels), noise of a sensor (standard deviation in grey levels, same noise in all channels).
With both, a frame takes 2.4 MB, about as much as in Cityscapes; without them, it takes more and decodes faster."""


def make_frames(root: Path, count: int, size: tuple[int, int]) -> Path:
    """Write `count` training images (PNG) with labelIds masks of (height, width) below `root`; return it."""
    scenes = [draw_scene(k, *size) for k in range(min(count, SCENES))]
    for k in range(count):
        image, mask = scenes[k % SCENES]
        soft = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(BLUR)))
        noise = np.random.default_rng([0, k]).normal(0, NOISE, (*size, 1))
        noisy = (soft + noise).round().clip(0, 255).astype(np.uint8)
        for path, pixels in zip(scene_paths("train", k), (noisy, mask), strict=True):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / path)
    return root


def frame_files(folder: Path, count: int, size: tuple[int, int]) -> tuple[SegFiles, SegFiles]:
    """Make frames below `folder`; return them as a data set read from files and as one read from a filled cache."""
    root, spec = make_frames(folder / "frames", count, size), DATASETS["cityscapes"]
    cached = SegFiles(spec, root, "train", cache=folder / "cache")
    cached.keep((), cached.ids, silent=True)
    return SegFiles(spec, root, "train"), cached


def crop_loader(files: SegFiles, crop: int, images: int, workers: int, steps: int, unlabelled: bool) -> Iterable:
    """Training loader: `steps` batches of `images` labelled crops, and as many unlabelled ones if `unlabelled`."""
    cfg = DataConfig(crop=(crop, crop), labelled=images, unlabelled=images, workers=workers)
    split = Split("bench", files.ids, files.ids if unlabelled else ())
    return train_loader(TrainBatches(cfg, files, split, Views(unlabelled=unlabelled), 0, steps), 0)
