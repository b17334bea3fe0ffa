"""Masks to every format and back, in the tools' own parsers where they are installed, and exports that are wrong."""

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kit.data.spec import DatasetSpec
from kit.errors import KitError
from kit.label.formats import FORMATS, read_export, recognise
from kit.label.formats.archive import open_export
from kit.label.formats.polygons import EXACT
from kit.label.formats.rlepack import pack, unpack
from kit.label.formats.shapes import Bitmap, Drawing, Item, Polygon, Written, filled, paint

CLASSES = ("road", "car", "tree", "sky")
PALETTE = ((128, 64, 128), (0, 0, 142), (107, 142, 35), (70, 130, 180))
SPEC = DatasetSpec(name="test", classes=CLASSES, palette=PALETTE, layouts=())
WAYS = [(name, polygons) for name, form in FORMATS.items()
        for polygons in ((False, True) if form.polygons is not None else (False,))]  # fmt: skip


def written(name, polygons, mask, out, tolerance=0.0):
    out.mkdir(parents=True, exist_ok=True)
    items = [Item("a", Path("images/a.jpg"), mask), Item("b c", Path("images/b c.jpg"), mask[:, ::-1].copy())]
    how = Written(classes=CLASSES, palette=PALETTE, polygons=polygons, tolerance=tolerance)
    FORMATS[name].write(items, out, how)
    if name == "labelstudio":  # what somebody has accepted
        tasks = json.loads((out / "tasks.json").read_text())
        for task in tasks:
            task["annotations"] = task.pop("predictions")
        (out / "tasks.json").write_text(json.dumps(tasks))
    return items


def back(out, size):
    return {Path(d.file).stem: paint(d, CLASSES, size) for d in read_export(open_export(out), SPEC)}


@pytest.mark.parametrize(("name", "polygons"), WAYS)
def test_masks_come_back_bit_for_bit(name, polygons, hard, tmp_path):
    items = written(name, polygons, hard, tmp_path / "out")
    assert recognise(open_export(tmp_path / "out")) == name
    found = back(tmp_path / "out", hard.shape)
    assert found.keys() == {"a", "b c"}
    for item in items:
        np.testing.assert_array_equal(found[item.name], item.mask)


def test_tolerance_leaves_corners_out_and_keeps_the_regions(tmp_path):
    rows, columns = np.mgrid[:80, :100]
    mask = ((rows - 40) ** 2 + (columns - 50) ** 2 < 30**2).astype(np.uint8)
    sizes = []
    for tolerance in (0.0, 0.34, 1.0):
        written("cvat", True, mask, tmp_path / str(tolerance), tolerance)
        drawing = read_export(open_export(tmp_path / str(tolerance)), SPEC)[0]
        sizes.append(sum(len(shape.points) for shape in drawing.shapes))
        found = paint(drawing, CLASSES, mask.shape)
        both = (found == 1) & (mask == 1)
        assert both.sum() / ((found == 1) | (mask == 1)).sum() > 0.98
        assert tolerance > EXACT or (found[mask == 1] == 1).all()
    assert sizes[0] > 1.5 * sizes[1] > 2 * sizes[2]


def test_a_polygon_covers_the_pixels_whose_centres_lie_inside():
    (top, left), inside = filled(np.array([(1, 2), (4, 2), (4, 4), (1, 4)], float))
    assert (top, left) == (2, 1) and inside.all() and inside.shape == (2, 3)
    (top, left), inside = filled(np.array([(0, 0), (4, 0), (0, 4)], float))
    np.testing.assert_array_equal(inside[:, :4].sum(1), [3, 2, 1, 0])  # centres on the slant are left out
    _, inside = filled(np.array([(0, 0), (4, 4), (4, 0), (0, 4)], float))  # crosses itself
    assert inside.sum() == 8 or inside.sum() == 4


