"""CVAT for images 1.1: one XML file with polygons or run-length coded masks.

CVAT imports `annotations.xml` by "Upload annotations" into a task with these images and labels; `labels.json` holds the
labels with their colours, for the "Raw" tab of a new task.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kit.errors import KitError
from kit.label.formats.archive import Export, parse_xml
from kit.label.formats.runs import from_runs, to_runs
from kit.label.formats.shapes import Bitmap, Drawing, Item, Polygon, Shape, Written, numbers, regions
from kit.system.storage import write_bytes, write_json


def write(items: Sequence[Item], out: Path, how: Written) -> list[Path]:
    """Write annotations.xml and labels.json."""
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    labels = [{"name": name, "color": "#{:02x}{:02x}{:02x}".format(*colour)}
              for name, colour in zip(how.classes, how.palette, strict=True)]  # fmt: skip
    listed = ET.SubElement(ET.SubElement(ET.SubElement(root, "meta"), "task"), "labels")
    for label in labels:
        entry = ET.SubElement(listed, "label")
        for key, value in label.items():
            ET.SubElement(entry, key).text = value
    for number, item in enumerate(items):
        height, width = map(str, item.mask.shape)
        image = ET.SubElement(root, "image", id=str(number), name=item.file.name, width=width, height=height)
        common = {"source": "auto", "occluded": "0", "z_order": "0"}
        for region in regions(item, how):
            if isinstance(region, Polygon):
                corners = ";".join(f"{x:.2f},{y:.2f}" for x, y in region.points)
                ET.SubElement(image, "polygon", label=region.label, points=corners, **common)
            else:
                box = dict(zip(("height", "width"), map(str, region.mask.shape), strict=True))
                ET.SubElement(image, "mask", label=region.label, rle=", ".join(map(str, to_runs(region.mask))),
                              left=str(region.left), top=str(region.top), **box, **common)  # fmt: skip
    ET.indent(root)
    write_bytes(out / "annotations.xml", ET.tostring(root, encoding="utf-8", xml_declaration=True))
    write_json(out / "labels.json", [{**label, "attributes": []} for label in labels])
    return [out / "annotations.xml", out / "labels.json"]


def read(export: Export) -> Iterator[Drawing]:
    """A drawing for each image. Raises KitError for a file that is not "CVAT for images"."""
    for name in export.named(".xml"):
        root = parse_xml(export.files[name](), export.where(name))
        if root.tag != "annotations" or root.find("track") is not None:
            raise KitError(f'{export.where(name)} is not "CVAT for images 1.1"; export the task in that format')
        for image in root.iter("image"):
            file = image.get("name", "")
            width, height = numbers((image.get("width"), image.get("height")), f"size of {file}", int)
            yield Drawing(file, (height, width), [_shape(each, file) for each in image if each.tag != "tag"])


def _shape(node: ET.Element, file: str) -> Shape:
    label, where = node.get("label", ""), f"{file}: {node.tag} of {node.get('label')!r}"
    order = numbers([node.get("z_order") or 0], where, int)[0]
    if node.tag == "polygon":
        pairs = [pair.split(",") for pair in node.get("points", "").split(";")]
        if any(len(pair) != 2 for pair in pairs):
            raise KitError(f"{where}: its points are not x,y;x,y;...")
        return Polygon(label, np.array([numbers(pair, where) for pair in pairs]), order)
    if node.tag == "box":
        left, top, right, bottom = numbers((node.get(key) for key in ("xtl", "ytl", "xbr", "ybr")), where)
        if float(node.get("rotation") or 0):
            raise KitError(f"{where} is rotated; draw it as a polygon")
        return Polygon(label, np.array([(left, top), (right, top), (right, bottom), (left, bottom)]), order)
    if node.tag == "mask":
        left, top, width, height = numbers((node.get(key) for key in ("left", "top", "width", "height")), where, int)
        lengths = numbers(node.get("rle", "").split(","), where, int)
        return Bitmap(label, from_runs(lengths, (height, width), where), top, left, order)
    raise KitError(f"{where} is not a region; draw polygons, boxes or masks")
