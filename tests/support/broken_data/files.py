"""Files that cannot be read."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from broken_data.case import broken
from broken_data.good import HEIGHT, WIDTH, image_of, label_of, save


def cut(path: Path, share: float) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path.name


@broken("cityscapes", "unreadable")
def image_cut_in_half(root):
    return cut(image_of(root, 0), 0.5)


@broken("camvid", "unreadable")
def photograph_cut_at_the_end(root):
    return cut(root / "images/val/0004.jpg", 0.97)


@broken("cityscapes", "unreadable")
def mask_cut_in_half(root):
    return cut(label_of(root, 2), 0.5)


@broken("camvid", "unreadable")
def empty_image(root):
    return cut(root / "images/train/0000.jpg", 0)


@broken("voc", "unreadable")
def empty_mask(root):
    return cut(root / "SegmentationClass/2007_000002.png", 0)


@broken("camvid", "unreadable")
def web_page_called_jpg(root):
    (root / "images/train/0000.jpg").write_text("<html>404</html>")
    return "0000.jpg"


@broken("cityscapes", "unreadable")
def damaged_pixels(root):
    path = image_of(root, 0)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    path.write_bytes(content)
    return path.name


@broken("camvid", "unreadable")
def folder_called_like_a_picture(root):
    (root / "images/train/0009.jpg").mkdir()
    return "0009.jpg"


@broken("camvid", "unreadable")
def link_to_nowhere(root):
    (root / "images/train/0009.jpg").symlink_to("../gone.jpg")
    return "../gone.jpg"


@broken("camvid", "unreadable")
def pipe(root):
    os.mkfifo(root / "labels/train/0000.tmp")
    (root / "labels/train/0000.tmp").replace(root / "labels/train/0000.png")
    return "labels/train/0000.png"


@broken("folder", "unreadable")
def picture_beyond_all_bounds(root):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (root / "images/p6.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    return "p6.png"


@broken("folder", "unreadable")
def image_of_floats(root):
    save(Image.fromarray(np.ones((HEIGHT, WIDTH), np.float32)), root / "images/q.tif")
    return "q.tif"
