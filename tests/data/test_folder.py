"""One's own images, from the least to the most that a classes.yaml can say."""

import numpy as np
import pytest
from PIL import Image

from kit.data.catalog import find_spec
from kit.data.doctor.diagnose import examine
from kit.data.reading.files import SegFiles
from kit.errors import KitError
from kit.types import IGNORE

CLASSES = "classes: {ground: [0, 0, 0], leaf: [0, 160, 60]}\n"


def photographs(folder, names, suffix=".JPG"):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (40, 30)).save(folder / f"{name}{suffix}", format="JPEG")


def masks(folder, names, ending=".png", values=(0, 1, 255)):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(np.resize(np.array(values, np.uint8), (30, 40))).save(folder / f"{name}{ending}")


def both(root):
    spec = find_spec("folder", root)
    return SegFiles(spec, root, "train"), SegFiles(spec, root, "val")


def test_two_flat_folders_and_classes_only(tmp_path):
    """Ten photographs, five of them with masks: one of these five is val, drawn by hash."""
    (tmp_path / "classes.yaml").write_text(CLASSES)
    names = [f"p{i}" for i in range(10)]
    photographs(tmp_path / "images", names)
    (tmp_path / "images/.DS_Store").write_text("x")
    (tmp_path / "images/notes.txt").write_text("x")
    masks(tmp_path / "labels", names[:5])
    train, val = both(tmp_path)
    assert len(val.ids) == 1 and len(train.masked_ids) == 4 and set(train.ids) | set(val.ids) == set(names)
    assert set(val.ids) <= set(names[:5]) and not set(val.ids) & set(train.ids) and not train.extra_ids
    again = both(tmp_path)[1]
    assert again.ids == val.ids


def test_any_two_patterns_with_a_shared_name(tmp_path):
    (tmp_path / "classes.yaml").write_text(
        CLASSES + "ignore: [7, 9]\nimages: photos/*_rgb.*\nmasks: annotated/*_mask.png\nval: 2\n"
    )
    photographs(tmp_path / "photos", ["a_rgb", "b_rgb", "c_rgb", "d_rgb"], ".jpeg")
    masks(tmp_path / "annotated", ["a", "b", "c"], "_mask.png", values=(0, 1, 7, 9))
    train, val = both(tmp_path)
    assert set(train.ids) | set(val.ids) == set("abcd") and len(val.ids) == 2 and "d" in train.ids
    assert set(val.pair(val.ids[0])[1].unique().tolist()) == {0, 1, IGNORE}


def test_parted_patterns(tmp_path):
    (tmp_path / "classes.yaml").write_text(CLASSES + "images: '{part}/photo/*'\nmasks: '{part}/mask/*.png'\n")
    for part, name in (("train", "a"), ("train", "b"), ("val", "v")):
        photographs(tmp_path / part / "photo", [name])
        masks(tmp_path / part / "mask", [name])
    train, val = both(tmp_path)
    assert (train.ids, val.ids) == (("a", "b"), ("v",))


def test_masks_may_be_drawn_in_the_colours_of_the_classes(tmp_path):
    (tmp_path / "classes.yaml").write_text("classes: {soil: [90, 60, 30], leaf: [0, 160, 60]}\nval: 1\n")
    photographs(tmp_path / "images", ["a", "b"])
    drawn = np.resize(np.array([(90, 60, 30), (0, 160, 60), (0, 0, 0)], np.uint8), (30, 40, 3))
    (tmp_path / "labels").mkdir()
    for name in "ab":
        Image.fromarray(drawn).save(tmp_path / f"labels/{name}.png")
    train, _ = both(tmp_path)
    assert set(train.pair(train.ids[0])[1].unique().tolist()) == {0, 1, IGNORE}


def test_class_names_suffice_and_values_may_be_ignored(tmp_path):
    """The error for a value without a class names the line of classes.yaml that would allow it."""
    (tmp_path / "classes.yaml").write_text("classes: [sky, road, car]\nval: 1\n")
    photographs(tmp_path / "images", "ab")
    masks(tmp_path / "labels", "ab", values=(0, 1, 2, 11))
    train, _ = both(tmp_path)
    assert train.spec.classes == ("sky", "road", "car") and len(set(train.spec.palette)) == 3
    with pytest.raises(KitError, match=r"values \[11\].*add `ignore: \[11\]` to it") as raised:
        train.pair(train.ids[0])
    assert "classes.yaml" in str(raised.value)
    (tmp_path / "classes.yaml").write_text("classes: [sky, road, car]\nval: 1\nignore: [11]\n")
    train, _ = both(tmp_path)
    assert set(train.pair(train.ids[0])[1].unique().tolist()) == {0, 1, 2, IGNORE}


