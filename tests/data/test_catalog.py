"""Miniature trees in the layouts that people really have."""

import numpy as np
import pytest
import torch
from PIL import Image

from kit.data.catalog import DATASETS, find_spec
from kit.data.reading.files import SegFiles
from kit.errors import KitError
from kit.types import IGNORE

SIZE = (12, 20)


def image(path, value=90, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size[1], size[0]), (value, 10, 200)).save(path)


def mask(path, values, palette=None, size=SIZE):
    """A mask that holds `values` in turn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.resize(np.array(values, np.uint8), size))
    if palette:
        picture = picture.convert("P") if picture.mode != "P" else picture
        picture = Image.fromarray(np.resize(np.array(values, np.uint8), size), "P")
        picture.putpalette([v for colour in palette for v in colour])
    picture.save(path)


def read(dataset, root, part):
    return SegFiles(find_spec(dataset, root), root, part)


def values(files, name):
    return set(files.pair(name)[1].unique().tolist())


@pytest.fixture
def cityscapes(tmp_path):
    """Function (kind, values) -> root of a tree with masks of that kind."""

    def tree(kind, held):
        for part, city in (("train", "jena"), ("train", "ulm"), ("val", "lindau"), ("test", "bonn")):
            stem = f"{city}_000000_000019"
            image(tmp_path / f"leftImg8bit/{part}/{city}/{stem}_leftImg8bit.png")
            mask(tmp_path / f"gtFine/{part}/{city}/{stem}_gtFine_{kind}.png", held)
            mask(tmp_path / f"gtFine/{part}/{city}/{stem}_gtFine_color.png", [1])
            mask(tmp_path / f"gtFine/{part}/{city}/{stem}_gtFine_instanceIds.png", [99])
        return tmp_path

    return tree


def test_cityscapes_label_ids(cityscapes):
    root = cityscapes("labelIds", [7, 26, 33, 0, 4])
    train, val = read("cityscapes", root, "train"), read("cityscapes", root, "val")
    assert train.ids == train.masked_ids == ("jena_000000_000019", "ulm_000000_000019") and len(val.ids) == 1
    assert values(train, train.ids[0]) == {0, 13, 18, IGNORE}  # road, car, bicycle


def test_cityscapes_label_train_ids(cityscapes):
    root = cityscapes("labelTrainIds", [0, 13, 18, 255])
    assert values(read("cityscapes", root, "train"), "ulm_000000_000019") == {0, 13, 18, IGNORE}


def test_of_both_kinds_of_masks_the_original_is_read(cityscapes):
    cityscapes("labelTrainIds", [0])
    root = cityscapes("labelIds", [26])
    assert values(read("cityscapes", root, "train"), "ulm_000000_000019") == {13}


@pytest.mark.parametrize(
    ("kind", "held", "other"),
    [
        ("labelTrainIds", [7, 26, 33], "labelIds"),  # 26 and 33 are no train ids
        ("labelIds", [0, 13, 18, 255], "labelTrainIds"),  # 255 is no label id
        ("labelIds", [0, 1, 2, 3], "labelTrainIds"),  # void throughout, yet road to wall as train ids
    ],
)
def test_cityscapes_masks_whose_name_and_content_disagree_raise(cityscapes, kind, held, other):
    files = read("cityscapes", cityscapes(kind, held), "train")
    with pytest.raises(KitError, match=rf"jena_000000_000019_gtFine_{kind}.png holds .*those of '_gtFine_{other}'"):
        files.pair("jena_000000_000019")


@pytest.mark.parametrize("folder", ["leftImg8bit/train_extra", "leftImg8bit_trainextra/leftImg8bit/train_extra"])
def test_cityscapes_extra_images_are_kept_apart(cityscapes, folder):
    root = cityscapes("labelIds", [7])
    image(root / folder / "augsburg/augsburg_000000_000000_leftImg8bit.png")
    train, val = read("cityscapes", root, "train"), read("cityscapes", root, "val")
    assert train.extra_ids == ("augsburg_000000_000000",) and val.extra_ids == ()
    assert "augsburg_000000_000000" not in train.ids and train.image("augsburg_000000_000000").shape == (3, *SIZE)


VOC_PALETTE = [tuple(c) for c in DATASETS["voc"].palette] + [(i, i, i) for i in range(21, 255)] + [(224, 224, 192)]


@pytest.fixture
def voc(tmp_path):
    """A devkit: a, b train, v val, x in no list; masks with the colour map."""
    devkit = tmp_path / "VOCdevkit/VOC2012"
    for name in "abvxy":
        image(devkit / f"JPEGImages/2007_{name}.jpg")
    for name in "abv":
        mask(devkit / f"SegmentationClass/2007_{name}.png", [0, 15, 255], VOC_PALETTE)
    lists = devkit / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_a\n2007_b\n")
    (lists / "val.txt").write_text("2007_v\r\n")
    return tmp_path


@pytest.mark.parametrize("below", ["", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_voc_devkit(voc, below):
    train, val = read("voc", voc / below, "train"), read("voc", voc / below, "val")
    assert (train.ids, val.ids) == (("2007_a", "2007_b"), ("2007_v",))
    assert train.extra_ids == ("2007_x", "2007_y") and values(train, "2007_a") == {0, 15, IGNORE}


def test_voc_with_additional_masks(voc):
    devkit = voc / "VOCdevkit/VOC2012"
    for name in "abvx":  # val's are there as well in the usual archive
        mask(devkit / f"SegmentationClassAug/2007_{name}.png", [0, 3])
    train, val = read("voc", voc, "train"), read("voc", voc, "val")
    assert train.ids == ("2007_a", "2007_b", "2007_x") and val.ids == ("2007_v",) and train.extra_ids == ("2007_y",)
    assert values(train, "2007_x") == {0, 3}  # plain indices, no colour map


def test_voc_in_the_layout_of_mgd(tmp_path):
    for part, name in (("train_aug", "2007_a"), ("train_aug", "2007_b"), ("val", "2007_v")):
        image(tmp_path / part / "image" / f"{name}.jpg")
        mask(tmp_path / part / "label" / f"{name}.png", [0, 20, 255])
    train, val = read("voc", tmp_path, "train"), read("voc", tmp_path, "val")
    assert train.ids == ("2007_a", "2007_b") and val.ids == ("2007_v",) and values(val, "2007_v") == {0, 20, IGNORE}


def test_voc_lists_are_required_and_define_missing_images(voc):
    (voc / "VOCdevkit/VOC2012/JPEGImages/2007_b.jpg").unlink()
    assert read("voc", voc, "train").missing == ("2007_b",)
    (voc / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt").unlink()
    with pytest.raises(KitError, match=r"no .*val.txt, the list"):
        read("voc", voc, "train")


def test_voc_colours_are_those_of_the_devkit():
    spec = DATASETS["voc"]
    named = dict(zip(spec.classes, spec.palette, strict=True))
    assert (named["person"], named["tvmonitor"], named["aeroplane"]) == ((192, 128, 128), (0, 64, 128), (128, 0, 0))
    assert spec.void_colours == ((224, 224, 192),)


def test_camvid(tmp_path):
    image(tmp_path / "images/train/0001TP_1.jpg")
    image(tmp_path / "images/val/0001TP_2.jpg")
    mask(tmp_path / "labels/train/0001TP_1.png", [0, 10, 11])
    train = read("camvid", tmp_path, "train")
    assert values(train, "0001TP_1") == {0, 10, IGNORE} and read("camvid", tmp_path, "val").masked_ids == ()


def test_two_images_of_one_id_raise(tmp_path):
    (tmp_path / "classes.yaml").write_text("classes: {a: [0, 0, 0], b: [9, 9, 9]}\n")
    image(tmp_path / "images/train/one.png")
    image(tmp_path / "images/train/one.jpg")
    with pytest.raises(KitError, match=r"one.jpg and .*one.png have the same id 'one'"):
        read("folder", tmp_path, "train")


def test_reading_does_not_depend_on_the_working_folder(voc, monkeypatch):
    monkeypatch.chdir(voc)
    first = read("voc", voc, "train").image("2007_a")
    assert torch.equal(first, SegFiles(DATASETS["voc"], "VOCdevkit/VOC2012", "train").image("2007_a"))
