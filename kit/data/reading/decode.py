"""Decoding of picture files to arrays. A file that cannot be read is a KitError that names it."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from kit.data.spec import FORBIDDEN, Colour, Masks
from kit.errors import KitError
from kit.types import IGNORE

try:
    import imagecodecs
except ImportError:  # optional; without it Pillow reads everything, PNG photographs at half the speed
    imagecodecs = None

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".gif"})
"""Suffixes of picture files."""

Box = tuple[int, int, int, int]
"""(top, left, height, width) in pixels of the upright picture."""

ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""Value of EXIF's orientation -> the operation that turns the picture upright."""

SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes of pictures with more than 8 bits per channel."""

VALUES = ("1", "L", "LA", "P", *SIXTEEN_BIT)
"""Pillow's modes of masks that hold a number per pixel."""


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of the upright picture, from the header of the file."""
    with _opened(path) as picture:
        width, height = picture.size
        return (width, height) if orientation(picture) >= 5 else (height, width)


def read_image(path: Path, box: Box | None = None) -> np.ndarray:
    """uint8 (H, W, 3), RGB, turned upright by its EXIF orientation; with `box` only that part, decoding little more.

    Grey, palette and CMYK pictures are converted to RGB, transparency is dropped, and 16 bits are cut to the upper 8.
    Raises: KitError if the file is missing, damaged, or of a format (32-bit floats) without a natural 8-bit form.
    """
    pixels = _read_png(path, box) if imagecodecs else None
    if pixels is not None:
        return pixels
    picture = _loaded(path, box)
    if box and picture.mode == "I":  # whether it holds more than 8 bits shows only in the whole picture
        return cut(read_image(path), box).copy()
    return rgb(picture, path)


def rgb(picture: Image.Image, called: str | Path) -> np.ndarray:
    """uint8 (H, W, 3) of a decoded picture, as `read_image` gives it; `called` is its name in the error message."""
    if picture.mode in SIXTEEN_BIT:
        grey = np.asarray(picture).astype(np.int64)
        grey = (grey >> 8 if picture.mode != "I" or grey.max() > 255 else grey).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.mode == "F":
        raise KitError(f"{called} holds 32-bit floats; save it with 8 bits per channel")
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def read_mask(path: Path, kind: Masks, colours: dict[Colour, int], kinds: tuple[Masks, ...] = (),
              box: Box | None = None) -> np.ndarray:  # fmt: skip
    """Class ids and IGNORE, uint8 (H, W), of a mask that holds class numbers or is drawn in the data set's colours.

    A palette is ignored, unless each of its entries is a colour of the data set. Then the colours define the classes,
    because programs that write such files number the colours in any order.

    Args:
        kind: the meaning of the values.
        colours: colour -> class id or IGNORE.
        kinds: all kinds of masks of the data set, for a better message if a file's name and content disagree.
        box: only this part is decoded, or little more, and only this part is checked.
    Raises: KitError naming the file and the values or colours that have no meaning.
    """
    picture = _loaded(path, box)
    if picture.mode in ("RGB", "RGBA"):
        return _ids_of_colours(path, np.asarray(picture)[..., :3], colours)
    if picture.mode not in VALUES:
        raise KitError(f"{path} is a picture of mode {picture.mode}; masks hold one class number or colour per pixel")
    raw = np.asarray(picture)
    raw = raw[..., 0] if picture.mode == "LA" else raw
    if raw.dtype != np.uint8:
        strange = np.unique(raw[(raw < 0) | (raw > 255)])
        if strange.size:
            raise KitError(f"{path} holds label values {_some(strange.tolist())}, outside 0 to 255")
        raw = raw.astype(np.uint8)
    by_colour = _palette_ids(picture, colours) if picture.mode == "P" else None
    meaning = replace(kind, raw_ids=by_colour) if by_colour else kind
    mask = meaning.lookup()[raw]
    if (mask == FORBIDDEN).any():
        strange = np.unique(raw[mask == FORBIDDEN]).tolist()
        who = f"masks named {kind.kind!r} do" if kind.kind else "this data set does"
        meant, ignorable = _meant(raw, kind, kinds), ""
        if kind.ignore and len(strange) <= 8:  # more such values are probably not class numbers
            ignorable = (
                f"; name their classes in {kind.ignore}, or add `ignore: {strange}` to it if these pixels do not count"
            )
        raise KitError(f"{path} holds label values {_some(strange)}, which {who} not have{meant}{ignorable}")
    if not box and len(kinds) > 1 and (mask == IGNORE).all() and (meant := _meant(raw, kind, kinds)):
        raise KitError(f"{path} holds only ignored pixels{meant}")
    return mask


def cut(pixels, box: Box):
    """The box of an array or tensor (H, W) or (H, W, 3), without a copy."""
    top, left, height, width = box
    return pixels[top : top + height, left : left + width]


def orientation(picture: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 if there is none. In a PNG only data before the pixels is read.

    It is 1 for every TIFF, because Pillow turns them itself: their size when it opens them, their pixels as they load.
    """
    if picture.format == "TIFF" or (picture.format == "PNG" and "exif" not in picture.info):
        return 1  # in such a PNG, Pillow would decode the whole picture to search for EXIF behind it
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF raises errors of any kind; the pixels may be fine
        return 1
    return value if value in TURNS else 1


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError as error:
        raise KitError(f"no file {path}") from error
    except Exception as error:  # Pillow's readers raise exceptions of any kind
        raise _unreadable(path, error) from error


