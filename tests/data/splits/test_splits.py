import dataclasses
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from kit.data.catalog import DATASETS, find_spec
from kit.data.reading.files import SegFiles
from kit.data.splits.comparison import overview
from kit.data.splits.hash_draw import digest, draw
from kit.data.splits.published import find_protocol, load_protocols
from kit.data.splits.split import (
    ABOUT,
    LABELLED,
    Split,
    check_split,
    checked_split,
    labelled_count,
    look_for_classes,
    missing_classes,
    read_list,
    read_lists,
    split_problems,
    write_lists,
)
from kit.errors import KitError
from kit.settings.run import DataConfig
from kit.system.paths import PROJECT


def both(root, dataset="folder"):
    spec = find_spec(dataset, root)
    return SegFiles(spec, root, "train"), SegFiles(spec, root, "val")


@pytest.fixture
def voc(tmp_path):
    """A devkit: train a, b, c; val v; photographs x, y that belong to no part."""
    sets = tmp_path / "ImageSets/Segmentation"
    sets.mkdir(parents=True)
    for folder in ("JPEGImages", "SegmentationClass"):
        (tmp_path / folder).mkdir()
    (sets / "train.txt").write_text("a\nb\nc\n")
    (sets / "val.txt").write_text("v\n")
    for name in "abcvxy":
        Image.new("RGB", (6, 4)).save(tmp_path / f"JPEGImages/{name}.jpg")
    for name in "abcv":
        Image.new("L", (6, 4), 1).save(tmp_path / f"SegmentationClass/{name}.png")
    return tmp_path


def test_the_draw_is_by_hash_nested_and_known():
    ids = [f"img_{i:03d}" for i in range(100)]
    assert draw(ids, 7, 0) == draw(reversed(ids), 7, 0) == draw(ids, 50, 0)[:7]
    assert set(draw(ids, 7, 0)) != set(draw(ids, 7, 1))
    assert draw(["a", "b", "c"], 3, 5) == ("b", "c", "a")  # sha256 of "5:b" is 1ee7.., "5:c" 4f45.., "5:a" ad62..
    assert digest(["b", "a", "a"]) == digest(["a", "b"])
    assert digest(["a"]) == "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"  # sha256 of "a\n"


@pytest.mark.parametrize(
    ("total", "counts"),
    [
        (2975, {30: 100, 16: 186, 8: 372, 4: 744, 2: 1488}),  # Cityscapes
        (10582, {16: 662, 8: 1323, 4: 2646, 2: 5291}),  # VOC with extra masks
    ],
)
def test_shares_are_rounded_up_as_published(total, counts):
    assert {share: labelled_count(f"1_{share}", total) for share in counts} == counts


def test_splits_of_one_folder(own):
    train, val = both(own)
    every = checked_split(DataConfig(split="masks"), train, val)
    assert every.labelled and set(every.labelled) == {"t0", "t1", "t2", "t3"} and every.unlabelled == ("t4", "t5")
    half = checked_split(DataConfig(split="1_2", split_seed=3), train, val)
    assert len(half.labelled) == 2 and set(half.labelled) | set(half.unlabelled) == set(train.ids)
    assert half.name == "1_2 seed 3" and half.record()["labelled_sha256"] == digest(half.labelled)
    write_lists(half, own / "lists")
    again = checked_split(DataConfig(split=str(own / "lists")), train, val)
    assert again.record() == half.record()  # the name as well


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "message"),
    [
        ([], ["t1"], "no labelled image"),
        (["t0", "t1"], ["t1"], r"1 image\(s\) \(t1\) in both lists"),
        (["t0"], ["z"], r"1 image\(s\) \(z\) not found in"),
        (["t5"], ["t1"], r"no mask for 1 image\(s\) \(t5\)"),
        (["t0", "t0"], ["t1"], r"1 image\(s\) \(t0\) twice in the labelled list"),
        (["t0"], ["t1", "t2", "t1"], r"1 image\(s\) \(t1\) twice in the unlabelled list"),
    ],
)
def test_splits_that_do_not_fit_raise(own, labelled, unlabelled, message):
    train, val = both(own)
    write_lists(Split("x", tuple(labelled), tuple(unlabelled)), own / "lists")
    with pytest.raises(KitError, match=message):
        checked_split(DataConfig(split=str(own / "lists")), train, val)


def test_a_split_must_not_contain_val_images(own):
    shutil.copy(own / "images/train/t0.jpg", own / "images/val/t0.jpg")
    train, val = both(own)
    with pytest.raises(KitError, match=r"\(t0\) also in the val part"):
        checked_split(DataConfig(split="masks"), train, val)


@pytest.mark.parametrize("split", ["1_0", "count_99", "half", "nowhere/at/all"])
def test_invalid_splits_raise(own, split):
    with pytest.raises(KitError, match=f"split '{split}' is neither"):
        checked_split(DataConfig(split=split), *both(own))


