"""Images of an unusual size or content, and duplicated pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from broken_data.case import broken
from broken_data.good import HEIGHT, WIDTH, image_of, lists, mask, photograph, save


@broken("camvid", "sizes differ")
def mask_of_another_size(root):
    save(mask(range(11), 0, HEIGHT, WIDTH + 1), root / "labels/train/0001.png")
    return "0001.png is 40 x 65"


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(photograph(9), path, exif=exif)


@broken("camvid", "sizes differ")
def image_turned_and_its_mask_not(root):
    turned(root / "images/train/0001.jpg")
    return "the EXIF orientation turns the image"


@broken("camvid", "turned", "note")
def image_turned(root):
    turned(root / "images/train/0001.jpg")
    save(mask(range(11), 0, WIDTH, HEIGHT), root / "labels/train/0001.png")
    return "0001.jpg"


@broken("folder", "16 bits", "warning")
def sixteen_bit_image(root):
    pixels = np.random.default_rng(0).integers(0, 60000, (HEIGHT, WIDTH), np.uint16)
    save(Image.fromarray(pixels), root / "images/p6.png")
    return "p6.png"


@broken("cityscapes", "single colour", "warning")
def black_frame(root):
    save(Image.new("RGB", (WIDTH, HEIGHT)), root / "leftImg8bit/train_extra/troisdorf/t_000000_000073_leftImg8bit.png")
    return "t_000000_000073_leftImg8bit.png"


@broken("folder", "tiny", "warning")
def tiny_image(root):
    save(photograph(6, 20, 50), root / "images/p6.png")
    return "p6.png is 20 x 50"


@broken("folder", "unlike sizes", "warning")
def huge_image(root):
    save(photograph(6, 400, 640), root / "images/p6.png")
    return "p6.png (400 x 640)"


@broken("cityscapes", "in train and val")
def train_image_in_val(root):
    image_of(root, 4, "val", "ulm").write_bytes(image_of(root, 1).read_bytes())
    return image_of(root, 1).name


@broken("folder", "in train and val")
def the_same_pixels_in_another_form(root):
    (root / "classes.yaml").write_text(
        "classes: {a: [0, 0, 0], b: [1, 2, 3], c: [3, 4, 5]}\nimages: '{part}/*'\nmasks: 'm/{part}/*.png'\n"
    )
    for i, part in enumerate(["train", "val", "train"]):
        save(photograph(i), root / f"{part}/a{i}.png")
        save(mask([0, 1, 2]), root / f"m/{part}/a{i}.png")
    save(photograph(1), root / "train/b.bmp")
    return "b.bmp"


@broken("camvid", "twice", "warning", split="lists")
def labelled_image_among_the_unlabelled(root):
    (root / "images/train/0003.jpg").write_bytes((root / "images/train/0001.jpg").read_bytes())
    lists(root, ["0001"], ["0000", "0002", "0003"])
    return "one labelled and one not"
