"""The panel around suggestions: what is ticked is exported, and an export comes in."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kit.label.suggest import Seen, Suggestion, Suggestions
from kit.widgets.label import LabelPanel


@pytest.fixture
def panel(tmp_path):
    chosen = tuple(Suggestion(name, Path(f"{name}.jpg"), 1.0, "why") for name in ("a", "b"))
    found = Suggestions(chosen, ("b", "a"), "cover", str(tmp_path / "run"), "average", 1, 9, 0, ("x", "y"),
                        ((0, 0, 0), (9, 9, 9)), "views")  # fmt: skip
    shown = Seen(np.zeros((6, 8, 3), np.uint8), np.zeros((6, 8), np.uint8), np.zeros((6, 8), np.float32))
    return LabelPanel(found, [shown, shown], tmp_path / "out", "folder", tmp_path / "mine")


def test_ticks_decide_what_is_exported(panel, tmp_path, monkeypatch):
    drafted = []
    monkeypatch.setattr(Suggestions, "student", lambda found: found.weights)
    monkeypatch.setattr("kit.widgets.label.preannotate", lambda *given, silent: drafted.append(given[:2]) or [])
    panel.boxes["a"].value = False
    panel.export.click()
    assert (tmp_path / "out/images.txt").read_text() == "b\n" and drafted == [("average", [("b", Path("b.jpg"))])]
    assert "images.txt" in panel.message.value
    panel.boxes["b"].value = False
    panel.export.click()
    assert "error: nothing is ticked" in panel.message.value


def test_drafts_that_exist_keep_their_lists(panel, tmp_path):
    (tmp_path / "out/cvat").mkdir(parents=True)
    (tmp_path / "out/cvat/annotations.xml").write_text("drawn by hand")
    panel.export.click()
    assert "error: " in panel.message.value and "is not empty" in panel.message.value
    assert not (tmp_path / "out/images.txt").exists()


def test_mistakes_of_an_import_are_shown(panel):
    panel.load.click()
    assert "error: name the file or folder" in panel.message.value  # "" would be the working folder
    panel.source.value = "absent.zip"
    panel.load.click()
    assert panel.message.value.count("error: ") == 1 and "classes.yaml" in panel.message.value


def test_an_import_without_lists_is_no_error(panel, tmp_path):
    mine, export = tmp_path / "mine", tmp_path / "export"
    for folder in (mine / "images", export):
        folder.mkdir(parents=True)
    (mine / "classes.yaml").write_text("classes: [x, y]\n")
    for name in "ab":
        Image.new("RGB", (8, 6)).save(mine / f"images/{name}.png")
    Image.new("L", (8, 6), 1).save(export / "a.png")
    panel.source.value = str(export)
    panel.load.click()
    assert (mine / "labels/a.png").is_file() and "no lists are written yet: " in panel.message.value
    assert "error: " not in panel.message.value
