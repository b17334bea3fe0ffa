"""PNG masks: write class ids with the classes' colours as palette, read ids or colours.

CVAT's "Segmentation mask 1.1" is read too: it names its colours in `labelmap.txt` and keeps its masks in
SegmentationClass. Files in other folders of such an archive (SegmentationObject) are not read.
"""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from kit.data.pictures import as_palette, png_bytes
from kit.errors import KitError
from kit.label.formats.archive import Export
from kit.label.formats.shapes import Drawing, Item, Shape, Written, bitmaps
from kit.system.storage import write_bytes
from kit.types import IGNORE

MAP, FOLDER, LIST = "labelmap.txt", "SegmentationClass", "ImageSets/Segmentation/default.txt"
"""Names in archives of CVAT and Pascal VOC. CVAT takes a folder without a list of its images for another format."""

BLACK = (0, 0, 0)
"""Colour of void pixels in written masks."""

BACKGROUND = "background"
"""CVAT's label for pixels that no region covers; they become no shape unless a class has this name."""


def write(items: Sequence[Item], out: Path, how: Written) -> list[Path]:
    """Write SegmentationClass/NAME.png for each image, labelmap.txt with names and colours, and the list of images."""
    for folder in (out / FOLDER, (out / LIST).parent):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for item in items:
        paths.append(out / FOLDER / f"{item.file.stem}.png")
        write_bytes(paths[-1], png_bytes(as_palette(item.mask, list(how.palette))))
    colours = dict(zip(how.classes, map(tuple, how.palette), strict=True))
    if BACKGROUND not in colours and BLACK not in colours.values():
        colours = {BACKGROUND: BLACK, **colours}  # readers of Pascal VOC refuse colours without a name
    lines = [f"{name}:{','.join(map(str, colour))}::" for name, colour in colours.items()]
    write_bytes(out / MAP, "\n".join(["# label:color_rgb:parts:actions", *lines, ""]).encode())
    write_bytes(out / LIST, "".join(f"{item.file.stem}\n" for item in items).encode())
    return [*paths, out / MAP, out / LIST]


def read(export: Export, classes: Sequence[str], palette: Sequence[Sequence[int]]) -> Iterator[Drawing]:
    """A drawing for each PNG file.

    Args:
        classes, palette: names and colours of the data set, for files without labelmap.txt and for files of ids.
    Raises: KitError for a file that is no picture, or for a value or colour without a class.
    """
    maps = [name for name in export.named(".txt") if PurePosixPath(name).name == MAP]
    colours = _colours(export, maps[0]) if maps else dict(zip(map(tuple, palette), classes, strict=True))
    names = export.named(".png")
    within = [name for name in names if FOLDER in PurePosixPath(name).parts]
    yield from (_drawing(export, name, colours, tuple(classes)) for name in within or names)


def _colours(export: Export, name: str) -> dict[tuple[int, ...], str]:
    colours = {}
    for line in export.files[name]().decode("utf-8-sig", errors="replace").splitlines():
        label, _, rest = line.partition(":")
        if label.strip() and not line.startswith("#"):
            values = rest.partition(":")[0].split(",")
            if len(values) != 3 or not all(value.strip().isdigit() for value in values):
                raise KitError(f"{export.where(name)}: {line!r} is not label:red,green,blue::")
            colours[tuple(map(int, values))] = label.strip()
    return colours


def _drawing(export: Export, name: str, colours: dict, classes: tuple[str, ...]) -> Drawing:
    where = export.where(name)
    try:
        with Image.open(io.BytesIO(export.files[name]())) as picture:
            if picture.mode in ("LA", "PA"):  # ids with an opacity, which says nothing
                picture = picture.convert(picture.mode[0])
            by_colour = picture.mode not in ("L", "P", "1", "I;16") or not _ids(picture, colours, classes)
            values = np.asarray(picture.convert("RGB") if by_colour else picture)
    except (OSError, Image.DecompressionBombError, SyntaxError) as error:
        raise KitError(f"{where} is not a picture that can be read: {error}") from error
    shapes = _by_colour(values, colours, classes, where) if by_colour else _by_id(values, classes, where)
    return Drawing(PurePosixPath(name).name, values.shape[:2], shapes)


def _ids(picture: Image.Image, colours: dict, classes: tuple[str, ...]) -> bool:
    """Whether the values are class ids: always without a palette; with one, only if each value that occurs has the
    colour of its class, because some programs number colours in the order in which they occur."""
    if picture.mode != "P":
        return True
    palette = np.array(picture.getpalette("RGB") or [], np.int64).reshape(-1, 3)
    named = {label: colour for colour, label in colours.items()}
    used = [value for value in np.unique(np.asarray(picture)).tolist() if value != IGNORE]
    return all(
        value < min(len(classes), len(palette)) and named.get(classes[value]) == tuple(palette[value].tolist())
        for value in used
    )


def _by_id(values: np.ndarray, classes: tuple[str, ...], where: str) -> list[Shape]:
    strange = sorted(set(np.unique(values).tolist()) - {*range(len(classes)), IGNORE})
    if strange:
        raise KitError(f"{where} holds the value {strange[0]}; the data set has classes 0 to {len(classes) - 1}, and "
                       f"{IGNORE} for ignored pixels")  # fmt: skip
    return bitmaps(values, dict(enumerate(classes)))


def _by_colour(values: np.ndarray, colours: dict, classes: tuple[str, ...], where: str) -> list[Shape]:
    packed = values.astype(np.int64) @ (65536, 256, 1)
    known = {(r << 16) + (g << 8) + b: label for (r, g, b), label in colours.items()}
    void = {0} | {value for value, label in known.items() if label.lower() == BACKGROUND and label not in classes}
    strange = sorted(set(np.unique(packed).tolist()) - known.keys() - void)
    if strange:
        red, green, blue = strange[0] >> 16, strange[0] >> 8 & 255, strange[0] & 255
        raise KitError(f"{where} holds the colour {red}, {green}, {blue}, which stands for no class")
    return bitmaps(packed, {value: label for value, label in known.items() if value not in void or label in classes})
