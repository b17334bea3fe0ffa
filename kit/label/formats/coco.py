"""COCO: write and read one JSON file of instances, as RLE or polygons; read panoptic JSON with its PNG files."""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from kit.errors import KitError
from kit.label.formats.archive import Export, json_files
from kit.label.formats.runs import from_runs
from kit.label.formats.shapes import Bitmap, Drawing, Item, Polygon, Shape, Written, bitmaps, numbers, regions
from kit.system.first_use import optional
from kit.system.storage import write_bytes


def write(items: Sequence[Item], out: Path, how: Written) -> list[Path]:
    """Write instances.json, with a segment for each class of an image (RLE) or for each region (polygons)."""
    categories = [{"id": number, "name": name, "supercategory": ""} for number, name in enumerate(how.classes, 1)]
    images, annotations = [], []
    for number, item in enumerate(items, 1):
        height, width = item.mask.shape
        images.append({"id": number, "file_name": item.file.name, "height": height, "width": width})
        for region in regions(item, how):
            annotations.append({"id": len(annotations) + 1, "image_id": number,
                                "category_id": how.classes.index(region.label) + 1,
                                **_segment(region, item.mask.shape)})  # fmt: skip
    content = {"info": {"description": "pre-annotation"}, "images": images, "annotations": annotations,
               "categories": categories}  # fmt: skip
    write_bytes(out / "instances.json", (json.dumps(content) + "\n").encode())
    return [out / "instances.json"]


def read(export: Export) -> Iterator[Drawing]:
    """A drawing for each image with segments. Raises KitError for a file that is not COCO."""
    for _, where, content in json_files(export):
        parts = (content.get("images"), content.get("annotations")) if isinstance(content, dict) else (None,)
        if not all(isinstance(part, list) for part in parts):
            raise KitError(f'{where} is not COCO: it lacks the lists "images" and "annotations"')
        try:
            labels = {each["id"]: str(each["name"]) for each in content.get("categories", [])}
            images = {each["id"]: (each["file_name"].rpartition("/")[2], (int(each["height"]), int(each["width"])))
                      for each in content["images"]}  # fmt: skip
            yield from _drawings(content["annotations"], images, labels, export)
        except (KeyError, TypeError, AttributeError) as error:
            raise KitError(f"{where} is not COCO: {type(error).__name__} {error}") from error


def _segment(region: Shape, size: tuple[int, int]) -> dict:
    if isinstance(region, Polygon):
        (left, top), (right, bottom) = region.points.min(0).tolist(), region.points.max(0).tolist()
        x, y = region.points.T
        return {"area": abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2, "iscrowd": 0,
                "bbox": [left, top, right - left, bottom - top],
                "segmentation": [np.round(region.points, 2).ravel().tolist()]}  # fmt: skip
    tools = optional("pycocotools.mask",
                     "COCO's RLE needs pycocotools; pip install pycocotools, or write --shapes polygons")  # fmt: skip
    coded = tools.encode(np.asfortranarray(region.on(size), np.uint8))
    height, width = region.mask.shape
    return {"area": int(region.mask.sum()), "iscrowd": 1, "bbox": [region.left, region.top, width, height],
            "segmentation": {**coded, "counts": coded["counts"].decode()}}  # fmt: skip


def _drawings(annotations: list, images: dict, labels: dict, export: Export) -> Iterator[Drawing]:
    shapes: dict[object, list[Shape]] = {}
    for each in annotations:
        if each["image_id"] not in images:
            raise KitError(f"{export.path}: annotation {each.get('id')} belongs to no image of the export")
        file, size = images[each["image_id"]]
        if "segments_info" in each:
            found = _panoptic(each, file, size, labels, export)
        else:
            found = _instance(each, file, size, _label(each["category_id"], labels, file))
        shapes.setdefault(each["image_id"], []).extend(found)
    yield from (Drawing(*images[number], found) for number, found in shapes.items())


def _label(category: object, labels: dict, file: str) -> str:
    if category not in labels:
        raise KitError(f"{file}: category {category!r} is not among the export's categories")
    return labels[category]


def _instance(annotation: dict, file: str, size: tuple[int, int], label: str) -> list[Shape]:
    segment, where = annotation["segmentation"], f"{file}: segment of {label!r}"
    if isinstance(segment, dict):
        return [Bitmap(label, _decoded(segment, size, where))]
    if not segment:
        raise KitError(f"{where} is a box without an outline; export segmentations")
    polygons = [np.array(numbers(ring, where)) for ring in segment]
    if any(len(ring) % 2 for ring in polygons):
        raise KitError(f"{where}: its points are not pairs of numbers")
    return [Polygon(label, ring.reshape(-1, 2)) for ring in polygons]


def _decoded(rle: dict, size: tuple[int, int], where: str) -> np.ndarray:
    if tuple(rle["size"]) != size:
        raise KitError(f"{where}: the RLE is of {' x '.join(map(str, rle['size']))}, the image {size[0]} x {size[1]}")
    counts = rle["counts"]
    lengths = numbers(counts, where, int) if isinstance(counts, list) else _lengths(counts, where)
    return from_runs(lengths, size, where, "F")


def _lengths(counts: str, where: str) -> list[int]:
    """Run lengths from COCO's compressed form: five bits per letter; from the fourth length on, the difference to the
    length two before is stored."""
    lengths, value, shift = [], 0, 0
    for letter in counts.encode():
        bits = letter - 48
        if not 0 <= bits < 64 or shift > 30:
            raise KitError(f"{where}: the RLE is not in COCO's compressed form")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16 > 0) << shift
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    if shift or any(length < 0 for length in lengths):
        raise KitError(f"{where}: the RLE is not in COCO's compressed form")
    return lengths


def _panoptic(annotation: dict, file: str, size: tuple[int, int], labels: dict, export: Export) -> list[Shape]:
    wanted = PurePosixPath(annotation["file_name"]).name
    name = next((each for each in export.named(".png") if PurePosixPath(each).name == wanted), None)
    if name is None:
        raise KitError(f"{export.path}: no {wanted}, the panoptic mask of {file}; give the folder or archive that "
                       "holds JSON and PNG files")  # fmt: skip
    try:
        with Image.open(io.BytesIO(export.files[name]())) as picture:
            if picture.size[::-1] != size:
                raise KitError(f"{export.where(name)} is {picture.size[1]} x {picture.size[0]}, its image "
                               f"{size[0]} x {size[1]} (height x width)")  # fmt: skip
            pixels = np.asarray(picture.convert("RGB"), np.int64)
    except OSError as error:
        raise KitError(f"{export.where(name)} cannot be read: {error}") from error
    ids = pixels @ (1, 256, 65536)
    return bitmaps(ids, {each["id"]: _label(each["category_id"], labels, file) for each in annotation["segments_info"]})
