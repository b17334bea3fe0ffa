import json
import os

import numpy as np
import pytest
from broken_data import CASES, GOOD, files, images, masks
from broken_data.good import camvid, cityscapes, folder
from broken_data.layouts import val_is_empty
from PIL import Image

from kit.__main__ import main
from kit.data.doctor.diagnose import examine, sound_pairs
from kit.data.doctor.findings import of_thin_classes
from kit.errors import KitError
from kit.figures.tables.diagnosis import class_rows, findings_text, part_rows, summary


def look(dataset, root, split="", **options):
    lists = root.with_name("lists")
    return examine(dataset, root, str(lists) if split == "lists" else split, **{"workers": 1, **options})


def of(diagnosis, severity):
    return [finding for finding in diagnosis.findings if finding.severity == severity]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.breaks.__name__)
def test_what_is_broken_is_reported_by_name(case, tmp_path):
    root = GOOD[case.dataset](tmp_path / "data")
    before = look(case.dataset, root)
    assert case.kind not in {finding.kind for finding in before.findings}  # or the test could not fail
    name = case.breaks(root)
    found = look(case.dataset, root, case.split)
    meant = [finding for finding in found.findings if finding.kind == case.kind]
    assert meant, f"only {found.findings}"
    assert {finding.severity for finding in meant} == {case.severity}
    assert any(name in finding.message for finding in meant), meant
    assert all(finding.message and "\n" not in finding.message and finding.count >= 1 for finding in found.findings)
    assert name in summary(found) and json.dumps(found.record(), allow_nan=False)


def test_at_least_42_kinds_of_fault_are_tested():
    assert len({case.breaks for case in CASES}) == len(CASES) >= 42
    assert {case.dataset for case in CASES} == set(GOOD)


@pytest.mark.parametrize("dataset", GOOD)
def test_good_data_sets_have_no_errors_and_no_warnings(dataset, tmp_path):
    found = look(dataset, GOOD[dataset](tmp_path / "data"), "all")
    assert not of(found, "error")
    assert {finding.kind for finding in of(found, "warning")} == {"few val images"}  # small enough for a test
    assert found.files == sum(c.images + c.masks for part, c in found.parts.items() if part != "labelled")
    assert set(found.parts) == {"train", "val", "labelled"} and found.split["missing_classes"] == []


def test_pixels_are_counted_by_class(tmp_path):
    root = folder(tmp_path / "data")
    pixels = np.full((40, 64), 255, np.uint8)
    pixels[:3, :10], pixels[5, :4] = 1, 2
    for path in (root / "labels").iterdir():
        Image.fromarray(pixels).save(path)
    train = look("folder", root).parts["train"]
    assert train.pixels == {"ground": 0, "leaf": 30 * train.masks, "stem": 4 * train.masks}
    assert train.ignored == train.masks * (40 * 64 - 34) and train.present["stem"] == train.masks
    assert train.sizes == {"40 x 64": train.images}


def test_all_file_forms_of_a_mask_give_the_same_counts(tmp_path):
    root = folder(tmp_path / "data")
    ids = np.random.default_rng(0).integers(0, 3, (40, 64)).astype(np.uint8)
    colours = np.array([(0, 0, 0), (0, 160, 60), (90, 60, 0)], np.uint8)
    odd = Image.fromarray(np.array([2, 0, 1], np.uint8)[ids])  # index 2 is ground, 0 leaf, 1 stem
    odd.putpalette(colours[[1, 2, 0]].ravel().tolist())
    indexed = Image.fromarray(ids)
    indexed.putpalette([7, 7, 7, 8, 8, 8, 9, 9, 9])  # colours of nothing: the index counts
    forms = [Image.fromarray(ids), Image.fromarray(colours[ids]), odd, indexed, Image.fromarray(ids.astype(np.uint16))]
    for i, picture in enumerate(forms):
        picture.save(root / f"labels/p{i}.png")
    found = look("folder", root)
    assert not of(found, "error")
    counted = [sum(found.parts[part].pixels[name] for part in ("train", "val")) for name in ("ground", "leaf", "stem")]
    assert counted == [int(n) * len(forms) for n in np.bincount(ids.ravel())]


def test_names_with_spaces_accents_and_no_encoding(tmp_path):
    root = folder(tmp_path / "mein Ordner")
    (root / "images/p6.png").rename(root / "images/größe 6.png")
    (root / "images/p7.png").rename(root / "images/写真.png")
    (root / "images/p5.png").rename(root / "images/Screenshot at 1.23\u202fPM.png")  # as macOS names it
    assert not of(look("folder", root), "error")
    try:
        (root / "images/写真.png").rename(os.fsdecode(bytes(root / "images") + b"/\xff.png"))
    except OSError:
        pytest.skip("this file system wants names in UTF-8")
    files.cut(root / "images/größe 6.png", 0)
    found = look("folder", root, "all")
    assert "größe 6.png" in summary(found) and summary(found).encode() and json.dumps(found.record())
    assert any(finding.kind == "name" and r"/\udcff.png" in finding.message for finding in of(found, "error"))


def test_several_faults_are_all_reported_with_two_workers(tmp_path):
    root = cityscapes(tmp_path / "data")
    names = [breaks(root) for breaks in (files.image_cut_in_half, masks.value_without_a_class, images.black_frame)]
    seen = []
    found = look("cityscapes", root, workers=2, progress=lambda done, total: seen.append((done, total)))
    assert all(any(name in finding.message for finding in found.findings) for name in names)
    assert seen == [(i, found.files) for i in range(1, found.files + 1)]
    assert found.findings == look("cityscapes", root, workers=1).findings
    assert [finding.severity for finding in found.findings] == sorted(finding.severity for finding in found.findings)