def test_coco_is_read_by_pycocotools(hard, tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    for polygons in (False, True):
        items = written("coco", polygons, hard, tmp_path / str(polygons))
        tool = coco.COCO(str(tmp_path / str(polygons) / "instances.json"))
        for item, number in zip(items, tool.imgs, strict=True):
            mask = np.full(hard.shape, 255, np.uint8)
            for each in tool.loadAnns(tool.getAnnIds(number)):
                mask[tool.annToMask(each) > 0] = each["category_id"] - 1
            assert (mask == item.mask).mean() > (0.98 if polygons else 0.9999)


@pytest.mark.parametrize(("name", "form"), [("cvat", "cvat"), ("png", "voc_segmentation")])
def test_cvat_and_png_are_read_by_datumaro(name, form, hard, tmp_path):
    datumaro = pytest.importorskip("datumaro")
    items = written(name, False, hard, tmp_path)
    for folder in ("images", "JPEGImages"):  # where it looks for the images of these formats
        (tmp_path / folder).mkdir()
        for item in items:
            Image.new("RGB", hard.shape[::-1]).save(tmp_path / folder / item.file.name)
    data = datumaro.Dataset.import_from(str(tmp_path), form)
    labels = [label.name for label in data.categories()[datumaro.AnnotationType.label]]
    found = {}
    for each in data:
        found[each.id] = np.full(hard.shape, 255, np.uint8)
        for region in each.annotations:
            if labels[region.label] in CLASSES:  # not "background"
                found[each.id][region.image > 0] = CLASSES.index(labels[region.label])
    for item in items:
        np.testing.assert_array_equal(found[item.name], item.mask)


def test_a_png_draft_names_every_colour_and_image(hard, tmp_path):
    written("png", False, hard, tmp_path)
    assert (tmp_path / "ImageSets/Segmentation/default.txt").read_text() == "a\nb c\n"
    named = {tuple(map(int, line.split(":")[1].split(","))): line.split(":")[0]
             for line in (tmp_path / "labelmap.txt").read_text().splitlines()[1:]}  # fmt: skip
    assert named == {(0, 0, 0): "background", **dict(zip(PALETTE, CLASSES, strict=True))}
    for path in (tmp_path / "SegmentationClass").iterdir():
        assert {colour for _, colour in Image.open(path).convert("RGB").getcolors()} <= named.keys()


def test_label_studio_reads_and_writes_the_same_runs(hard):
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    for cls in range(4):
        region = hard == cls
        assert (np.reshape(brush.decode_rle(pack(region)), (*hard.shape, 4))[..., 3] > 0).tolist() == region.tolist()
        theirs = brush.mask2rle((region * 255).astype(np.uint8))
        np.testing.assert_array_equal(unpack(theirs, hard.shape, "x"), region)


def test_labelme_reads_its_files(hard, tmp_path):
    pytest.importorskip("labelme")
    utils = pytest.importorskip("labelme.utils")
    items = written("labelme", False, hard, tmp_path)
    for item in items:
        shapes = json.loads((tmp_path / f"{item.name}.json").read_text())["shapes"]
        assert {shape["shape_type"] for shape in shapes} == {"mask"}
        picture = utils.img_b64_to_arr(shapes[0]["mask"])
        assert picture.any() and picture.ndim == 2


def test_runs_of_label_studio_are_what_they_are_by_hand():
    """A head (32 bits of length, word size 8, four widths), then one run of four values of 255 per pixel."""
    bits = f"{8:032b}" + "00111" + "0010001101111111" + "10011111111111"
    bits += "0" * (-len(bits) % 8)
    assert pack(np.ones((1, 2), bool)) == list(int(bits, 2).to_bytes(len(bits) // 8, "big"))
    alternating = (np.arange(300000) % 7 < 3).reshape(500, 600)
    np.testing.assert_array_equal(unpack(pack(alternating), (500, 600), "x"), alternating)
    np.testing.assert_array_equal(unpack(pack(np.ones((300, 300), bool)), (300, 300), "x"), np.ones((300, 300)))


def test_predictions_that_nobody_accepted_are_no_labels(hard, tmp_path):
    how = Written(classes=CLASSES, palette=PALETTE, polygons=False)
    FORMATS["labelstudio"].write([Item("a", Path("a.jpg"), hard)], tmp_path, how)
    assert read_export(open_export(tmp_path), SPEC) == []


def test_names_of_label_studio_lose_what_it_put_before_them():
    from kit.label.formats.labelstudio import image_file

    for source in ("/data/upload/3/0a1b2c3d-street 1.jpg", "/data/local-files/?d=sets/street%201.jpg",
                   "https://host/x/street%201.jpg?token=1", "street 1.jpg"):  # fmt: skip
        assert image_file({"data": {"image": source}}, "x") == "street 1.jpg"


def test_panoptic_masks_and_cvat_archives_are_read(hard, tmp_path):
    ids = np.zeros((*hard.shape, 3), np.uint8)
    for cls in range(4):
        ids[hard == cls] = (10 + cls, 1, 0)
    folder = tmp_path / "panoptic"
    (folder / "masks").mkdir(parents=True)
    Image.fromarray(ids).save(folder / "masks/a.png")
    segments = [{"id": 266 + cls, "category_id": 7 + cls} for cls in range(4)]
    content = {"images": [{"id": 1, "file_name": "a.jpg", "height": 40, "width": 60}],
               "categories": [{"id": 7 + cls, "name": name} for cls, name in enumerate(CLASSES)],
               "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": segments}]}  # fmt: skip
    (folder / "panoptic.json").write_text(json.dumps(content))
    np.testing.assert_array_equal(back(folder, hard.shape)["a"], hard)

    colours = np.zeros((*hard.shape, 3), np.uint8)  # CVAT's "Segmentation mask 1.1", with colours of its own
    for cls in range(4):
        colours[hard == cls] = (50 * cls + 50, 0, 9)
    (tmp_path / "cvat/SegmentationClass").mkdir(parents=True)
    (tmp_path / "cvat/SegmentationObject").mkdir()
    Image.fromarray(colours).save(tmp_path / "cvat/SegmentationClass/a.png")
    Image.fromarray(colours[..., ::-1].copy()).save(tmp_path / "cvat/SegmentationObject/a.png")
    lines = [f"{name}:{50 * cls + 50},0,9::" for cls, name in enumerate(CLASSES)]
    (tmp_path / "cvat/labelmap.txt").write_text("\n".join(["# label", "background:0,0,0::", *lines]))
    np.testing.assert_array_equal(back(tmp_path / "cvat", hard.shape)["a"], hard)


SQUARE = np.array([(0, 0), (20, 0), (20, 20), (0, 20)], float)


@pytest.mark.parametrize(("shapes", "message"), [
    ([Polygon("bicycle", SQUARE)], "no class is called 'bicycle'"),
    ([Polygon("car", SQUARE + 45)], "corner at x 45, y 45, outside the image of 40 x 60"),
    ([Polygon("car", SQUARE[:2])], "fewer than three corners"),
    ([Polygon("car", np.array([(0, 0), (np.nan, 1), (1, 1)]))], "not numeric"),
    ([Bitmap("car", np.ones((30, 30), bool), 20, 0)], "30 x 30 at row 20 and column 0, does not lie inside"),
    ([Polygon("car", SQUARE), Polygon("tree", SQUARE + 5)], "'tree' and 'car' overlap in 225 pixels"),
])  # fmt: skip
def test_what_is_wrong_with_a_region_is_one_line(shapes, message):
    with pytest.raises(KitError, match=message) as caught:
        paint(Drawing("a.jpg", (40, 60), shapes), CLASSES, (40, 60))
    assert str(caught.value).startswith("a.jpg") and "\n" not in str(caught.value)


def test_a_polygon_without_an_area_paints_nothing():
    for points in ([(60, 0), (60, 9), (60.5, 20)], [(0, 40), (9, 40), (5, 40)], [(5, 5)] * 3):
        flat = Drawing("a.jpg", (40, 60), [Polygon("car", SQUARE), Polygon("tree", np.array(points, float))])
        assert (paint(flat, CLASSES, (40, 60)) == 1).sum() == 400


def test_overlap_is_settled_by_order_by_option_and_along_borders():
    both = [Polygon("car", SQUARE, order=1), Polygon("tree", SQUARE + 5)]
    assert (paint(Drawing("a", None, both), CLASSES, (40, 60))[:20, :20] == 1).all()  # the order of the export
    same = [Polygon("car", SQUARE), Polygon("tree", SQUARE + 5)]
    assert paint(Drawing("a", None, same), CLASSES, (40, 60), "later")[10, 10] == 2
    thin = [Polygon("car", SQUARE), Polygon("tree", SQUARE + (19, 0))]  # one column of twenty
    assert paint(Drawing("a", None, thin), CLASSES, (40, 60))[5, 19] == 2
    void = paint(Drawing("a", None, [Polygon("car", SQUARE), Polygon("void", SQUARE / 2)]), CLASSES, (40, 60), "later")
    assert void[5, 5] == 255 and void[15, 15] == 1
    with pytest.raises(KitError, match="export says 10 x 10, the image is 40 x 60"):
        paint(Drawing("a", (10, 10), []), CLASSES, (40, 60))


CVAT = '<annotations><image id="0" name="a.jpg" width="60" height="40">{}</image></annotations>'
STUDIO = {"original_width": 60, "original_height": 40}


@pytest.mark.parametrize(("file", "content", "message"), [
    ("a.xml", CVAT.format('<mask label="car" rle="3,4" left="0" top="0" width="5" height="5"/>'), "RLE has 7 pixels"),
    ("a.xml", CVAT.format('<polygon label="car" points="1,2;3"/>'), "not x,y"),
    ("a.xml", CVAT.format('<polyline label="car" points="1,2;3,4"/>'), "is not a region"),
    ("a.xml", "<annotations><track/></annotations>", "CVAT for images 1.1"),
    ("a.xml", '<!DOCTYPE x [<!ENTITY a "b">]><annotations/>', "declares XML entities"),
    ("a.xml", "<annotations><image", "is not XML"),
    ("a.json", json.dumps([{"data": {"image": "a.jpg"}, "annotations": [{"result": [
        {"type": "brushlabels", **STUDIO, "value": {"rle": pack(np.ones((3, 3), bool)), "brushlabels": ["car"]}}]}]}]),
     "RLE has 9 pixels"),
    ("a.json", json.dumps([{"data": {"image": "a.jpg"}, "annotations": [{"result": [
        {"type": "brushlabels", **STUDIO, "value": {"rle": [0, 0, 37, 128, 57], "brushlabels": ["car"]}}]}]}]),
     "ends too early"),
    ("a.json", json.dumps({"images": [{"id": 1, "file_name": "a.jpg", "height": 40, "width": 60}], "categories": [
        {"id": 1, "name": "car"}], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": {
            "size": [40, 60], "counts": [5, 5]}}]}), "RLE has 10 pixels"),
    ("a.json", json.dumps({"images": [{"id": 1, "file_name": "a.jpg", "height": 40, "width": 60}], "categories": [
        {"id": 1, "name": "car"}], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": {
            "size": [40, 60], "counts": "zzzzzzzzzzzz"}}]}), "compressed form"),
    ("a.json", json.dumps({"images": [], "categories": [], "annotations": [{"id": 3, "image_id": 9}]}),
     "annotation 3 belongs to no image"),
    ("a.json", json.dumps({"shapes": [{"label": "car", "shape_type": "mask", "points": [[0, 0], [9, 9]],
                                       "mask": "x"}]}), "bitmap cannot be read"),
    ("a.json", json.dumps({"shapes": [{"label": "car", "shape_type": "line", "points": [[0, 0], [9, 9]]}]}),
     "is not a region"),
    ("a.json", json.dumps([{"data": {"image": "a.jpg"}, "annotations": [{"result": ["x"]}]}]), "as labelstudio writes"),
    ("a.json", json.dumps({"images": [{"id": 1, "file_name": "a.jpg", "height": "x", "width": 60}], "annotations": []}),
     "as coco writes it"),
    ("a.xml", CVAT.format('<box label="car" xtl="1" ytl="2" xbr="3" ybr="4" rotation="x"/>'), "as cvat writes it"),
    ("a.json", json.dumps({"shapes": [{"label": "car", "shape_type": "mask", "points": [[0, 0], [math.inf, 9]]}]}),
     "as labelme writes it"),
    ("a.json", "{", "not an export of a known format"),
    ("a.txt", "x", "not an export of a known format"),
])  # fmt: skip
def test_what_is_wrong_with_an_export_is_one_line(file, content, message, tmp_path):
    (tmp_path / file).write_text(content)
    with pytest.raises(KitError, match=message) as caught:
        read_export(open_export(tmp_path / file), SPEC)
    assert "\n" not in str(caught.value)


