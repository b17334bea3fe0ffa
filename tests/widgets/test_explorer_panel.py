import io
import json
import shlex

import ipywidgets
import numpy as np
import pytest
from PIL import Image

import kit
from kit.batch import Cell
from kit.explore.explorer import LONGEST, Explorer
from kit.explore.view_request import PHOTO, ViewRequest
from kit.settings.notebook import check_values
from kit.system.paths import PROJECT
from kit.widgets.explorer import ExplorerPanel, save_view
from kit.widgets.watch import RunPanel, attended, watching


@pytest.fixture(scope="module")
def run(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "trikd"
    small = {"data.crop": (64, 64), "data.base_size": None, "data.labelled": 2, "data.unlabelled": 2,
             "data.cache": False, "train.log_every": 1}  # fmt: skip
    kit.fit(kit.configure(method="trikd", recipe="tiny", steps=2, eval_every=1, split="1_2", overrides=small,
                          data_root=str(scenes), run_dir=str(folder)))  # fmt: skip
    return str(folder)


@pytest.fixture
def panel(run, tmp_path):
    explorer = Explorer([run])
    return ExplorerPanel(explorer, ViewRequest(run=run, image=explorer.images[0], view="truth"), tmp_path, thumbnails=2)


def shown(panel):
    return np.asarray(Image.open(io.BytesIO(panel.picture.png)))


@pytest.mark.parametrize("control, value", [("view", "error"), ("strength", 0.9), ("cls", "road"), ("image", 1)])
def test_every_control_changes_the_picture(panel, control, value):
    before = shown(panel)
    panel.controls[control].value = panel.explorer.images[value] if control == "image" else value
    assert (shown(panel) != before).any() and getattr(panel.request, control) == panel.controls[control].value


def test_a_click_moves_the_ring_and_is_read_out(panel):
    before = shown(panel)
    panel.picture.pixel = [0.1, 0.2]
    assert panel.request.pixel == (0.1, 0.2) and (shown(panel) != before).any()
    assert "row 6, column 25: truth " in panel.words.value


def test_a_thumbnail_is_a_way_to_its_image(panel, run):
    worst = [name for name, _ in panel.explorer.ranking(run)]
    sheet = panel.sheet.png
    panel.sheet.pixel = [0.5, 0.4]  # of four columns, two are filled
    assert panel.request.image == worst[1] and worst[1] in panel.picture.alt
    panel.sheet.pixel = [0.5, 0.9]
    assert panel.request.image == worst[1]
    panel.rank.value = 3
    assert panel.sheet.png != sheet and "to 3 of 3" in panel.sheet_words.value
    panel.sheet.pixel = [0.5, 0.1]
    assert panel.request.image == worst[2]
    assert [name for _, name in panel.controls["image"].options] == panel.explorer.images
    assert ExplorerPanel(panel.explorer, panel.request, panel.out).worst.layout.display == "none"


def test_thumbnails_that_cannot_be_read_do_not_hide_the_view(run, tmp_path):
    explorer = Explorer([run])
    gone = explorer.ranking(run)[0][0]
    explorer.files.paths[gone] = tmp_path / "gone.png"
    panel = ExplorerPanel(explorer, ViewRequest(run=run, image=explorer.ranking(run)[1][0]), tmp_path, thumbnails=2)
    assert "gone.png" in panel.sheet_words.value and panel.sheet.png == b""
    assert shown(panel).shape[2] == 3 and "predicts" in panel.words.value


def test_what_cannot_be_shown_is_said_and_the_image_stays(panel):
    panel.controls["network"].value = "cnn"
    panel.controls["view"].value = "attention"
    assert "has no attention" in panel.words.value and shown(panel).shape[1] == 640 and not panel.colours.value
    panel.controls["view"].value = "entropy"
    assert "row 32" in panel.words.value and "linear-gradient" in panel.colours.value


def test_controls_without_a_meaning_are_grey(panel):
    assert panel.controls["level"].disabled and not panel.controls["cls"].disabled
    panel.controls["view"].value = "low frequencies"
    assert not panel.controls["level"].disabled and panel.controls["cls"].disabled


def upload(panel, content):
    """As the browser's message does, which alone may set the value."""
    file = {"name": "p.png", "type": "image/png", "size": len(content), "content": content, "last_modified": 0}
    panel.upload.notify_change({"name": "value", "old": (), "new": (file,), "owner": panel.upload, "type": "change"})


def test_a_saved_view_can_be_made_again(panel, tmp_path):
    panel.controls["view"].value = "prediction"
    buffer = io.BytesIO()
    Image.new("RGB", (90, 60), "green").save(buffer, "PNG")
    upload(panel, buffer.getvalue())
    assert panel.request.image == PHOTO and shown(panel).shape[1] / shown(panel).shape[0] == 1.5
    panel.keep.click()
    (described,) = tmp_path.glob("*.json")
    parameters = json.loads(described.read_text())
    check_values(PROJECT / "notebooks/explore.ipynb", parameters)
    assert Image.open(parameters["photo"]).size == (90, 60) and described.with_suffix(".pdf").is_file()
    command = panel.saved.value.split("papermill ")[1].split("</pre>")[0].replace("&quot;", '"').replace("&#x27;", "'")
    assert json.loads(shlex.split(command)[-1]) == parameters
    assert Cell(PROJECT / "notebooks/explore.ipynb", tmp_path / "x.ipynb", parameters)


def test_a_saved_photograph_is_what_the_networks_got(panel, tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (LONGEST + 200, 40)).save(buffer, "PNG")
    panel.controls["view"].value = "prediction"
    upload(panel, buffer.getvalue())
    panel.keep.click()
    assert shown(panel).shape[1] == LONGEST
    assert Image.open(*tmp_path.glob("*-photograph.png")).size == (LONGEST + 200, 40)


def test_the_command_of_a_view_survives_an_apostrophe(panel, tmp_path):
    command = save_view(panel.explorer, panel.request, tmp_path / "Ann's views").splitlines()[-1]
    assert json.loads(shlex.split(command)[-1])["out"] == str(tmp_path / "Ann's views")


def test_saved_views_of_other_networks_and_levels_are_other_files(panel, tmp_path):
    student = {"run": panel.request.run, "image": panel.request.image, "view": "low frequencies"}
    for more in ({}, {"level": 1}, {"network": "vit", "view": "attention"}, {"view": "attention"}):
        save_view(panel.explorer, ViewRequest(**student | more), tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == len(list(tmp_path.glob("*.png"))) == 4


def test_a_file_that_is_no_picture_is_refused(panel, monkeypatch):
    floats = io.BytesIO()
    Image.new("F", (90, 60)).save(floats, "TIFF")
    for content in (b"no", floats.getvalue()):
        upload(panel, content)
        assert "p.png cannot be read" in panel.words.value and panel.request.image != PHOTO
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9)
    upload(panel, floats.getvalue())
    assert "exceeds limit" in panel.words.value


def test_no_part_of_it_waits_for_a_front_end(panel):
    found = [panel.box]
    for widget in found:
        found += getattr(widget, "children", ())
    assert len(found) > 10 and not any(isinstance(widget, ipywidgets.Output) for widget in found)


def test_nobody_watches_here(run):
    assert not attended()
    with watching(run) as nothing:
        assert nothing is None


def test_a_watched_run_is_drawn_again_when_it_has_grown(run, tmp_path):
    panel = RunPanel(tmp_path / "absent")
    assert not panel.update()
    panel = RunPanel(run)
    assert panel.update() and all(bytes(shown.value).startswith(b"\x89PNG") for shown in (panel.curves, panel.strip))
    before, log = bytes(panel.curves.value), panel.folder.log_file.read_text()
    assert not panel.update()
    try:
        panel.folder.append_log({**panel.folder.log()[0], "step": 3})
        assert panel.update() and bytes(panel.curves.value) != before
    finally:
        panel.folder.log_file.write_text(log)