def test_the_committed_lists_are_the_hash_draw():
    folder = PROJECT / "splits/synthetic/1_16"
    labelled, unlabelled = read_list(folder / LABELLED), read_list(folder / "unlabelled.txt")
    assert (len(labelled), len(unlabelled)) == (12, 180)
    assert set(labelled) == set(draw([*labelled, *unlabelled], 12, 0))
    about = json.loads((folder / ABOUT).read_text())
    assert about["name"] == "1_16 seed 0" and about["labelled_sha256"] == digest(labelled)


@pytest.mark.parametrize("file", [LABELLED, "unlabelled.txt"])
def test_edited_lists_raise(own, file):
    train, val = both(own)
    lists = own / "lists"
    write_lists(checked_split(DataConfig(split="1_2"), train, val), lists)
    path = lists / file
    path.write_text("\n".join(path.read_text().split()[1:]) + "\n")
    with pytest.raises(KitError, match=f"{file} is no longer the list of '1_2 seed 0'"):
        checked_split(DataConfig(split=str(lists)), train, val)
    (lists / ABOUT).unlink()
    assert checked_split(DataConfig(split=str(lists)), train, val).name == f"lists {lists}"


def test_order_and_line_ends_do_not_make_other_lists(own):
    train, val = both(own)
    write_lists(Split("mine", ("t0", "t1"), ("t4", "t5")), own / "lists")
    (own / "lists" / LABELLED).write_bytes("\ufefft1\r\n\r\nt0".encode())
    assert checked_split(DataConfig(split=str(own / "lists")), train, val).name == "mine"


def test_extra_images_are_separate_from_the_protocol(voc):
    plain, more = (checked_split(DataConfig(split="1_2", extra=extra), *both(voc, "voc")) for extra in (False, True))
    assert more.extra == ("x", "y") and more.name == "1_2 seed 0 + 2 extra"
    assert more.pool == (*plain.unlabelled, "x", "y")
    assert (more.labelled, more.unlabelled) == (plain.labelled, plain.unlabelled)
    before, after = plain.record(), more.record()
    assert before["extra"] == 0 and before["extra_sha256"] is None
    assert after["extra"] == 2 and after["extra_sha256"] == digest("xy")
    assert {key for key in before if before[key] != after[key]} == {"name", "extra", "extra_sha256"}


def test_lists_may_contain_extra_images(voc):
    write_lists(Split("mine", ("a",), ("b", "x")), voc / "lists")
    split = checked_split(DataConfig(split=str(voc / "lists"), extra=True), *both(voc, "voc"))
    assert split.unlabelled == ("b", "x") and split.extra == ("y",)


def test_missing_extra_images_raise(own):
    with pytest.raises(KitError, match="data.extra is on, but .* holds no images beyond split '1_2 seed 0'"):
        checked_split(DataConfig(split="1_2", extra=True), *both(own))


@pytest.mark.parametrize(("name", "part"), [("b", "train"), ("v", "val")])
def test_images_in_the_data_sets_lists_must_exist(voc, name, part):
    if part == "val":
        with open(voc / "ImageSets/Segmentation/val.txt", "a") as file:
            file.write("gone\n")
    else:
        (voc / "JPEGImages/b.jpg").unlink()
    wanted = rf"lacks 1 image\(s\) \({'gone' if part == 'val' else name}\) that the data set lists as {part}"
    with pytest.raises(KitError, match=wanted):
        checked_split(DataConfig(split="1_2"), *both(voc, "voc"))


def test_missing_classes_are_named_and_reading_stops_early(own, monkeypatch):
    train, _ = both(own)
    for name, value in (("t0", 0), ("t1", 9), ("t2", 1)):
        Image.fromarray(np.full((40, 60), value, np.uint8)).save(own / f"labels/train/{name}.png")
    assert missing_classes(train, ("t0", "t1")) == ("leaf",) and missing_classes(train, ("t1",)) == ("ground", "leaf")
    split = look_for_classes(Split("x", ("t0", "t1"), ("t4",)), train)
    assert "no labelled image holds leaf" in split.warning and split.record()["missing_classes"] == ["leaf"]
    assert Split("x", ("t0",), ()).record()["missing_classes"] is None and not Split("x", ("t0",), ()).warning
    read = []
    monkeypatch.setattr(train, "full_mask", lambda name: read.append(name) or SegFiles.full_mask(train, name))
    assert missing_classes(train, ("t0", "t2", "t1", "t3")) == () and read == ["t0", "t2"]


def test_a_run_reports_and_records_missing_classes(tiny, capsys):
    import kit

    result = kit.fit(tiny(split="count_1", steps=2))
    split = result["split"]
    assert split["labelled"] == 1 and split["missing_classes"] and split["extra"] == 0
    assert f"no labelled image holds {', '.join(split['missing_classes'])}" in capsys.readouterr().out


