"""Good data sets of a few small pictures in each layout."""

from pathlib import Path

import numpy as np
from PIL import Image

from kit.data.catalog import DATASETS

HEIGHT, WIDTH = 40, 64


def photograph(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def mask(values, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> Image.Image:
    """Every value somewhere."""
    pixels = np.resize(np.roll(np.array(values, np.uint8), seed), (height, width))
    return Image.fromarray(pixels)


def save(picture: Image.Image, path: Path, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    return path


def cityscapes(root: Path) -> Path:
    for seed, (part, city) in enumerate([("train", "aachen")] * 3 + [("val", "ulm")] * 2):
        save(photograph(seed), image_of(root, seed, part, city))
        save(mask(range(34), seed), label_of(root, seed, part, city))
    return root


def image_of(root, i, part="train", city="aachen"):
    return root / f"leftImg8bit/{part}/{city}/{city}_{i:06d}_000019_leftImg8bit.png"


def label_of(root, i, part="train", city="aachen", kind="labelIds"):
    return root / f"gtFine/{part}/{city}/{city}_{i:06d}_000019_gtFine_{kind}.png"


def voc(root: Path) -> Path:
    names = {"train": ["2007_000001", "2007_000002", "2007_000003"], "val": ["2007_000004", "2007_000005"]}
    spec = DATASETS["voc"]
    colours = (*spec.palette, *spec.palette[:1] * (255 - len(spec.palette)), *spec.void_colours)
    palette = [channel for colour in colours for channel in colour]
    for part, ids in names.items():
        write_list(root / f"ImageSets/Segmentation/{part}.txt", ids)
        for name in ids:
            save(photograph(int(name[-3:])), root / f"JPEGImages/{name}.jpg")
            indexed = mask([*range(21), 255])
            indexed.putpalette(palette)
            save(indexed, root / f"SegmentationClass/{name}.png")
    return root


def write_list(path: Path, ids: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in ids))
    return path


def camvid(root: Path) -> Path:
    for seed, part in enumerate(["train"] * 4 + ["val"] * 2):
        save(photograph(seed), root / f"images/{part}/{seed:04d}.jpg")
        save(mask([*range(12)]), root / f"labels/{part}/{seed:04d}.png")
    return root


def folder(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.yaml").write_text("classes: {ground: [0, 0, 0], leaf: [0, 160, 60], stem: [90, 60, 0]}\n")
    for seed in range(8):
        save(photograph(seed), root / f"images/p{seed}.png")
        if seed < 5:
            save(mask([0, 1, 2, 255]), root / f"labels/p{seed}.png")
    return root


def lists(root: Path, labelled: list[str], unlabelled: list[str]) -> None:
    write_list(root.with_name("lists") / "labelled.txt", labelled)
    write_list(root.with_name("lists") / "unlabelled.txt", unlabelled)


GOOD = {"cityscapes": cityscapes, "voc": voc, "camvid": camvid, "folder": folder}
