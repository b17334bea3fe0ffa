"""Formats of annotation tools: name -> how masks are written and exports are read.

A reader yields one drawing per image, a list of shapes. `kit.label.formats.shapes.paint` turns drawings into masks, so
that regions of all formats are checked in one place.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kit.data.spec import DatasetSpec
from kit.errors import KitError, one_line, unknown
from kit.label.formats import coco, cvat, labelme, labelstudio, png
from kit.label.formats.archive import Export
from kit.label.formats.shapes import Drawing, Item, Written


class Format(NamedTuple):
    """One format."""

    write: Callable[[Sequence[Item], Path, Written], list[Path]]
    read: Callable[..., Iterator[Drawing]]
    polygons: bool | None  # whether polygons are the default; None: the format has none


FORMATS = {
    "cvat": Format(cvat.write, cvat.read, True),
    "labelstudio": Format(labelstudio.write, labelstudio.read, False),
    "labelme": Format(labelme.write, labelme.read, True),
    "coco": Format(coco.write, coco.read, False),
    "png": Format(png.write, png.read, None),
}


def read_export(export: Export, spec: DatasetSpec, form: str = "") -> list[Drawing]:
    """The drawings of an export that have any shape.

    Args:
        export: from `kit.label.formats.archive.open_export`.
        spec: of the data set; its classes and colours are used to read PNG masks.
        form: a key of FORMATS; "" detects it from the files.
    Raises: KitError for an unknown format, or as its reader does.
    """
    form = form or recognise(export)
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    own = (spec.classes, spec.palette) if form == "png" else ()
    try:
        return [drawing for drawing in FORMATS[form].read(export, *own) if drawing.shapes]
    except KitError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # a value of a wrong kind
        raise KitError(f"{export.path} is not as {form} writes it: {one_line(error)}") from error


def recognise(export: Export) -> str:
    """The key of FORMATS that the files of an export belong to. Raises KitError if they belong to none."""
    if any(b"<annotations" in export.files[name]()[:4096] for name in export.named(".xml")):
        return "cvat"
    for name in export.named(".json"):
        found = _kind_of_json(export.files[name]())
        if found:
            return found
    if export.named(".png"):
        return "png"
    held = ", ".join(list(export.files)[:3])
    raise KitError(f"{export.path} is not an export of a known format (it holds {held}); name it with --format, one of "
                   f"{', '.join(FORMATS)}")  # fmt: skip


def _kind_of_json(content: bytes) -> str:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    if isinstance(found, list) and all(isinstance(each, dict) and "data" in each for each in found):
        return "labelstudio"
    if isinstance(found, dict):
        return "labelme" if "shapes" in found else "coco" if "images" in found else ""
    return ""
