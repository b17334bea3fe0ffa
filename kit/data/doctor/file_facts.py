"""Facts about single files of a data set, each read completely; the doctor derives its findings from them."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from kit.data.reading.decode import SIXTEEN_BIT, VALUES, orientation, read_image, read_mask
from kit.data.spec import FORBIDDEN, DatasetSpec, Masks
from kit.errors import KitError
from kit.types import IGNORE


class ImageFacts(NamedTuple):
    """Facts about an image that can be read."""

    size: tuple[int, int]  # (height, width) in pixels, upright
    deep: bool  # more than 8 bits per channel
    turned: bool  # turned upright by its EXIF orientation
    colour: tuple[int, ...] | None  # its RGB colour if all pixels have the same, else None
    digest: bytes  # of its upright 8-bit RGB pixels: the same in every lossless file format


class MaskFacts(NamedTuple):
    """Facts about a mask that can be read. C classes."""

    size: tuple[int, int]  # (height, width) in pixels
    pixels: np.ndarray  # int64 (C,): pixels of each class
    ignored: int  # ignored pixels
    raw: frozenset[int]  # values in the file; empty unless it is a plain grey picture
    lossy: bool  # saved as JPEG


class Trouble(NamedTuple):
    """Why a file cannot be used."""

    kind: str  # as in `kit.data.doctor.findings`
    message: str  # one line that names the file
    count: int  # pixels, or 1 for a file


def image_facts(path: Path) -> ImageFacts | Trouble:
    """Facts about an image, decoded completely, or why it cannot be used."""
    if trouble := _no_file(path):
        return trouble
    try:
        pixels = read_image(path)
        with Image.open(path) as picture:
            deep = picture.mode in SIXTEEN_BIT or any(";16" in str(tile[3]) for tile in picture.tile)
            turned = orientation(picture) != 1
    except (KitError, OSError) as error:
        return Trouble("unreadable", str(error), 1)
    height, width = pixels.shape[:2]
    first = pixels[0, 0]
    # In nearly every picture, a few pixels already differ.
    plain = bool((pixels[::16, ::16] == first).all() and (pixels == first).all())
    digest = hashlib.blake2b(f"{height} {width} ".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels))
    return ImageFacts((height, width), deep, turned, tuple(first.tolist()) if plain else None, digest.digest())


def mask_facts(path: Path, kind: Masks, kinds: tuple[Masks, ...], spec: DatasetSpec) -> MaskFacts | Trouble:
    """Facts about a mask, decoded completely as by `kit.data.reading.decode.read_mask`, or why it cannot be used."""
    if trouble := _no_file(path):
        return trouble
    size, values, lossy = _grey_values(path)
    by_class = _counted(values, kind) if values is not None else None
    if by_class is None or (len(kinds) > 1 and not by_class[: spec.num_classes].any()):
        try:
            mask = read_mask(path, kind, spec.colour_ids(), kinds)
        except KitError as error:
            return _refused(path, kind, kinds, str(error))
        size, by_class = mask.shape, np.bincount(mask.ravel(), minlength=256)
    raw = frozenset() if values is None else frozenset(values.nonzero()[0].tolist())
    return MaskFacts(size, by_class[: spec.num_classes], int(by_class[IGNORE]), raw, lossy)


def _no_file(path: Path) -> Trouble | None:
    """Why an entry of a folder cannot be read, checked before opening it: reading a pipe would block forever."""
    if os.path.islink(path) and not os.path.exists(path):
        return Trouble("unreadable", f"{path} is a link to {os.readlink(path)}, which does not exist", 1)
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        return Trouble("unreadable", f"{path} is not a regular file but a pipe, socket or device", 1)
    return None


def _grey_values(path: Path) -> tuple[tuple[int, int], np.ndarray | None, bool]:
    """(height, width), int64 (256,) pixels of each value, and whether it is a JPEG; values of plain grey masks only.

    A histogram suffices for most masks, and Pillow's own is several times faster than a table look-up.
    """
    try:
        with Image.open(path) as picture:
            values = np.array(picture.histogram()) if picture.mode == "L" else None
            size = picture.size if orientation(picture) >= 5 else picture.size[::-1]
            return size, values, picture.format == "JPEG"
    except Exception:  # a damaged file may raise anything; `read_mask` reports it in one line
        return (0, 0), None, False


def _counted(values: np.ndarray, kind: Masks) -> np.ndarray | None:
    """int64 (256,): pixels of each class id, or None if a value has no meaning."""
    counts = np.zeros(256, np.int64)
    np.add.at(counts, kind.lookup(), values)
    return None if counts[FORBIDDEN] else counts


def _refused(path: Path, kind: Masks, kinds: tuple[Masks, ...], message: str) -> Trouble:
    """The trouble with a mask that `read_mask` rejects with `message`."""
    try:
        with Image.open(path) as picture:
            picture.load()
            mode, pixels, lossy = picture.mode, np.asarray(picture), picture.format == "JPEG"
    except Exception:
        return Trouble("unreadable", message, 1)
    if mode in ("RGB", "RGBA"):
        return Trouble("colours", message, 1)
    if mode not in VALUES:
        return Trouble("mask mode", message, 1)
    values, counts = np.unique(pixels[..., 0] if mode == "LA" else pixels, return_counts=True)
    pixels_of = dict(zip(values.tolist(), counts.tolist(), strict=True))
    strange = {value: n for value, n in pixels_of.items() if value not in kind.raw_ids}
    meant = any(o.raw_ids != kind.raw_ids and set(pixels_of) <= set(o.raw_ids) for o in kinds)
    if strange:
        shown = ", ".join(f"{n} of value {value}" for value, n in list(strange.items())[:8])
        message += f"; pixels: {shown}{f', ... ({sum(strange.values())} in all)' if len(strange) > 8 else ''}"
    if lossy:
        message += "; JPEG changes values, save masks as PNG"
    return Trouble("mask kind" if meant else "label values", message, sum(strange.values()) or 1)
