"""Frames to read: a few drawn scenes with the noise of a sensor on them, in the layout of Cityscapes."""

from pathlib import Path

import numpy as np
from PIL import Image

from kit.data.scenes.scene import draw_scene
from kit.data.synthetic import scene_paths

SCENES = 2
"""Scenes drawn (seconds each at 2048 x 1024); further frames are the same scenes with other noise."""

NOISE = 2.0
"""Standard deviation in grey levels; drawn scenes without it make smaller files than photographs."""


def make_frames(root: Path, count: int, size: tuple[int, int], seed: int = 0) -> Path:
    """Write `count` training images (PNG) with labelIds masks of (height, width) below `root`; return it."""
    scenes = [draw_scene(seed + k, *size) for k in range(min(count, SCENES))]
    for k in range(count):
        image, mask = scenes[k % SCENES]
        noise = np.random.default_rng([seed, k]).normal(0, NOISE, image.shape)
        noisy = (image + noise).round().clip(0, 255).astype(np.uint8)
        for path, pixels in zip(scene_paths("train", k), (noisy, mask), strict=True):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / path)
    return root