def test_classes_may_have_other_values_in_masks_such_as_255(tmp_path):
    (tmp_path / "classes.yaml").write_text("classes: [ground, leaf]\nval: 1\n")
    photographs(tmp_path / "images", "ab")
    masks(tmp_path / "labels", "ab", values=(0, 255))
    absent = [finding for finding in examine("folder", tmp_path, workers=1).findings if finding.kind == "class absent"]
    assert "name the `values` of all in classes.yaml" in absent[0].message
    (tmp_path / "classes.yaml").write_text("classes: [ground, leaf]\nval: 1\nvalues: [0, 255]\n")
    train, _ = both(tmp_path)
    assert set(train.pair(train.ids[0])[1].unique().tolist()) == {0, 1}
    written = train.layout.masks[0].raw_values()
    assert written[[0, 1, IGNORE]].tolist() == [0, 255, 254]  # 255 is taken


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected `classes"),
        ("classes: [1, 2]", "classes.yaml cannot be read"),
        ("classes: [sky, 2]", "classes.yaml cannot be read: expected `classes: .name, ....`"),
        ("classes: [sky]", "2 to 254 classes"),
        ("classes: [sky, road, sky]", "two classes are called 'sky'"),
        ("classes: [sky, road, '']", "a class has no name"),
        ("classes: {a: [0, 0, 0], ' ': [9, 9, 9]}", "a class has no name"),
        ("classes: {a: [0, 0, 0], b: [9, 9, 9], a: [1, 1, 1]}", "'a' is there twice"),
        ("classes: {a: [0, 0, 0], b: [0.0, 0.6, 0.2]}", "got {'a': .0, 0, 0., 'b': .0.0, 0.6, 0.2.}"),
        ("classes: {a: [0, 0, 0], no: [9, 9, 9]}", "the name of a class for False; put it in quotes"),
        ("classes: [on, a]", "the name of a class for True; put it in quotes"),
        ("classes: {a: [0, 0, 0]}", "2 to 254 classes"),
        ("classes: {a: [0, 0, 0], b: [0, 0, 300]}", "colour"),
        ("classes: {a: [0, 0, 0], b: [0, 0, 0]}", "the same colour"),
        ("classes: {a: [0, 0, 0], b: [0, 0]}", "colour"),
        ("classes: {a: [0, 0, 0], b: [9, 9, 9]}\nmask: x/*.png", "unknown key 'mask'; known are"),
        ("classes: {a: [0, 0, 0], b: [9, 9, 9]}\nignore: 1", "ignore is 1; give values of 0 to 255 that no"),
        ("classes: [a, b]\nvalues: [0, 255]\nignore: [255]", "ignore is .255.; give values"),
        ("classes: [a, b]\nvalues: [0]", "values is .0.; give each of the 2 classes a value"),
        ("classes: [a, b]\nvalues: [7, 7]", "give each of the 2 classes a value of its own"),
        ("classes: [a, b]\nvalues: [0, 256]", "0 to 255"),
        ("classes: {a: [0, 0, 0], b: [9, 9, 9]}\nval: 0", "val is 0"),
        ("classes: {a: [0, 0, 0], b: [9, 9, 9]}\nval: .nan", "val is nan"),
        ("classes: {a: [0, 0, 0], b: [9, 9, 9]}\nimages: 'i/*.{jpg,png}'", "no braces but {part} have a meaning"),
        ("classes: {a: [0, 0, 0], b: [9, 9, 9]}\nimages: photos", "give a pattern below the folder"),
        ("classes: {a: [0, 0, 0], b: [9, 9, 9]}\nimages: '{part}/*'\nmasks: 'm/*.png'", "in both images and masks, or"),
        ("classes: {a: [0, 0, 0]\n", "classes.yaml cannot be read"),
    ],
)
def test_errors_in_classes_yaml_are_reported(tmp_path, text, message):
    (tmp_path / "classes.yaml").write_text(text)
    with pytest.raises(KitError, match=message) as raised:
        find_spec("folder", tmp_path)
    assert "\n" not in str(raised.value)


def test_val_must_leave_images_to_train_on(tmp_path):
    (tmp_path / "classes.yaml").write_text(CLASSES + "val: 3")
    photographs(tmp_path / "images", ["a", "b", "c", "d"])
    masks(tmp_path / "labels", ["a", "b", "c"])
    with pytest.raises(KitError, match="3 of 3 images with masks go to val, and none is left"):
        both(tmp_path)


def test_a_folder_without_masks_raises(tmp_path):
    (tmp_path / "classes.yaml").write_text(CLASSES)
    photographs(tmp_path / "images", ["a", "b"])
    with pytest.raises(KitError, match="none of the 2 images has a mask of its name; label some"):
        both(tmp_path)


def test_a_folder_without_readable_images_is_not_one_without_masks(tmp_path):
    (tmp_path / "classes.yaml").write_text(CLASSES)
    photographs(tmp_path / "images/trip", ["a", "b"])
    photographs(tmp_path / "images", ["c"], ".heic")
    masks(tmp_path / "labels", ["a", "b", "c"])
    with pytest.raises(KitError, match="no images at .*images/. in a format that Pillow reads"):
        both(tmp_path)


def test_val_txt_may_come_from_a_windows_editor(tmp_path):
    (tmp_path / "classes.yaml").write_text(CLASSES)
    photographs(tmp_path / "images", ["a", "b", "c"])
    masks(tmp_path / "labels", ["a", "b"])
    (tmp_path / "val.txt").write_bytes("\ufeffb\r\n".encode())
    assert both(tmp_path)[1].ids == ("b",)
