"""Suggestions of a finished run, and the drafts that go with them."""

import json
import os

import numpy as np
import pytest
from PIL import Image

import kit
from kit.__main__ import main
from kit.data.catalog import find_spec
from kit.errors import KitError
from kit.label.evidence import Readers, gather
from kit.label.formats import read_export
from kit.label.formats.archive import open_export
from kit.label.preannotate import Drafts, draft, preannotate
from kit.label.suggest import candidates, seen, suggest, write_suggestions
from kit.types import IGNORE


def test_suggest_ranks_the_unlabelled_images_of_a_run(street, tmp_path):
    unlabelled, labelled = candidates(street)
    assert len(unlabelled) == len(labelled) == 4 and not {n for n, _ in unlabelled} & {n for n, _ in labelled}
    found = kit.suggest(street, 2, "disagree", alike=1.1, silent=True)
    assert set(found.names) < {name for name, _ in unlabelled} and found.chosen[0].score >= found.chosen[1].score > 0
    assert found.members.startswith("student, ")  # and the other network, which CPS kept
    assert found.record()["labelled"] == 4 and len(found.random) == 2
    files = write_suggestions(found, tmp_path, [found.names[1]])
    assert files[0].read_text() == f"{found.names[1]}\n"
    with pytest.raises(KitError, match="was not suggested"):
        write_suggestions(found, tmp_path, ["x"])
    shown = seen(found)
    assert shown[0].image.shape[:2] == shown[0].prediction.shape == shown[0].differing.shape


def test_val_images_are_not_suggested(street, scenes):
    """Where `images` is the data set's own folder."""
    offered, usual = ({path.resolve() for _, path in found[0]}
                      for found in (candidates(street, scenes / "leftImg8bit"), candidates(street)))  # fmt: skip
    assert offered == usual and not any("val" in path.parts for path in offered)


def test_what_is_alike_to_a_suggestion_or_a_label_is_passed_over(street, scenes, tmp_path):
    unlabelled, labelled = candidates(street)
    for place, (_, path) in enumerate([unlabelled[0], unlabelled[0], unlabelled[1], labelled[0]]):
        Image.open(path).save(tmp_path / f"p{place}.png")
    found = suggest(street, 4, "cover", images=tmp_path, silent=True, alike=0.999)
    assert len(found.chosen) == 2 and found.duplicates == 2 and "p3" not in found.names
    assert len({"p0", "p1"} & set(found.names)) == 1


def test_photographs_that_cannot_be_read_are_left_out_and_named(street, tmp_path, capsys):
    for place, (_, path) in enumerate(candidates(street)[0][:2]):
        Image.open(path).save(tmp_path / f"p{place}.png")
    (tmp_path / "half.jpg").write_bytes(b"\xff\xd8 no picture")
    given = ["suggest", str(street), "--images", str(tmp_path), "--alike", "1.1", "--out", str(street / "broken")]
    assert main(given) == 0
    printed = capsys.readouterr().out
    assert "2 of 2 images" in printed and "left out: " in printed and "half.jpg" in printed
    assert "half.jpg" in json.loads((street / "broken/suggestions.json").read_text())["broken"][0]
    for picture in tmp_path.glob("p*.png"):
        picture.write_bytes(b"")
    assert main(given) == 2 and "none of 3 images can be read" in capsys.readouterr().err


def test_views_of_one_network_are_compared_where_only_one_was_kept(street, tmp_path):
    readers = Readers(street)
    readers._nets = readers._nets[:1]
    pool, _ = gather(readers, candidates(street)[0][:2], [], silent=True)
    assert (pool.disagreement > 0).all() and pool.labelled == 0
    np.testing.assert_allclose(pool.shares.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(pool.features, axis=1), 1, atol=1e-5)
    alone, _ = gather(readers, candidates(street)[0][:1], [], silent=True, differing=False)
    assert alone.disagreement[0] == 0 and alone.features[0] == pytest.approx(pool.features[0])


def test_a_name_that_is_not_text_is_refused_before_anything_is_predicted(street, tmp_path):
    """Its list could not be written, and its sheet not be drawn, after all predictions."""
    try:
        Image.new("RGB", (8, 8)).save(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.png"))
    except (OSError, UnicodeError):
        pytest.skip("this file system wants names in UTF-8")
    with pytest.raises(KitError, match=r"'caf\\udce9', which a list cannot hold .*; rename its files"):
        candidates(street, tmp_path)


def test_bad_input_is_one_line(street, tmp_path):
    for name in ("a.png", "a.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    for call, message in (
        (lambda: suggest(street, 2, "best"), "strategy must be one of"),
        (lambda: suggest(tmp_path, 2), "holds no run"),
        (lambda: suggest(street, 0), "count must be above 0"),
        (lambda: suggest(street, 2, images=tmp_path / "absent"), "no folder"),
        (lambda: suggest(street, 2, images=tmp_path), "two pictures called a; rename one"),
        (lambda: seen(suggest(street, 2, alike=1e-9, silent=True)), "all 4 images are near-duplicates of labelled"),
        (lambda: Drafts("svg"), "preannotate must be one of"),
        (lambda: Drafts("png", "polygons"), "PNG masks hold no polygons"),
        (lambda: preannotate(kit.load(street), [], street, Drafts("cvat")), "is not empty"),
    ):
        with pytest.raises(KitError, match=message):
            call()


def test_unsure_pixels_and_specks_of_a_draft_are_void():
    p = np.zeros((2, 6, 6))
    p[0], p[1] = 0.9, 0.1
    p[:, :, 5] = 0.5  # not sure
    p[:, 1, 1] = 0.05, 0.95  # a speck
    mask = draft(p, 0.6, 4)
    assert (mask[:, 5] == IGNORE).all() and mask[1, 1] == IGNORE and (mask[2:, :5] == 0).all()


def test_the_command_writes_ids_reasons_a_sheet_and_drafts(street, capsys):
    out = street / "suggest"
    assert (
        main(["suggest", str(street), "--count", "2", "--alike", "1.1", "--preannotate", "labelme", "--sure", "0"]) == 0
    )
    printed = capsys.readouterr().out
    assert "2 of 4 images, strategy balanced" in printed
    names = (out / "images.txt").read_text().split()
    assert [row["image"] for row in json.loads((out / "suggestions.json").read_text())["suggested"]] == names
    assert {"contact_sheet.png", "contact_sheet.pdf", "random.txt", "labelme"} <= {p.name for p in out.iterdir()}
    spec = find_spec("synthetic", None)
    assert len(read_export(open_export(out / "labelme"), spec)) == 2
    assert main(["suggest", str(street), "--count", "9", "--alike", "1.1", "--out", str(out / "more")]) == 0
    assert "4 of 4 images" in (printed := capsys.readouterr().out) and "near-duplicates" not in printed
    assert main(["suggest", str(street), "--preannotate", "labelme"]) == 2 and "is not empty" in capsys.readouterr().err


def test_options_of_drafts_are_refused_before_anything_is_predicted_or_written(street, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("kit.label.suggest.suggest", lambda *given: pytest.fail("predicted first"))
    for option, value, message in (
        ("--sure", "2", "sure must lie between 0 and 1, got 2.0"),
        ("--smallest", "-4", "smallest must be 0 or more, got -4"),
        ("--tolerance", "nan", "tolerance must be 0 or more, got nan"),
    ):
        given = ["--out", str(tmp_path / "out"), "--preannotate", "labelme", option, value]
        assert main(["suggest", str(street), *given]) == 2
        assert message in capsys.readouterr().err and not (tmp_path / "out").exists()
