"""Images without masks and masks without images."""

import numpy as np

from broken_data.case import broken
from broken_data.good import image_of, label_of, photograph, save


@broken("camvid", "image without mask")
def val_image_without_mask(root):
    (root / "labels/val/0005.png").unlink()
    return "0005"


@broken("camvid", "image without mask", "note")
def train_image_without_mask(root):
    (root / "labels/train/0002.png").unlink()
    return "0002"


@broken("camvid", "no masks")
def no_masks_at_all(root):
    for path in (root / "labels/train").iterdir():
        path.unlink()
    return "labels/train/*.png"


@broken("cityscapes", "mask without image")
def mask_without_image(root):
    image_of(root, 1).unlink()
    return label_of(root, 1).name


@broken("folder", "mask without image")
def mask_of_another_name(root):
    (root / "labels/p1.png").rename(root / "labels/p1_mask.png")
    return "p1_mask.png"


@broken("folder", "same id")
def two_images_of_one_id(root):
    save(photograph(50), root / "images/p1.jpg")
    return "p1.jpg"


@broken("folder", "not an image", "warning")
def file_that_no_decoder_takes(root):
    (root / "images/p9.heic").write_bytes(b"ftypheic")
    return "p9.heic"


@broken("camvid", "not an image", "warning")
def text_among_images(root):
    (root / "images/train/notes.txt").write_text("sunny")
    return "notes.txt"


@broken("camvid", "capital letters", "warning")
def image_with_a_capital_suffix(root):
    (root / "images/train/0001.jpg").rename(root / "images/train/0001.JPG")
    return "0001.JPG"


@broken("cityscapes", "capital letters", "warning")
def mask_with_a_capital_suffix(root):
    label_of(root, 1).rename(label_of(root, 1).with_suffix(".PNG"))
    return "labelIds.PNG"


@broken("folder", "not a mask", "warning")
def mask_as_array(root):
    np.save(root / "labels/p7.npy", np.zeros((2, 2), np.uint8))
    return "p7.npy"
