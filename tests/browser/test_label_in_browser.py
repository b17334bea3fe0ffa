"""The loop of labelling in a real browser: look at suggestions, untick one, export, import what comes back."""

import shutil

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright", reason="the extra 'browser' is not installed: pip install -e .[browser]")

from lab import browser, chromium, lab, prepared, run_all, watched

from kit.data.catalog import find_spec
from kit.data.reading.files import SegFiles

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]


@pytest.fixture
def mine(scenes, tmp_path):
    """A folder of one's own: eight drawn scenes, five of them with masks."""
    root, spec = tmp_path / "mine", find_spec("synthetic", scenes)
    train = SegFiles(spec, scenes, "train")
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    classes = ", ".join(f"{name}: {list(colour)}" for name, colour in zip(spec.classes, spec.palette, strict=True))
    (root / "classes.yaml").write_text(f"classes: {{{classes}}}\nval: 2\n")
    for place, name in enumerate(train.ids):
        shutil.copy(train.paths[name], root / f"images/{name}{train.paths[name].suffix}")
        if place < 5:
            Image.fromarray(train.full_mask(name).numpy()).save(root / f"labels/{name}.png")
    return root


def test_suggestions_are_ticked_exported_and_come_back(mine, screens, notebooks, tmp_path):
    out = tmp_path / "loop"
    small = {"data.crop": [64, 64], "data.base_size": None, "data.labelled": 2, "train.log_every": 1,
             "data.cache": False, "data.observe": False}  # fmt: skip
    root = tmp_path / "lab"
    root.mkdir()
    prepared(notebooks / "label.ipynb", root / "label.ipynb",
             {"recipe": "tiny", "data_root": str(mine), "steps": 4, "overrides": small, "count": 2, "out": str(out),
              "strategy": "disagree", "sure": 0.0})  # fmt: skip
    with lab(root, tmp_path / "private") as address, browser() as started:
        page = started.new_page(viewport={"width": 1280, "height": 1000})
        errors = watched(page)
        page.goto(address.format("label.ipynb"))
        run_all(page)
        button = page.get_by_role("button", name="Export ticked")
        button.wait_for(timeout=180_000)
        boxes = page.locator(".widget-checkbox input")
        boxes.first.scroll_into_view_if_needed()
        page.screenshot(path=screens / "label_suggestions.png")
        boxes.first.click()
        page.get_by_label("Format", exact=True).select_option(label="png")
        button.click()
        page.get_by_text("SegmentationClass").first.wait_for(timeout=60_000)
        (place,) = out.glob("labels_*/suggest")
        assert len((place / "images.txt").read_text().split()) == 1
        before = len(list((mine / "labels").iterdir()))
        page.get_by_placeholder("file, folder or zip archive").fill(str(place / "png"))
        page.get_by_placeholder("file, folder or zip archive").press("Tab")
        page.locator("button", has_text="Import").click()
        page.get_by_text("labelled images, lists in").wait_for(timeout=60_000)
        button.scroll_into_view_if_needed()
        page.screenshot(path=screens / "label_imported.png")
        assert len(list((mine / "labels").iterdir())) == before + 1 and (mine / "val.txt").is_file()
        assert np.asarray(Image.open(next((place / "png/SegmentationClass").iterdir()))).ndim == 2
    assert not [line for line in errors if "favicon" not in line]