def test_png_masks_with_other_values_colours_or_none_at_all(tmp_path):
    for values, message in ((np.full((4, 4), 9, np.uint8), "value 9"),
                            (np.full((4, 4, 3), 9, np.uint8), "colour 9, 9, 9")):  # fmt: skip
        Image.fromarray(values).save(tmp_path / "a.png")
        with pytest.raises(KitError, match=message):
            read_export(open_export(tmp_path), SPEC)
    Image.fromarray(np.full((4, 4), 255, np.uint8)).save(tmp_path / "a.png")
    assert read_export(open_export(tmp_path), SPEC) == []  # nobody has drawn anything
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(KitError, match="not a picture"):
        read_export(open_export(tmp_path), SPEC)


def test_a_palette_in_another_order_counts_by_its_colours(tmp_path):
    buffer = io.BytesIO()
    picture = Image.fromarray(np.repeat([[0], [1]], 4, 1).astype(np.uint8)).convert("P")
    picture.putpalette(np.array([PALETTE[2], PALETTE[1]], np.uint8).tobytes())
    picture.save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(back(tmp_path, (2, 4))["a"][:, 0], [2, 1])


def test_ids_with_an_opacity_are_ids(tmp_path):
    ids = Image.fromarray(np.repeat([[0], [1]], 4, 1).astype(np.uint8))
    opaque = Image.new("L", ids.size, 255)
    Image.merge("LA", (ids, opaque)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(back(tmp_path, (2, 4))["a"][:, 0], [0, 1])
