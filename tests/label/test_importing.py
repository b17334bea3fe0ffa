"""Labels into a folder of one's own images: all or nothing, and val stays what it was."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from kit.__main__ import main
from kit.data.catalog import find_spec
from kit.data.reading.files import SegFiles
from kit.data.splits.split import read_lists
from kit.errors import KitError
from kit.label.importing import carry_out, drawn_val, plan_import
from kit.types import IGNORE

NAMES = [f"p{i}" for i in range(8)]


@pytest.fixture
def mine(tmp_path):
    """Eight photographs, of which the first four have masks."""
    root = tmp_path / "mine"
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    (root / "classes.yaml").write_text("classes: {ground: [0, 0, 0], leaf: [0, 160, 60]}\n")
    for name in NAMES:
        Image.new("RGB", (20, 10)).save(root / f"images/{name}.jpg")
    for name in NAMES[:4]:
        Image.fromarray(np.zeros((10, 20), np.uint8)).save(root / f"labels/{name}.png")
    return root


def export(folder, *names, label="leaf", x=5, **more):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        points = [[x, 0], [20, 0], [20, 10], [x, 10]]
        shapes = [{"label": label, "shape_type": "polygon", "points": points}]
        about = {"imagePath": f"../images/{name}.jpg", "imageHeight": 10, "imageWidth": 20}
        (folder / f"{name}.json").write_text(json.dumps({**about, "shapes": shapes, **more}))
    return folder


def files(root):
    spec = find_spec("folder", root)
    return SegFiles(spec, root, "train"), SegFiles(spec, root, "val")


def snapshot(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_masks_go_into_the_layout_and_the_split_is_extended(mine, tmp_path, capsys):
    val = files(mine)[1].ids
    assert main(["labels", "import", str(export(tmp_path / "e", "p5", "p6")), "--root", str(mine)]) == 0
    printed = capsys.readouterr().out
    assert "2 mask(s): 2 new, 0 replaced, 0 unchanged; 2 image(s) stay without one" in printed
    train, now = files(mine)
    assert now.ids == val == tuple((mine / "val.txt").read_text().split())  # no image has moved
    mask = train.full_mask("p5").numpy()
    assert (mask[:, 5:] == 1).all() and (mask[:, :5] == 255).all()  # not ground, which is black as well
    split = read_lists(mine / "splits/labels_5", "x")
    assert set(split.labelled) == {*NAMES[:4], "p5", "p6"} - set(val) and set(split.unlabelled) == {"p4", "p7"}
    assert main(["labels", "import", str(export(tmp_path / "f", "p7")), "--root", str(mine),
                 "--split", str(mine / "splits/labels_5"), "--lists", str(tmp_path / "lists")]) == 0  # fmt: skip
    again = read_lists(tmp_path / "lists", "x")
    assert set(again.labelled) == {*split.labelled, "p7"}
    about = json.loads((tmp_path / "lists/split.json").read_text())
    assert about["imported"] == ["p7"] and about["extends"] == "labels_5"


def test_lists_of_as_many_labels_do_not_replace_others(mine, tmp_path):
    (mine / "val.txt").write_text("p0\n")
    base = tmp_path / "base"
    base.mkdir()
    (base / "labelled.txt").write_text("p1\np2\n")
    (base / "unlabelled.txt").write_text("p3\n")
    folders = []
    for name in ("p5", "p6", "p6"):
        arguments = [str(export(tmp_path / name, name)), "--root", str(mine), "--split", str(base), "--replace"]
        assert main(["labels", "import", *arguments]) == 0
        folders.append({path.name: read_lists(path, "x").labelled for path in (mine / "splits").iterdir()})
    first, second, again = folders
    assert first == {"labels_3": ("p1", "p2", "p5")} and again == second  # the same import again: the same folder
    assert second["labels_3"] == first["labels_3"] and ("p1", "p2", "p6") in second.values()


@pytest.mark.parametrize(("images", "masks", "place"), [
    ("images/*", "labels/*.*", "labels/p.v5.png"),
    ("images/*", "labels/*", "labels/p.v5.png"),
    ("images/*", "labels/*_mask.*", "labels/p.v5_mask.png"),
    ("*/*.jpg", "labels/*/*.png", "labels/images/p.v5.png"),
    ("**/*.jpg", "labels/**/*.png", "labels/images/p.v5.png"),
])  # fmt: skip
def test_a_new_mask_is_found_by_the_pattern_that_names_its_file(images, masks, place, mine, tmp_path):
    with open(mine / "classes.yaml", "a") as file:
        file.write(f"images: '{images}'\nmasks: '{masks}'\n")
    for name in ("p5", "p6"):
        (mine / f"images/{name}.jpg").rename(mine / f"images/{name.replace('p', 'p.v')}.jpg")
    carry_out(plan_import(export(tmp_path / "e", "p.v5", "p.v6"), "folder", mine))
    assert {mine / place, mine / place.replace("v5", "v6")} <= {path for part in files(mine) for path, _ in
                                                                part.masks.values()}  # fmt: skip


def test_a_mask_is_replaced_only_on_request(mine, tmp_path, capsys):
    before = snapshot(mine)
    given = [str(export(tmp_path / "e", "p0", "p5")), "--root", str(mine)]
    assert main(["labels", "import", *given]) == 2 and snapshot(mine) == before
    assert "1 image(s) have another mask already" in capsys.readouterr().err
    assert main(["labels", "import", *given, "--replace", "--dry-run"]) == 0 and snapshot(mine) == before
    assert "100.0%" in capsys.readouterr().out  # of p0, which was ground, now leaf and void
    assert main(["labels", "import", *given, "--replace"]) == 0
    assert "1 new, 1 replaced" in capsys.readouterr().out
    assert main(["labels", "import", *given]) == 0  # the same again changes nothing
    assert "0 new, 0 replaced, 2 unchanged" in capsys.readouterr().out


@pytest.mark.parametrize(("names", "more", "message"), [
    (["p5", "elsewhere"], {}, "elsewhere.jpg: no such image"),
    (["p5"], {"label": "tree"}, "no class is called 'tree'"),
    (["p5"], {"x": -9}, "outside the image"),
    (["p5"], {"imageHeight": 99}, "export says 99 x 20, the image is 10 x 20"),
    (["p5"], {"shapes": []}, "holds no labels"),
])  # fmt: skip
def test_bad_exports_leave_everything_as_it_was(names, more, message, mine, tmp_path, capsys):
    before = snapshot(mine)
    assert main(["labels", "import", str(export(tmp_path / "e", *names, **more)), "--root", str(mine)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and snapshot(mine) == before


RLE = (
    '<annotations><image name="p5.jpg" width="20" height="10"><mask label="leaf" rle="3, 4" left="0" top="0" '
    'width="5" height="5"/></image></annotations>'
)
TWO = '<annotations><image name="p5.jpg" width="20" height="10"><polygon label="leaf" points="0,0;20,0;20,10"/>' \
      '<polygon label="ground" points="0,0;20,0;20,9"/></image></annotations>'  # fmt: skip


@pytest.mark.parametrize(("files", "message"), [
    ({}, "is empty"),
    ({"../annotations.xml": TWO}, "outside the archive"),
    ({"annotations.xml": bytes(4 * 2**20)}, "would grow from"),
    ({"annotations.xml": RLE}, "RLE has 7 pixels, and should have 5 x 5"),
    ({"annotations.xml": TWO}, "overlap in"),
])  # fmt: skip
def test_bad_archives_leave_everything_as_it_was(files, message, mine, tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "e.zip", "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    before = snapshot(tmp_path)
    assert main(["labels", "import", str(tmp_path / "e.zip"), "--root", str(mine)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and snapshot(tmp_path) == before


def test_nothing_is_half_written_if_the_disk_fills_up(mine, tmp_path, monkeypatch):
    from kit.label import importing

    plan = plan_import(export(tmp_path / "e", "p5", "p6"), "folder", mine)
    before, writes = snapshot(mine), []

    def full(path, content):
        writes.append(path)
        if len(writes) == 2:
            raise KitError("no room")
        path.write_bytes(content)

    monkeypatch.setattr(importing, "write_bytes", full)
    with pytest.raises(KitError, match="no room"):
        carry_out(plan)
    assert snapshot(mine) == before


def test_a_rename_that_fails_midway_puts_back_what_was_renamed(mine, tmp_path):
    plan = plan_import(export(tmp_path / "e", "p0", "p5", "p6", "p7"), "folder", mine, replacing=True)
    (mine / "labels/p6.png/inside").mkdir(parents=True)  # a folder cannot be replaced by a file
    before = snapshot(mine)
    with pytest.raises(KitError, match=r"p6.png cannot be written: Is a directory; nothing is changed"):
        carry_out(plan)
    assert snapshot(mine) == before and not (mine / "val.txt").exists()


def test_a_mask_that_cannot_be_written_is_one_line(mine, tmp_path, capsys):
    name = "n" * 245  # the image's name is allowed, that of the temporary file beside its mask is too long
    Image.new("RGB", (20, 10)).save(mine / f"images/{name}.jpg")
    before = snapshot(mine)
    assert main(["labels", "import", str(export(tmp_path / "e", "p5", name)), "--root", str(mine)]) == 2
    error = capsys.readouterr().err
    assert f"{name}.png cannot be written: " in error and error.count("\n") == 1 and snapshot(mine) == before


def test_the_first_masks_of_all_can_be_imported(mine, tmp_path, capsys):
    for path in (mine / "labels").iterdir():
        path.unlink()
    assert drawn_val("folder", mine) == ()
    assert main(["labels", "import", str(export(tmp_path / "e", "p5")), "--root", str(mine)]) == 0
    assert "no lists are written yet" in capsys.readouterr().out  # one mask is no train and val part
    assert main(["labels", "import", str(export(tmp_path / "f", "p6", "p7")), "--root", str(mine)]) == 0
    assert len(files(mine)[0].masked_ids) == 2 and len(files(mine)[1].ids) == 1


def test_lists_that_cannot_be_written_do_not_make_an_import_an_error(mine, tmp_path, capsys):
    before = snapshot(mine)
    (tmp_path / "file").write_text("x")
    given = ["labels", "import", str(export(tmp_path / "e", "p5")), "--root", str(mine), "--lists"]
    assert main([*given, str(tmp_path / "file")]) == 2
    assert "file is a file; name a folder for the lists" in capsys.readouterr().err and snapshot(mine) == before
    assert main([*given, str(tmp_path / "file/lists")]) == 0  # known only once the masks are in place
    assert "no lists are written yet: " in capsys.readouterr().out and (mine / "labels/p5.png").is_file()


@pytest.mark.parametrize("odd", ["p 1 ", "caf\udce9"])
def test_val_images_that_a_list_cannot_hold_are_refused_before_anything_is_written(mine, tmp_path, odd):
    """Written to val.txt they would not be found again, and the data set could not be opened."""
    name = files(mine)[1].ids[0]
    try:
        for kind in ("images/{}.jpg", "labels/{}.png"):
            (mine / kind.format(name)).rename(mine / kind.format(odd))
    except (OSError, UnicodeError):
        pytest.skip("this file system wants names in UTF-8")
    (mine / "classes.yaml").write_text("classes: [ground, leaf]\nval: 3\n")
    before, plan = snapshot(mine), plan_import(export(tmp_path / "e", "p6"), "folder", mine)
    assert odd in drawn_val("folder", mine)
    with pytest.raises(KitError, match="which a list cannot hold .*; rename its files"):
        carry_out(plan)
    assert snapshot(mine) == before


def test_val_txt_that_does_not_fit_is_refused(mine):
    (mine / "val.txt").write_text("p0\nnobody\n")
    with pytest.raises(KitError, match="val.txt: no image with a mask is called 'nobody'"):
        files(mine)
    (mine / "val.txt").write_text("")
    with pytest.raises(KitError, match="names no images"):
        files(mine)


@pytest.mark.parametrize("kind", ["labelIds", "labelTrainIds"])
def test_each_kind_of_masks_gets_its_own_values(kind, tmp_path):
    for part in ("train", "val"):
        for folder, end in (("leftImg8bit", "leftImg8bit"), ("gtFine", f"gtFine_{kind}")):
            (tmp_path / folder / part / "bonn").mkdir(parents=True)
            Image.new("L", (20, 10), 7).save(tmp_path / folder / part / f"bonn/bonn_{part}_{end}.png")
    shapes = [{"label": "car", "shape_type": "rectangle", "points": [[0, 0], [10, 10]]}]
    given = export(tmp_path / "e", "bonn_train", shapes=shapes, imagePath="bonn_train_leftImg8bit.png")
    carry_out(plan_import(given, "cityscapes", tmp_path, replacing=True))
    mask = SegFiles(find_spec("cityscapes", tmp_path), tmp_path, "train").full_mask("bonn_train").numpy()
    assert (mask[:, :10] == 13).all() and (mask[:, 10:] == IGNORE).all()