def _loaded(path: Path, box: Box | None) -> Image.Image:
    """The decoded picture, upright, cut to `box`."""
    with _opened(path) as picture:
        turn = TURNS.get(orientation(picture))
        try:
            if box and not turn and picture.format == "PNG" and not picture.info.get("interlace"):
                above = (0, 0, picture.width, box[0] + box[2])  # nothing below the box is decoded
                picture.tile = [(tile[0], above, *tile[2:]) for tile in picture.tile]
            picture.load()
        except Exception as error:
            raise _unreadable(path, error) from error
        if turn is not None:
            picture = picture.transpose(turn)
        if box:
            top, left, height, width = box
            return picture.crop((left, top, left + width, top + height))
        return picture


def _read_png(path: Path, box: Box | None) -> np.ndarray | None:
    """Pixels of an upright 8-bit RGB PNG, faster than with Pillow; None if Pillow is faster or reports the error.

    imagecodecs decodes twice as fast but cannot stop half-way, so boxes in the upper half are left to Pillow.
    """
    with _opened(path) as picture:
        upper = box and 2 * (box[0] + box[2]) < picture.height
        if upper or (picture.format, picture.mode) != ("PNG", "RGB") or orientation(picture) != 1:
            return None
    try:
        pixels = imagecodecs.png_decode(Path(path).read_bytes())
    except Exception:  # a damaged file raises errors of any kind
        return None
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:  # 16 bits, or a transparent colour
        return None
    return cut(pixels, box).copy() if box else pixels  # a copy frees the rest


def _unreadable(path: Path, error: Exception) -> KitError:
    if Path(path).is_dir():
        return KitError(f"{path} is a folder, not a picture")
    if Path(path).is_file() and not os.path.getsize(path):
        return KitError(f"{path} cannot be read: the file is empty")
    if isinstance(error, UnidentifiedImageError):
        return KitError(f"{path} cannot be read: it is no picture, or of an unknown format")
    reason = str(error).replace(repr(str(path)), "it").replace(str(path), "it")
    return KitError(f"{path} cannot be read: {reason or type(error).__name__}")


def _ids_of_colours(path: Path, pixels: np.ndarray, colours: dict[Colour, int]) -> np.ndarray:
    known = np.array([_code(np.array(c)) for c in colours])
    order = known.argsort()
    ids, known = np.array(list(colours.values()), np.uint8)[order], known[order]
    codes = _code(pixels)
    at = known.searchsorted(codes).clip(max=len(known) - 1)
    strange = known[at] != codes
    if strange.any():
        found = pixels[strange]
        if (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all():
            raise KitError(f"{path} holds three equal channels; if they are class numbers, save one channel")
        lossy = "; JPEG changes colours, save masks as PNG" if Path(path).suffix.lower() in (".jpg", ".jpeg") else ""
        colour = tuple(int(v) for v in found[0])
        raise KitError(f"{path} holds {len(found)} pixels of colours without a class, such as {colour}{lossy}")
    return ids[at]


def _code(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.int32) @ np.array([65536, 256, 1], np.int32)


def _palette_ids(picture: Image.Image, colours: dict[Colour, int]) -> dict[int, int] | None:
    """Index -> class id, or None if the palette does not define the classes."""
    flat = picture.getpalette("RGB") or []
    entries = [tuple(flat[i : i + 3]) for i in range(0, len(flat), 3)]
    known = len(entries) >= 2 and all(entry in colours for entry in entries)
    return {index: colours[entry] for index, entry in enumerate(entries)} if known else None


def _meant(raw: np.ndarray, kind: Masks, kinds: tuple[Masks, ...]) -> str:
    """A phrase for messages that names another kind of mask to which the values belong; empty if there is none."""
    values = set(np.unique(raw).tolist())
    for other in kinds:
        if other.raw_ids != kind.raw_ids and values <= set(other.raw_ids) and values - {255}:
            return f"; its values are those of {other.kind!r}, so name and content disagree"
    return ""


def _some(values: list) -> str:
    return str(values) if len(values) <= 8 else f"[{', '.join(map(str, values[:8]))}, ...] ({len(values)} of them)"