def test_one_broken_part_does_not_hide_the_other(tmp_path):
    root = camvid(tmp_path / "data")
    val_is_empty(root)
    name = files.empty_image(root)
    found = look("camvid", root, "1_2")
    assert {"no images", "unreadable"} <= {finding.kind for finding in found.findings} and set(found.parts) == {"train"}
    assert any(name in finding.message for finding in found.findings) and found.split is None


def test_thin_classes_are_named_where_another_split_could_have_more():
    """40 images of 1,000 pixels. "rare" is in eight of them, four of which show a tenth of the others' 100 pixels."""
    train = np.zeros((40, 2), int)
    train[:, 0], train[:4, 1], train[4:8, 1] = 1000, 100, 10
    (finding,) = of_thin_classes(("much", "rare"), train[4:24], train)
    assert finding.severity == "warning" and finding.count == 1 and "much (" not in finding.message
    assert "in the 20 labelled images: rare (0.20% of the pixels, 1.09% in train; " in finding.message
    assert "in 0 images" in finding.message and "--cover 5 --pixels 0.5" in finding.message
    assert not [*of_thin_classes(("much", "rare"), train, train)]  # no other split has more
    assert not [*of_thin_classes(("much", "rare"), train[:20], train)]  # all that there is of it
    assert not [*of_thin_classes(("much", "rare"), train[10:], train)]  # absent, which is another finding
    few = np.zeros((40, 2), int)
    few[:, 0], few[:6, 1], few[24:, 1] = 1000, 100, 100
    (finding,) = of_thin_classes(("much", "rare"), few[:24], few)  # a quarter of the images, of train more than half
    assert "rare (2.44% of the pixels, 5.21% in train" in finding.message and "in 6 images" in finding.message


def test_unreadable_permissions_are_reported(tmp_path):
    root = camvid(tmp_path / "data")
    path = root / "images/train/0001.jpg"
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert any("0001.jpg cannot be read" in finding.message for finding in of(look("camvid", root), "error"))


def test_many_findings_of_one_kind_are_grouped(tmp_path):
    root = camvid(tmp_path / "data")
    for i in range(10, 18):
        (root / f"images/train/00{i}.jpg").write_bytes(b"")
    text = findings_text(look("camvid", root))
    assert text.startswith("ERROR  unreadable in train: 8 times\n") and "images/train/0014.jpg and 3 more" in text
    assert "0015.jpg" not in text


def test_tables_and_sample_pairs(tmp_path):
    root = camvid(tmp_path / "data")
    files.empty_image(root)
    found = look("camvid", root, "1_2")
    assert [row["part"] for row in part_rows(found)] == ["train", "val", "labelled"]
    assert sum(row["share train"] for row in class_rows(found)) == pytest.approx(1)
    pairs = sound_pairs(found, "train", 9)
    assert {name for name, _, _ in pairs} == {"0001", "0002", "0003"}
    assert all(image.shape == (40, 64, 3) and mask.shape == (40, 64) for _, image, mask in pairs)
    assert sound_pairs(look("camvid", tmp_path / "absent")) == []


def test_wrong_arguments_raise(tmp_path):
    with pytest.raises(KitError, match="unknown dataset 'cityscape'"):
        examine("cityscape", tmp_path)
    with pytest.raises(KitError, match="workers"):
        examine("camvid", tmp_path, workers=0)


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = camvid(tmp_path / "data")
    command = ["doctor", "--dataset", "camvid", "--root", str(root), "--split", "1_2", "--workers", "1"]
    assert main(command) == 0
    record = json.loads((tmp_path / "runs/doctor/camvid.json").read_text())
    assert record["split"]["name"] == "1_2 seed 0" and record["parts"]["labelled"]["images"] == 2
    assert record["classes"][0] == "sky" and "torch" in record["versions"]
    assert {f["kind"] for f in record["findings"]} == {"few val images"}
    assert {path.name for path in root.iterdir()} == {"images", "labels"}
    name = masks.everything_ignored(root)
    assert main([*command, "--out", "warned.json"]) == 0 and name in capsys.readouterr().out
    name = images.mask_of_another_size(root)
    assert main([*command, "--out", "failed.json"]) == 1 and name in capsys.readouterr().out
    finding = json.loads((tmp_path / "failed.json").read_text())["findings"][0]
    assert finding["severity"] == "error" and finding["kind"] == "sizes differ" and finding["part"] == "train"
    assert finding["file"].endswith("labels/train/0001.png") and finding["count"] == 1
    assert main([*command[:2], "foo", *command[3:]]) == 2 and "unknown dataset" in capsys.readouterr().err
    assert main([*command, "--out", str(root / "images/train/0000.jpg/x.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    for name in ("one", "two"):  # each folder of own images is a data set of its own
        assert main(["doctor", "--dataset", "folder", "--root", str(folder(tmp_path / "mine" / name))]) == 0
        assert json.loads((tmp_path / f"runs/doctor/folder-mine-{name}.json").read_text())["root"].endswith(name)
    assert main(["doctor", "--dataset", "camvid"]) == 2
    assert "no data set is named; give --root, or --run" in capsys.readouterr().err
