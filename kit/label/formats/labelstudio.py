"""Label Studio: a JSON list of tasks with brush masks (RLE) or polygons; write predictions, read annotations.

Import `tasks.json` into a project whose labelling interface is `interface.xml`. Label Studio looks for the images in
its local storage, `/data/local-files/?d=FILE`; for another place, change the URLs in `tasks.json`.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlparse

import numpy as np

from kit.errors import KitError
from kit.label.formats.archive import Export, json_files
from kit.label.formats.rlepack import pack, unpack
from kit.label.formats.shapes import Bitmap, Drawing, Item, Polygon, Shape, Written, numbers, regions
from kit.system.storage import write_bytes

IMAGES = "/data/local-files/?d="
"""Prefix of an image's URL; its file name is appended."""


def write(items: Sequence[Item], out: Path, how: Written) -> list[Path]:
    """Write tasks.json and interface.xml."""
    tasks = []
    for item in items:
        height, width = item.mask.shape
        about = {"from_name": "label", "to_name": "image", "original_width": width, "original_height": height,
                 "image_rotation": 0}  # fmt: skip
        results = [{"id": f"{item.name}-{number}", **about, **_written(region, item.mask.shape)}
                   for number, region in enumerate(regions(item, how))]  # fmt: skip
        prediction = {"model_version": "student", "result": results}
        tasks.append({"data": {"image": IMAGES + quote(item.file.name)}, "predictions": [prediction]})
    write_bytes(out / "tasks.json", (json.dumps(tasks) + "\n").encode())
    write_bytes(out / "interface.xml", _interface(how))
    return [out / "tasks.json", out / "interface.xml"]


def read(export: Export) -> Iterator[Drawing]:
    """A drawing for each annotated task; of several annotations of a task, the one that was changed last.

    Predictions are not labels and are not read. Raises KitError for a file that is not an export.
    """
    for _, where, tasks in json_files(export):
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise KitError(f"{where} is not a list of Label Studio's tasks; export as JSON, not JSON-MIN")
        for task in tasks:
            file = image_file(task, where)
            done = [a for a in task.get("annotations") or [] if isinstance(a, dict) and not a.get("was_cancelled")]
            last = max(done, key=lambda each: str(each.get("updated_at") or ""), default={})
            regions = [each for each in last.get("result") or [] if str(each.get("type", "")).endswith("labels")]
            if regions:
                sizes = {_size(each, file) for each in regions}
                if len(sizes) > 1:
                    raise KitError(f"{file}: its regions belong to images of different sizes, {sorted(sizes)}")
                yield Drawing(file, sizes.pop(), [_shape(each, file) for each in regions])


def image_file(task: dict, where: str) -> str:
    """File name of a task's image, without the eight characters that Label Studio puts before uploaded files."""
    data = task.get("data") if isinstance(task.get("data"), dict) else {}
    source = data.get("image") or next((value for value in data.values() if isinstance(value, str)), None)
    if not isinstance(source, str):
        raise KitError(f"{where}: task {task.get('id')} names no image")
    url = urlparse(source)
    inside = parse_qs(url.query).get("d", [""])[0] or unquote(url.path)
    file = inside.rpartition("/")[2]
    head, dash, rest = file.partition("-")
    uploaded = "/upload/" in url.path and dash and len(head) == 8 and rest
    return rest if uploaded else file


def _written(region: Shape, size: tuple[int, int]) -> dict:
    if isinstance(region, Polygon):
        percent = np.round(region.points * (100 / size[1], 100 / size[0]), 4).tolist()
        kind, value = "polygonlabels", {"points": percent, "closed": True}
    else:
        kind, value = "brushlabels", {"format": "rle", "rle": pack(region.on(size))}
    return {"type": kind, "value": {**value, kind: [region.label]}}


def _shape(region: dict, file: str) -> Shape:
    value, kind = region.get("value"), region["type"]
    labels = value.get(kind) if isinstance(value, dict) else None
    if not isinstance(labels, list) or len(labels) != 1:
        raise KitError(f"{file}: a region of type {kind} has {len(labels or [])} labels; give each region one")
    label, (height, width), where = str(labels[0]), _size(region, file), f"{file}: {kind} {labels[0]!r}"
    if kind == "brushlabels":
        return Bitmap(label, unpack(value.get("rle"), (height, width), where))
    if kind == "polygonlabels":
        points = value.get("points") or []
        if not all(isinstance(point, (list, tuple)) and len(point) == 2 for point in points):
            raise KitError(f"{where}: its points are not pairs of numbers")
        pairs = [numbers(point, where) for point in points]
        return Polygon(label, np.array(pairs).reshape(-1, 2) * (width / 100, height / 100))
    if kind == "rectanglelabels" and not value.get("rotation"):
        x, y, w, h = numbers((value.get(key) for key in ("x", "y", "width", "height")), where)
        corners = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
        return Polygon(label, corners * (width / 100, height / 100))
    raise KitError(f"{where} is not a region that can be read; draw with the brush, polygons, or upright rectangles")


def _size(region: dict, file: str) -> tuple[int, int]:
    height, width = numbers((region.get("original_height"), region.get("original_width")), f"size of {file}", int)
    return height, width


def _interface(how: Written) -> bytes:
    view = ET.Element("View")
    ET.SubElement(view, "Image", name="image", value="$image", zoom="true")
    kind = "PolygonLabels" if how.polygons else "BrushLabels"
    labels = ET.SubElement(view, kind, name="label", toName="image")
    for name, colour in zip(how.classes, how.palette, strict=True):
        ET.SubElement(labels, "Label", value=name, background="#{:02x}{:02x}{:02x}".format(*colour))
    ET.indent(view)
    return ET.tostring(view, encoding="utf-8")
