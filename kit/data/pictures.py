"""Picture files: found in folders, and made of arrays."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from kit.data.reading.decode import SUFFIXES
from kit.errors import KitError
from kit.system.storage import content_of


def pictures_in(place: Path) -> list[tuple[str, Path]]:
    """(name, file) of one picture, or of all below a folder, sorted; names include folders if two stems are equal.
    Hidden files, and files in hidden folders such as .ipynb_checkpoints, are left out.

    Raises: KitError if there is none.
    """
    if place.is_file():
        return [(place.stem, place)]
    files = visible(place.rglob("*"), place)
    if not files:
        raise KitError(f"no pictures in {place}; name a picture or a folder of them")
    stems = [path.stem for path in files]
    if len(set(stems)) == len(stems):
        return list(zip(stems, files, strict=True))
    return [("_".join(path.relative_to(place).with_suffix("").parts), path) for path in files]


def visible(paths: Iterable[Path], base: Path) -> list[Path]:
    """The paths below `base` that have a picture's suffix, sorted, without hidden files and those in hidden folders."""
    pictures = {path for path in paths if path.suffix.lower() in SUFFIXES}
    return sorted(path for path in pictures if not any(part[0] == "." for part in path.relative_to(base).parts))


def as_palette(mask: np.ndarray, palette: list) -> Image.Image:
    """A picture of mode "P": class ids (H, W) as its values, their colours as its palette, and IGNORE black."""
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(palette)] = palette
    picture = Image.fromarray(np.ascontiguousarray(mask, np.uint8)).convert("L")
    picture.putpalette(colours.tobytes())  # makes it "P"
    return picture


def png_bytes(picture: Image.Image) -> bytes:
    """A picture as the content of a PNG file."""
    return content_of(lambda file: picture.save(file, "PNG"))
