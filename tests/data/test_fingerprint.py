"""Data sets are distinguished by names and sizes of files, in any folder."""

import shutil

import numpy as np
import pytest
from counted import calls
from PIL import Image

from kit.data.fingerprint import changes, find_data
from kit.errors import KitError
from kit.settings.run import DataConfig


@pytest.fixture
def mine(tmp_path):
    """Function (name, masks) -> DataConfig of a folder with 6 train and 2 val images, of which so many have masks."""

    def folder(name="mine", masks=4, split="masks"):
        root = tmp_path / name
        for part, count in (("train", 6), ("val", 2)):
            for kind in ("images", "labels"):
                (root / kind / part).mkdir(parents=True)
            for i in range(count):
                rng, file = np.random.default_rng([count, i]), f"{part}/{part[0]}{i}.png"
                Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(root / "images" / file)
                if part == "val" or i < masks:
                    Image.fromarray(rng.integers(0, 2, (8, 8), np.uint8)).save(root / "labels" / file)
        (root / "classes.yaml").write_text("classes: {sky: [0, 0, 255], road: [90, 90, 90]}")
        return DataConfig(dataset="folder", root=str(root), split=split)

    return folder


def record(cfg):
    return find_data(cfg).record()


def test_the_same_files_elsewhere_are_the_same_data(mine, tmp_path):
    first, moved = mine(), tmp_path / "moved"
    before = record(first)
    shutil.copytree(first.root, moved)
    assert changes(before, record(DataConfig(dataset="folder", root=str(moved), split="masks"))) == []


def test_each_change_is_named(mine, tmp_path):
    cfg = mine()
    root, before = tmp_path / "mine", record(cfg)

    def changed():
        return changes(before, record(cfg))

    yaml = (root / "classes.yaml").read_text()
    (root / "classes.yaml").write_text(yaml.replace("road", "street"))
    assert changed() == ["classes ('road', now 'street')"]
    (root / "classes.yaml").write_text(yaml.replace("}", ", car: [0, 0, 9]}"))
    assert changed() == ["classes (2, now 3)", "the meaning of the masks' values or colours"]
    (root / "classes.yaml").write_text(yaml)
    Image.new("RGB", (8, 8)).save(root / "images/val/v0.png")
    Image.new("L", (8, 8)).save(root / "labels/train/t3.png")
    assert changed() == ["labelled masks (4, with other names or sizes)", "val images (2, with other names or sizes)"]
    (root / "images/val/v1.png").unlink()
    assert "val images (2, now 1)" in changed() and "val masks (2, now 1)" in changed()


def test_added_masks_are_detected_if_the_split_is_drawn(mine, tmp_path):
    few, drawn = record(mine()), mine("more", masks=6)
    assert changes(few, record(drawn))[:3] == [
        "train images with a mask (4, now 6)", "labelled list (4, now 6)", "unlabelled list (2, now 0)"]  # fmt: skip
    fixed = record(mine("a", split="count_4"))
    assert "train images with a mask (4, now 6)" in changes(fixed, record(mine("b", masks=6, split="count_4")))
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "labelled.txt").write_text("t0\nt1\n")
    (lists / "unlabelled.txt").write_text("t5\n")
    listed = [record(mine(name, masks, split=str(lists))) for name, masks in (("c", 4), ("d", 6))]
    assert changes(*listed) == []  # masks outside the list are not learnt from


def test_entries_missing_in_an_older_record_are_not_compared(mine):
    now = record(mine())
    old = {"classes": now["classes"], "lists": {"labelled": now["lists"]["labelled"]}}
    assert changes(old, now) == [] and changes({}, now) == []
    assert changes({"lists": {"labelled": {"count": 9, "sha256": ""}}}, now) == ["labelled list (9, now 4)"]


def test_a_missing_folder_is_named(mine, tmp_path):
    with pytest.raises(KitError, match="no .*nowhere"):
        find_data(DataConfig(dataset="folder", root=str(tmp_path / "nowhere")))


@pytest.mark.parametrize("split", ["1_8", "masks"])
def test_the_work_grows_with_the_files_and_no_picture_is_read(tmp_path, split):
    """Ten times the files are ten times the calls, not a hundred."""

    def work(count):
        root = tmp_path / str(count)
        for kind in ("images", "labels"):
            for part, number in (("train", count), ("val", count // 20)):
                (root / kind / part).mkdir(parents=True)
                for i in range(number):
                    (root / kind / part / f"{part}{i}.png").write_bytes(b"not read")
        (root / "classes.yaml").write_text("classes: {sky: [0, 0, 255], road: [90, 90, 90]}")
        found, made = calls(record, DataConfig(dataset="folder", root=str(root), split=split))
        assert found["files"]["train images"]["count"] == count
        return made

    work(20)  # imports and regular expressions, once
    assert work(1000) < 12 * work(100)
