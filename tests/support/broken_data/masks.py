"""Masks with wrong content."""

import numpy as np
from PIL import Image

from broken_data.case import broken
from broken_data.good import HEIGHT, WIDTH, label_of, lists, mask, save


@broken("cityscapes", "label values")
def value_without_a_class(root):
    pixels = np.array(mask(range(34)))
    pixels[0, :7] = 77
    save(Image.fromarray(pixels), label_of(root, 1))
    return "7 of value 77"


@broken("voc", "label values")
def index_without_a_class(root):
    save(mask([0, 21]), root / "SegmentationClass/2007_000004.png")
    return "2007_000004.png"


@broken("folder", "label values")
def mask_of_0_and_255_counted_as_values(root):
    save(mask([0, 128]), root / "labels/p2.png")
    return "of value 128"


@broken("folder", "label values")
def sixteen_bit_mask(root):
    save(Image.fromarray(np.full((HEIGHT, WIDTH), 1000, np.uint16)), root / "labels/p2.png")
    return "1000"


@broken("cityscapes", "mask kind")
def train_ids_named_ids(root):
    save(mask([*range(19), 255]), label_of(root, 1))
    return label_of(root, 1).name


@broken("cityscapes", "mask kind")
def train_ids_named_ids_throughout(root):
    for i in range(3):  # each may be a street with nothing but road
        save(mask(range(7, 19), i), label_of(root, i))
    return "labelTrainIds"


@broken("cityscapes", "mask kind")
def ids_named_train_ids(root):
    for i in range(3):
        label_of(root, i).unlink()
        save(mask(range(34), i), label_of(root, i, kind="labelTrainIds"))
    return "labelIds"


@broken("folder", "colours")
def colour_without_a_class(root):
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[3, 4] = (1, 160, 60)
    save(Image.fromarray(pixels), root / "labels/p2.png")
    return "(1, 160, 60)"


@broken("folder", "colours")
def three_equal_channels(root):
    save(mask([0, 1, 2]).convert("RGB"), root / "labels/p2.png")
    return "three equal channels"


@broken("folder", "mask mode")
def mask_of_floats(root):
    (root / "classes.yaml").write_text("classes: {a: [0, 0, 0], b: [1, 2, 3], c: [3, 4, 5]}\nmasks: labels/*\n")
    (root / "labels/p2.png").unlink()
    save(Image.fromarray(np.ones((HEIGHT, WIDTH), np.float32)), root / "labels/p2.tif")
    return "p2.tif"


@broken("folder", "label values")
def mask_saved_as_jpeg(root):
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[10:25, 7:40] = 2
    pixels[30:, :30] = 255
    save(Image.fromarray(pixels), root / "labels/p2.png", format="JPEG", quality=70)
    return "save masks as PNG"


@broken("folder", "lossy mask", "warning")
def jpeg_that_happens_to_be_right(root):
    save(Image.fromarray(np.ones((HEIGHT, WIDTH), np.uint8)), root / "labels/p2.png", format="JPEG", quality=100)
    return "p2.png"


@broken("camvid", "nothing labelled", "warning")
def everything_ignored(root):
    save(mask([255]), root / "labels/train/0002.png")
    return "0002.png"


@broken("camvid", "class absent", "warning")
def class_that_never_occurs(root):
    for path in (root / "labels/train").iterdir():
        save(mask(range(10)), path)
    return "bicyclist"


@broken("camvid", "class not labelled", "warning", split="lists")
def class_without_labels(root):
    save(mask(range(9)), root / "labels/train/0000.png")
    lists(root, ["0000"], ["0001", "0002", "0003"])
    return "pedestrian, bicyclist"
