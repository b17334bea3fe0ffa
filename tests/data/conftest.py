"""A small data set that tests of files and splits may change."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def own(tmp_path):
    """A folder of images: 6 train images, 4 of them with masks, 2 val images."""
    (tmp_path / "classes.yaml").write_text("classes: {ground: [0, 0, 0], leaf: [0, 160, 60]}\nignore: 9\n")
    rng = np.random.default_rng(0)
    for part, count in (("train", 6), ("val", 2)):
        for folder in ("images", "labels"):
            (tmp_path / folder / part).mkdir(parents=True)
        for i in range(count):
            image = rng.integers(0, 255, (40, 60, 3), np.uint8)
            Image.fromarray(image).save(tmp_path / f"images/{part}/{part[0]}{i}.jpg")
            if part == "val" or i < 4:
                mask = rng.choice([0, 1, 9], (40, 60)).astype(np.uint8)
                Image.fromarray(mask).save(tmp_path / f"labels/{part}/{part[0]}{i}.png")
    return tmp_path
