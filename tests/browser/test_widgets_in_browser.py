"""The notebooks' controls in a real browser: JupyterLab as a person would open it."""

import base64
import io
import json
import time

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright", reason="the extra 'browser' is not installed: pip install -e .[browser]")

from lab import browser, chromium, lab, prepared, run_all, watched

from kit.explore.pick import ranked
from kit.figures.pictures.thumbnails import COLUMNS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder of notebooks and the template of their addresses."""
    root = tmp_path_factory.mktemp("lab")
    with lab(root, tmp_path_factory.mktemp("private")) as address:
        yield root, address


@pytest.fixture
def page(site):
    with browser() as started:
        yield started.new_page(viewport={"width": 1280, "height": 1000})


def pixels(page):
    """The clickable picture as the page has it, uint8 (H, W, 3)."""
    data = page.locator("img.kit-picture").evaluate(
        """async (img) => { const reader = new FileReader();
                           reader.readAsDataURL(await (await fetch(img.src)).blob());
                           await new Promise((done) => { reader.onload = done; });
                           return reader.result.split(",")[1]; }"""
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def changed(page, act, seconds=30):
    """Do something, and wait until the picture is another one and stays it; the new one."""
    before = pixels(page)
    act()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = pixels(page)
        if now.shape != before.shape or (now != before).any():
            page.wait_for_timeout(300)
            return pixels(page)
        page.wait_for_timeout(100)
    raise AssertionError("the picture has not changed")


def choose(page, label, option):
    page.get_by_label(label, exact=True).select_option(label=option)


def upload(page, path):
    with page.expect_file_chooser() as asked:
        page.get_by_role("button", name="Own photograph").click()
    asked.value.set_files(path)


def test_explore(site, page, finished, screens, notebooks):
    root, address = site
    out = root / "explored"
    prepared(notebooks / "explore.ipynb", root / "explore.ipynb",
             {"runs": list(map(str, finished)), "view": "truth", "out": str(out)})  # fmt: skip
    errors = watched(page)
    page.goto(address.format("explore.ipynb"))
    run_all(page)
    picture = page.locator("img.kit-picture")
    picture.wait_for(timeout=120_000)
    page.wait_for_function("() => document.querySelector('img.kit-picture').naturalWidth > 0")
    static = page.locator(".jp-RenderedImage img").first
    assert static.bounding_box()["y"] < picture.bounding_box()["y"]  # the still picture stands above the controls
    picture.scroll_into_view_if_needed()
    page.screenshot(path=screens / "explore_start.png")

    words = page.locator(".widget-html-content", has_text="row ")
    for view in ("prediction", "error", "entropy", "disagreement of views", "high frequencies"):
        changed(page, lambda view=view: choose(page, "View", view))
        page.screenshot(path=screens / f"explore_{view.replace(' ', '_')}.png")
    choose(page, "View", "confidence")
    changed(page, lambda: choose(page, "Class", "road"))
    changed(page, lambda: choose(page, "Network", "vit"))
    slider = page.locator(".widget-slider", has_text="Overlay").locator(".noUi-handle")
    changed(page, lambda: (slider.focus(), [page.keyboard.press("ArrowRight") for _ in range(4)]))
    changed(page, lambda: choose(page, "View", "attention"))

    said, box = words.inner_text(), picture.bounding_box()
    here = changed(page, lambda: picture.click(position={"x": box["width"] * 0.25, "y": box["height"] * 0.75}))
    page.wait_for_function("(said) => !document.body.innerText.includes(said)", arg=said)
    row, column = (int(part.split()[-1]) for part in words.inner_text().split(":")[0].split(","))
    assert abs(row - 0.75 * 64) <= 1 and abs(column - 0.25 * 128) <= 1
    ring = np.argwhere((here == 255).all(2)).mean(0) / here.shape[:2]
    assert np.allclose(ring, (0.75, 0.25), atol=0.05)
    changed(page, lambda: page.keyboard.press("ArrowUp"))  # the picture has the focus now
    page.screenshot(path=screens / "explore_attention.png")

    sheet = page.locator("img.kit-sheet")
    sheet.scroll_into_view_if_needed()
    shown, box = picture.get_attribute("alt"), sheet.bounding_box()
    worst = next(i for i, (name, _) in enumerate(ranked(finished[1])[::-1]) if name not in shown)
    place = {"x": box["width"] * (worst + 0.5) / COLUMNS, "y": box["height"] / 2}
    changed(page, lambda: sheet.click(position=place))
    page.screenshot(path=screens / "explore_thumbnails.png")

    changed(page, lambda: page.get_by_role("button", name="Supervised only").click())
    changed(page, lambda: choose(page, "View", "prediction"))
    photo = root / "mine.png"
    Image.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 50).convert("RGB").save(photo)
    now = changed(page, lambda: upload(page, photo))
    assert now.shape[1] / now.shape[0] == pytest.approx(1.5, abs=0.01)
    upright = root / "upright.png"
    Image.effect_mandelbrot((200, 600), (-2, -1, 1, 1), 50).convert("RGB").save(upright)
    changed(page, lambda: upload(page, upright))
    box = picture.bounding_box()  # seen whole in the window of 1000 pixels
    assert box["height"] <= 851 and box["height"] / box["width"] == pytest.approx(3, abs=0.05)
    page.screenshot(path=screens / "explore_upright.png")
    page.get_by_role("button", name="Save view").click()
    page.get_by_text("papermill notebooks/explore.ipynb").wait_for()
    page.screenshot(path=screens / "explore_photograph.png")
    (described,) = out.glob("prediction*.json")
    assert json.loads(described.read_text())["photo"] and described.with_suffix(".pdf").is_file()
    assert errors == []


def test_train_shows_itself_while_it_goes_on(site, page, scenes, screens, notebooks):
    root, address = site
    overrides = {"data.crop": [64, 64], "data.base_size": None, "data.labelled": 2, "data.unlabelled": 2,
                 "data.cache": False, "train.log_every": 2}  # fmt: skip
    prepared(notebooks / "train.ipynb", root / "train.ipynb",
             {"method": "supervised", "recipe": "tiny", "steps": 120, "eval_every": 20, "split": "1_2",
              "data_root": str(scenes), "run_dir": str(root / "run"), "overrides": overrides})  # fmt: skip
    errors = watched(page)
    page.goto(address.format("train.ipynb"))
    run_all(page)
    pictures = page.locator(".jp-Cell .widget-image")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.widget-image')].filter((img) => img.naturalWidth > 50).length === 2",
        timeout=120_000,
    )
    assert not (root / "run/result.json").exists()
    pictures.last.scroll_into_view_if_needed()
    page.screenshot(path=screens / "train_live.png")
    page.wait_for_function("() => !document.querySelector('.widget-image')?.offsetParent", timeout=120_000)
    assert (root / "run/result.json").exists()
    assert errors == []
