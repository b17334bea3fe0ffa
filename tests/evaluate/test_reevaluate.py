"""Finished runs evaluated again, compared, used for predictions, and measured, from the command line."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import kit
from kit.__main__ import main
from kit.data.catalog import DATASETS
from kit.data.pictures import pictures_in
from kit.deploy.prediction_files import save_predictions
from kit.errors import KitError
from kit.evaluate.predict import Predictor
from kit.evaluate.reevaluate import as_text, compare_runs, evaluate_run
from kit.evaluate.scores.counts import load_counts, mask_digest
from kit.evaluate.student import read_pixels
from kit.runs.folder import RunFolder
from kit.system.storage import read_json, write_json
from kit.types import IGNORE

CPU = ["--device", "cpu"]


def test_a_run_keeps_what_was_counted(finished, scenes):
    folder = RunFolder(finished())
    result = folder.result()
    for which in ("last", "average"):
        counts = load_counts(folder.scores(which))
        assert len(counts.names) == 3 and counts.protocol == result["protocol"]
        assert counts.scores(tuple(result["dataset"]["classes"]), 50).record() == result[which]
    assert 0 <= result["last"]["calibration_error"] <= 1 and result["last"]["intervals"]["resamples"] == 50
    assert result["protocol_fields"]["mode"] == "whole"
    assert result["pretrained"]["student"]["network"] == "resnet18d.ra2_in1k"  # with its tag
    best = kit.load(folder.path, "best")
    assert best.predict(next((scenes / "leftImg8bit/val").rglob("*.png"))).shape == (64, 128)


def test_evaluated_again_it_scores_the_same(finished):
    folder = RunFolder(finished())
    again = evaluate_run(folder.path)
    assert {**again, **folder.result()["last"]} == again and again["counts"] == "scores_last.npz"
    best = evaluate_run(folder.path, "best")
    assert best["weights"] == "best" and folder.scores("best").is_file()


def test_another_protocol_gets_files_of_its_own(finished, capsys):
    folder = RunFolder(finished())
    before = folder.scores().read_bytes()
    slide = ["--window", "64", "64", "--stride", "32", "40", "--flip", "--limit", "2"]
    assert main(["evaluate", str(folder.path), *CPU, *slide]) == 0
    out = capsys.readouterr().out
    assert out.startswith("sliding windows of 64 x 64, stride 32 x 40, single scale, flip") and "2 images" in out
    record = json.loads((folder.path / "scores_last_slide_64x64_32x40_flip_first2.json").read_text())
    assert record["protocol_fields"]["stride"] == [32, 40] and record["images"] == 2
    assert main(["evaluate", str(folder.path), *CPU, *slide, "--combine", "logits"]) == 0
    assert "flip, logits averaged" in capsys.readouterr().out
    record = json.loads((folder.path / "scores_last_slide_64x64_32x40_flip_logits_first2.json").read_text())
    assert record["protocol_fields"]["combine"] == "logits"
    assert folder.scores().read_bytes() == before


def test_two_runs_are_compared_on_the_same_images(finished, capsys):
    runs = [str(finished()), str(finished("tinyvit_demo"))]
    assert main(["compare", *runs, "--resamples", "100"]) == 0
    out = capsys.readouterr().out
    assert "95 % over 3 images" in out and "p =" not in out and "no p-value: 3 images are too few" in out
    assert "unequal" not in out and "by names and pixels per class alone" not in out
    evaluate_run(runs[0], cfg=kit.load(runs[0]).config.evaluate.__class__(flip=True))
    with pytest.raises(KitError, match="no file"):
        compare_runs(*runs, name="last_whole_flip")
    with pytest.raises(KitError, match="resamples must be above 0, got 0"):
        compare_runs(*runs, resamples=0)
    counts = load_counts(RunFolder(finished()).scores("last_whole_flip"))
    counts.save(RunFolder(finished("tinyvit_demo")).scores("mixed"))
    load_counts(RunFolder(finished()).scores()).save(RunFolder(finished()).scores("mixed"))
    with pytest.raises(KitError, match="different protocols"):
        compare_runs(*runs, name="mixed")


def test_runs_on_other_data_are_not_compared_and_unequal_budgets_are_named(finished, tmp_path, capsys):
    mine = finished()
    other = shutil.copytree(mine, tmp_path / "other")
    result, counts = read_json(other / "result.json"), load_counts(RunFolder(other).scores())
    assert len(counts.masks) == 3 and counts.images == result["data"]["files"]["val images"]["sha256"]
    data = result["config"]["data"] | {"labelled": 7}
    write_json(other / "result.json", result | {"steps": 9, "config": result["config"] | {"data": data}})
    assert main(["compare", str(mine), str(other)]) == 0
    out = capsys.readouterr().out
    assert "methods only: steps 2 and 9; labelled images per step 2 and 7\n" in out and "the interval holds 0" in out
    for changes, message in (
        ({"masks": ("x", *counts.masks[1:])}, "the masks differ"),
        ({"images": "x"}, "images of one name differ on disk"),
        ({"names": ("x", *counts.names[1:])}, "ids differ"),
    ):
        replace(counts, **changes).save(RunFolder(other).scores())
        with pytest.raises(KitError, match=f"{message}; evaluate both on one data set"):
            compare_runs(mine, other)
    replace(counts, masks=None, images="").save(RunFolder(other).scores())  # of before digests were recorded
    assert main(["compare", str(mine), str(other)]) == 0
    assert "only by names and pixels per class" in capsys.readouterr().out
    classes = {"classes": ["street", *result["dataset"]["classes"][1:]]}
    write_json(other / "result.json", result | {"dataset": result["dataset"] | classes})
    with pytest.raises(KitError, match="different classes"):
        compare_runs(mine, other)


def test_a_difference_is_called_one_only_if_its_interval_says_so():
    found = {"first": 0.5, "second": 0.51, "difference": 0.01, "images": 40, "resamples": 100, "unequal": [],
             "same": True}  # fmt: skip
    for interval in ([-0.01, 0.03], [0, 0.03], [-0.01, 0]):
        unclear = as_text({**found, "interval": interval, "p": 0.3})
        assert "p = 0.3000" in unclear and unclear.endswith("no difference is shown: the interval holds 0\n")
    assert as_text({**found, "interval": [0.005, 0.03], "p": 0.01}).endswith("the second scores higher\n")
    lower = as_text({**found, "difference": -0.01, "interval": [-0.03, -0.005], "p": 0.01})
    assert lower.endswith("the second scores lower\n")


def test_the_digest_of_a_mask_is_that_of_its_ids_and_shape():
    mask = torch.arange(6).view(2, 3)
    assert mask_digest(mask) == mask_digest(mask.to(torch.uint8)) != mask_digest(mask.view(3, 2))
    assert mask_digest(mask) != mask_digest(mask.flip(0))  # as many pixels of each class


def test_damaged_counts_are_named(tmp_path):
    path = RunFolder(tmp_path).scores()
    with pytest.raises(KitError, match="python -m kit evaluate"):
        load_counts(path)
    with pytest.raises(KitError, match="evaluate .* --weights best$"):
        load_counts(RunFolder(tmp_path).scores("best"))
    with pytest.raises(KitError, match="--weights average and the options of the protocol whole_flip"):
        load_counts(RunFolder(tmp_path).scores("average_whole_flip"))
    for content in (b"", b"PK\x03\x04 not a zip", b"text"):
        path.write_bytes(content)
        with pytest.raises(KitError, match="scores_last.npz holds no counts"):
            load_counts(path)


def test_pictures_carry_their_palette(finished, scenes, tmp_path):
    run = finished()
    assert main(["predict", str(run), "--out", str(tmp_path / "out"), *CPU]) == 0
    student = kit.load(run)
    written = sorted((tmp_path / "out").glob("*.png"))
    assert len(written) == 3
    picture = Image.open(written[0])
    source = next((scenes / "leftImg8bit/val").rglob(f"{written[0].stem}_leftImg8bit.png"))
    expected = student.predict(source)
    assert picture.mode == "P" and np.array_equal(np.array(picture), expected)
    colours = np.array(student.palette, np.uint8)[expected]
    assert np.array_equal(np.array(picture.convert("RGB")), colours)
    over = ["predict", str(run), "--images", str(source), "--form", "overlay", "--out", str(tmp_path / "over"), *CPU]
    assert main(over) == 0
    blended = np.array(Image.open(tmp_path / "over" / f"{source.stem}.png"))
    assert np.array_equal(blended, student.predict(source, overlay=True))
    half = (np.array(Image.open(source).convert("RGB")).astype(int) + colours) / 2
    assert np.abs(blended - half).max() <= 0.5


def test_a_student_introduces_itself_in_three_lines(finished):
    run = finished()
    network, classes, origin = str(kit.load(run)).splitlines()
    count = sum(p.numel() for p in kit.load(run).net.parameters())
    assert network.startswith(f"deeplab_demo: {count:,} parameters; images resized to 64 x 128, whole image, single")
    assert classes.startswith("19 classes: road, sidewalk, ") and classes.endswith(" and 11 more")
    result = json.loads((run / "result.json").read_text())
    origin_of = "trained by supervised for 2 steps on synthetic, 1_2 seed 0, in {}; mIoU {:.1%} on val ({} weights)"
    assert origin == origin_of.format(run, result["last"]["miou"], "last")
    assert str(kit.load(run, "best")).endswith(origin_of.format(run, result["best"]["miou"], "best"))


def test_submissions_hold_the_raw_label_ids(finished, scenes, tmp_path):
    run, place = finished(), scenes / "leftImg8bit/val"
    ids = ["predict", str(run), "--form", "ids", "--images", str(place), "--out", str(tmp_path / "ids"), *CPU]
    assert main(ids) == 0
    written = sorted((tmp_path / "ids").glob("*.png"))
    table = {cls: raw for raw, cls in DATASETS["cityscapes"].layouts[0].masks[0].raw_ids.items() if cls != IGNORE}
    for path in written:
        picture = np.array(Image.open(path))
        (source,) = place.rglob(path.name)
        expected = np.vectorize(table.get)(kit.load(run).predict(source))
        assert picture.dtype == np.uint8 and np.array_equal(picture, expected)
    label_ids, train_ids = (kind.raw_values() for kind in DATASETS["cityscapes"].layouts[0].masks)
    assert label_ids[[0, 13, 18, IGNORE]].tolist() == [7, 26, 33, 0]  # 0 is unlabeled; labelIds have no 255
    assert train_ids[[0, 13, 18, IGNORE]].tolist() == [0, 13, 18, IGNORE]


def test_what_cannot_be_predicted_is_said(finished, tmp_path):
    student = kit.load(finished())
    with pytest.raises(KitError, match="palette, ids"):
        next(save_predictions(student, [], tmp_path, "jpeg"))
    with pytest.raises(KitError, match="classes"):
        next(save_predictions(student, [], tmp_path, "ids", spec=DATASETS["camvid"]))
    with pytest.raises(KitError, match="no pictures"):
        pictures_in(tmp_path)
    for name in ("a/x.png", "b/x.png", "b/.x.png", "b/notes.txt", ".thumbnails/y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [name for name, _ in pictures_in(tmp_path)] == ["a_x", "b_x"]


def test_broken_pictures_do_not_stop_the_others(finished, tmp_path, capsys):
    place, out = tmp_path / "in", tmp_path / "out"
    place.mkdir()
    for name in "abcd":
        Image.new("RGB", (40, 30)).save(place / f"{name}.png")
    (place / "a.png").write_bytes(b"")
    (place / "c.png").write_bytes((place / "d.png").read_bytes()[:50])
    assert main(["predict", str(finished()), "--images", str(place), "--out", str(out), *CPU]) == 2
    printed = capsys.readouterr().err
    assert "2 of 4 pictures cannot be predicted (2 are, in " in printed and printed.count("\n") == 1
    assert "a.png cannot be read: the file is empty" in printed and "c.png cannot be read" in printed
    assert sorted(path.name for path in out.iterdir()) == ["b.png", "d.png"]
    given = ["predict", str(finished()), "--images", str(place / "a.png"), "--out", str(out / "more"), *CPU]
    assert main(given) == 2 and not (out / "more").exists()


def test_no_prediction_takes_the_place_of_a_picture_or_of_another(finished, scenes, tmp_path):
    run = finished()
    for name in ("a.png", "b.jpg", "b.png"):
        Image.new("RGB", (64, 64), "red").save(tmp_path / name)
    before = (tmp_path / "a.png").read_bytes()
    for folder, message in ((tmp_path, "is a picture to be predicted"), (tmp_path / "out", "would both become b.png")):
        with pytest.raises(KitError, match=message):
            list(save_predictions(kit.load(run), pictures_in(tmp_path), folder))
    assert (tmp_path / "a.png").read_bytes() == before and not (tmp_path / "out").exists()


def test_a_student_answers_by_the_protocol_of_its_run(finished):
    student = kit.load(finished())
    picture = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    whole = student.probabilities(picture)
    cfg = replace(student.config.evaluate, mode="slide", window=(32, 32))
    student.config = replace(student.config, evaluate=cfg)
    windows = student.probabilities(picture)
    expected = Predictor(student.net, cfg).probabilities(student.prepare(picture), (64, 128))[0]
    assert torch.equal(windows, expected) and not torch.allclose(windows, whole, atol=1e-3)


def test_files_are_read_as_in_training(tmp_path):
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) << 10).save(tmp_path / "grey.png")
    for picture in (tmp_path / "grey.png", Image.open(tmp_path / "grey.png")):
        assert read_pixels(picture)[0].flatten().tolist() == [4 * i for i in range(64)]
    (tmp_path / "cut.png").write_bytes((tmp_path / "grey.png").read_bytes()[:40])
    with pytest.raises(KitError, match="cut.png"):
        read_pixels(tmp_path / "cut.png")
    for strange in (np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8),
                    torch.zeros(3, 8, 8), torch.zeros(8, 8, 3, dtype=torch.uint8)):  # fmt: skip
        with pytest.raises(KitError, match="a picture is given as .* uint8 .*, RGB, got .*8, 8"):
            read_pixels(strange)
