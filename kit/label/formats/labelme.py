"""labelme: a JSON file per image, beside it or in a folder of its own, with polygons or bitmaps.

labelme opens a folder of images with `labelme IMAGES --output FOLDER --labels FOLDER/labels.txt`.
"""

import base64
import io
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kit.data.pictures import png_bytes
from kit.errors import KitError
from kit.label.formats.archive import Export, json_files
from kit.label.formats.shapes import Bitmap, Drawing, Item, Polygon, Shape, Written, numbers, regions
from kit.system.storage import write_bytes, write_json

VERSION = "5.4.1"
"""Version of labelme whose file format is written; later versions read it too."""

ROUND = 32
"""Corners of the polygon that replaces a circle."""


def write(items: Sequence[Item], out: Path, how: Written) -> list[Path]:
    """Write NAME.json for each image, and labels.txt."""
    paths = []
    for item in items:
        height, width = item.mask.shape
        shapes = [_written(region) for region in regions(item, how)]
        path = out / f"{item.file.stem}.json"
        write_json(path, {"version": VERSION, "flags": {}, "shapes": shapes, "imagePath": _relative(item.file, out),
                          "imageData": None, "imageHeight": height, "imageWidth": width})  # fmt: skip
        paths.append(path)
    write_bytes(out / "labels.txt", "".join(f"{name}\n" for name in how.classes).encode())
    return [*paths, out / "labels.txt"]


def read(export: Export) -> Iterator[Drawing]:
    """A drawing for each image. Raises KitError for a file that is not labelme's."""
    for name, where, content in json_files(export):
        if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
            raise KitError(f'{where} is not a labelme file: it has no list of "shapes"')
        file = str(content.get("imagePath") or "").replace("\\", "/").rpartition("/")[2] or Path(name).stem
        size = content.get("imageHeight"), content.get("imageWidth")
        size = tuple(numbers(size, f"size of {file}", int)) if None not in size else None
        yield Drawing(file, size, [_shape(each, file) for each in content["shapes"]])


def _written(region: Shape) -> dict:
    kind, mask = "polygon", None
    if isinstance(region, Polygon):
        points = np.round(region.points, 2).tolist()
    else:
        height, width = region.mask.shape
        points = [[region.left, region.top], [region.left + width - 1, region.top + height - 1]]
        picture = Image.fromarray(region.mask.astype(np.uint8) * 255).convert("1")
        kind, mask = "mask", base64.b64encode(png_bytes(picture)).decode()
    return {"label": region.label, "points": points, "group_id": None, "description": "", "shape_type": kind,
            "flags": {}, "mask": mask}  # fmt: skip


def _shape(shape: dict, file: str) -> Shape:
    if not isinstance(shape, dict) or not isinstance(shape.get("points"), list):
        raise KitError(f"{file}: a shape has no points")
    label, kind = str(shape.get("label")), shape.get("shape_type") or "polygon"
    where = f"{file}: {kind} of {label!r}"
    try:
        points = np.array(shape["points"], np.float64)
    except (TypeError, ValueError) as error:
        raise KitError(f"{where}: its points are not pairs of numbers") from error
    if kind == "polygon":
        return Polygon(label, points)
    if points.shape != (2, 2) or kind not in ("rectangle", "circle", "mask"):
        raise KitError(f"{where} is not a region; draw polygons, rectangles, circles or masks")
    (x0, y0), (x1, y1) = points
    if kind == "rectangle":
        return Polygon(label, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
    if kind == "circle":
        turn = np.linspace(0, 2 * math.pi, ROUND, endpoint=False)
        around = math.hypot(x1 - x0, y1 - y0) * np.stack([np.cos(turn), np.sin(turn)], 1)
        return Polygon(label, np.array([(x0, y0)]) + around)
    size = round(y1 - y0) + 1, round(x1 - x0) + 1
    return Bitmap(label, _bitmap(shape.get("mask"), where, size), round(y0), round(x0))


def _bitmap(coded: object, where: str, size: tuple[int, int]) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(base64.b64decode(coded, validate=True))) as picture:
            if picture.size[::-1] != size:
                raise KitError(f"{where}: the bitmap is {picture.size[1]} x {picture.size[0]}, its box "
                               f"{size[0]} x {size[1]} (height x width)")  # fmt: skip
            return np.asarray(picture.convert("L")) > 0
    except KitError:
        raise
    except (TypeError, ValueError, OSError) as error:
        raise KitError(f"{where}: the bitmap cannot be read: {error}") from error


def _relative(file: Path, out: Path) -> str:
    """Path of the image from the JSON file's folder, as labelme expects it."""
    try:
        return Path(os.path.relpath(file.resolve(), out.resolve())).as_posix()
    except ValueError:  # another drive
        return file.resolve().as_posix()
