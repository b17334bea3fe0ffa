import argparse
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kit.batch.experiments.planted_errors import measure, planted_copy
from kit.commands import label
from kit.data.catalog import find_spec
from kit.data.reading.files import SegFiles
from kit.errors import KitError


def two_classes(mine):
    """Six images of one's own, with masks."""
    mask = np.zeros((60, 60), np.uint8)
    mask[20:34, 20:34] = 1
    for name in "abcdef":
        for folder, pixels in (("images", np.zeros((60, 60, 3), np.uint8)), ("labels", mask)):
            (mine / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(mine / folder / f"{name}.png")
    (mine / "classes.yaml").write_text("classes: [soil, leaf]\n")
    (mine / "val.txt").write_text("c\n")
    return mine


def test_a_folder_of_two_classes_is_copied_with_its_description(tmp_path):
    mine, out = two_classes(tmp_path / "mine"), tmp_path / "out"
    found = planted_copy("folder", mine, out, images=4, wrong=2)
    assert sorted(wrong.kind for each in found.values() for wrong in each) == ["missing", "shifted"]
    assert SegFiles(find_spec("folder", out), out, "val").ids == ("c",)


def test_a_copy_of_voc_has_its_lists(tmp_path):
    devkit, out = tmp_path / "voc/VOCdevkit/VOC2012", tmp_path / "out"
    mask = np.zeros((60, 60), np.uint8)
    mask[20:34, 20:34] = 3
    for name in "abcd":
        for folder, pixels, end in (("JPEGImages", np.zeros((60, 60, 3), np.uint8), "jpg"),
                                    ("SegmentationClass", mask, "png")):  # fmt: skip
            (devkit / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(devkit / folder / f"{name}.{end}")
    (devkit / "ImageSets/Segmentation").mkdir(parents=True)
    for part, names in (("train", "a\nb\nc\n"), ("val", "d\n")):
        (devkit / f"ImageSets/Segmentation/{part}.txt").write_text(names)
    planted_copy("voc", tmp_path / "voc", out, images=3, wrong=1)
    parts = [SegFiles(find_spec("voc", out), out, part).ids for part in ("train", "val")]
    assert parts == [("a", "b", "c"), ("d",)]


def test_a_copy_in_place_of_the_data_set_or_of_too_few_folds_is_never_made(tmp_path):
    mine = two_classes(tmp_path / "data")
    (tmp_path / "linked").symlink_to(tmp_path)
    before = {path: path.read_bytes() for path in mine.rglob("*.*")}
    for out in (tmp_path, tmp_path / "linked"):
        with pytest.raises(KitError, match="is the data set itself; name another folder"):
            measure("folder", mine, out, images=4, wrong=2)
    with pytest.raises(KitError, match="--folds is 1; give 2 to 4"):
        measure("folder", mine, tmp_path / "copy", images=4, wrong=2, folds=1)
    assert not (tmp_path / "copy").exists()
    after = {path: path.read_bytes() for path in mine.rglob("*.*") if not path.is_symlink()}
    assert after == before


def test_runs_without_a_suspicion_are_told(monkeypatch, capsys):
    nothing = {"recall_of": {}, "first": 0, "precision": None, "planted": 3, "recall": 0.0}
    monkeypatch.setattr("kit.batch.experiments.planted_errors.measure", lambda *given, **more: nothing)
    names = ("dataset", "root", "images", "wrong", "folds", "steps", "seed")
    label._planted(argparse.Namespace(**dict.fromkeys(names), out=Path("out")))
    assert "no label is suspicious; 3 regions are planted" in capsys.readouterr().out