def test_tables_of_protocols_are_complete():
    known = load_protocols()
    assert {p.dataset for p in known} == {"cityscapes", "voc"} <= set(DATASETS)
    assert len({(p.labelled_sha256, p.unlabelled_sha256) for p in known}) == len({(p.dataset, p.name) for p in known})
    for p in known:
        total = {"cityscapes": 2975, "voc": 1464 if p.name.startswith("pseudoseg") else 10582}[p.dataset]
        assert p.labelled + p.unlabelled - p.shared == total and p.used_by
        assert (p.high_quality is not None) == (p.dataset == "voc") and (p.high_quality or 0) <= min(p.labelled, 1464)
        assert all(len(sha256) == 64 and int(sha256, 16) for sha256 in (p.labelled_sha256, p.unlabelled_sha256))
    assert [p.name for p in known if p.shared] == [f"pseudoseg 1/{n}" for n in (16, 8, 4, 2)]
    assert sum(path.suffix == ".txt" for path in (PROJECT / "splits").rglob("*")) == 2  # no lists of other projects


def test_protocols_are_identified_by_both_lists(tmp_path):
    entry = {"name": "paper 1/2", "labelled": 1, "unlabelled": 2, "used_by": ["Paper half"],
             "labelled_sha256": digest("a"), "unlabelled_sha256": digest("bc")}  # fmt: skip
    (tmp_path / "voc.json").write_text(json.dumps({"dataset": "voc", "protocols": [entry]}))
    assert find_protocol(["a"], ["c", "b"], tmp_path).name == "paper 1/2"
    assert find_protocol(["a"], ["b"], tmp_path) is None and find_protocol(["b"], ["c", "b"], tmp_path) is None
    (tmp_path / "voc.json").write_text(json.dumps({"dataset": "voc", "protocols": [{"name": "x"}]}))
    with pytest.raises(KitError, match="voc.json is not a table of protocols"):
        load_protocols(tables=tmp_path)


def test_a_published_name_has_priority(own, monkeypatch):
    published = SimpleNamespace(name="paper 1/2")
    monkeypatch.setattr("kit.data.splits.split.find_protocol", lambda labelled, unlabelled: published)
    write_lists(Split("mine", ("t0",), ("t4",)), own / "lists")
    assert checked_split(DataConfig(split=str(own / "lists")), *both(own)).name == "paper 1/2"


def test_images_of_a_drawn_val_part_are_not_said_to_be_missing(tmp_path):
    """Both parts of such a folder lie in one place; "not found" and "no mask" were said of files that are there."""
    for name in "abcd":
        for kind in ("images", "labels"):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.fromarray(np.zeros((40, 60), np.uint8)).save(tmp_path / f"{kind}/{name}.png")
    (tmp_path / "classes.yaml").write_text("classes: [ground, leaf]\n")
    train, val = both(tmp_path)
    (problem,) = split_problems(Split("mine", val.ids, train.ids), train, val)
    assert problem == f"split 'mine': 1 image(s) ({val.ids[0]}) also in the val part of {tmp_path}"


def test_splits_side_by_side(own):
    write_lists(Split("one", ("t0", "t1"), ("t4",)), own / "one")
    write_lists(Split("two", ("t1", "t2", "t3"), ("t4",)), own / "two")
    for name in ("t0", "t1"):
        Image.fromarray(np.zeros((40, 60), np.uint8)).save(own / f"labels/train/{name}.png")
    (lists, classes), warnings = overview([own / "one", own / "two"], files=both(own))
    assert [(row["name"], row["labelled"], row["shared with 1"], row["shared with 2"]) for row in lists] == [
        ("one", 2, 2, 1), ("two", 3, 1, 3)
    ]  # fmt: skip
    assert classes[1] == {"class": "leaf", "1 one": 0, "2 two": 2}
    assert warnings == ["split 'one': no labelled image holds leaf"]
    with pytest.raises(KitError, match="no .*labelled.txt; `splits import`"):
        overview([own])
    ((known, *_), *_), _ = overview([])
    assert known["name"] == "unimatch 1/30"
    with pytest.raises(KitError, match="no published splits of 'camvid' are known, only of cityscapes, voc"):
        overview([], "camvid")


def test_check_split_includes_extra_images(voc):
    train, val = both(voc, "voc")
    split = Split("x", ("a",), ("b",), ("x",))
    check_split(split, train, val)
    for extra, message in (("a", "in both lists"), ("v", "not found in|val part"), ("q", "not found in")):
        with pytest.raises(KitError, match=message):
            check_split(dataclasses.replace(split, extra=(extra,)), train, val)


@pytest.mark.parametrize("name", [" a", "a ", "a\rb", "caf\udce9"])
def test_ids_that_a_list_cannot_hold_are_refused_before_it_is_written(tmp_path, name):
    """Spaces are stripped when a list is read; a file name that is not UTF-8 cannot be written into one."""
    with pytest.raises(KitError, match="an image is called .* which a list cannot hold"):
        write_lists(Split("odd", ("b",), (name,)), tmp_path / "lists")
    assert not (tmp_path / "lists").exists()
    whole = Split("odd", ("Screenshot at 1.23\u202fPM (2)",), ("é ü",))
    write_lists(whole, tmp_path / "lists")
    assert read_lists(tmp_path / "lists", "") == whole
