import io

import numpy as np
import pytest
from counted import calls
from matplotlib.figure import Figure
from PIL import Image

from kit.explore.view_request import Layer, Scene
from kit.figures.pictures import view
from kit.figures.style import save
from kit.types import IGNORE

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 800, 3), dtype=np.uint8)
RED, BLUE = (255, 0, 0), (0, 0, 255)


def mask(**more):
    values = np.zeros((40, 800), np.uint8)
    values[:, 400:], values[20:, 400:] = 1, IGNORE
    return Layer(values, (RED, BLUE), ("a", "b"), **more)


def test_strength_goes_from_the_photograph_to_the_mask():
    assert (view.paint(IMAGE, mask(), 0.0) == IMAGE).all()
    full = view.paint(IMAGE, mask(), 1.0)
    assert (full[:, :400] == RED).all() and (full[:20, 400:] == BLUE).all()
    unlabelled = full[20:, 400:]
    assert (unlabelled == unlabelled[..., :1]).all()  # grey where nothing is drawn


def test_hidden_pixels_keep_the_photograph():
    hidden = np.zeros((40, 800), bool)
    hidden[:, :100] = True
    full = view.paint(IMAGE, mask(hidden=hidden), 1.0)
    assert (full[:, :100] == full[:, :100, :1]).all() and (full[:, 100:400] == RED).all()


def test_a_map_lies_on_its_part_of_the_image():
    values = np.zeros((2, 4), np.float32)
    values[:, 2] = 1
    whole = view.paint(IMAGE, Layer(values), 1.0).sum(2)[20]
    assert abs(int(whole.argmax()) - 500) < 110
    padded = view.paint(IMAGE, Layer(values, covers=(40, 1600)), 1.0).sum(2)[20]  # the right half is padding
    assert padded[700:].max() > padded[:300].max()


def test_a_small_image_is_enlarged_and_the_ring_is_where_it_was_asked():
    small = np.full((50, 100, 3), 90, np.uint8)
    layer = Layer(np.full((50, 100), IGNORE, np.uint8), (RED,), ("a",))
    shown = view.paint(small, layer, 0.0, (0.25, 0.75))
    assert shown.shape == (300, 600, 3)
    white = np.argwhere((shown == 255).all(2))
    assert np.allclose(white.mean(0), (0.25 * 300, 0.75 * 600), atol=1.5)


def test_the_legend_names_what_is_shown_the_largest_first():
    assert view.legend(mask()) == [("a", RED), ("b", BLUE)] and view.legend(Layer(np.zeros((2, 2)))) == []
    hidden = np.zeros((40, 800), bool)
    hidden[:, :400] = True
    assert view.legend(mask(hidden=hidden)) == [("b", BLUE)]


@pytest.mark.parametrize("layer", [mask(), Layer(np.random.default_rng(1).random((5, 50)), label="entropy")])
def test_render_and_figure_are_the_same_every_time(layer, tmp_path):
    scene = Scene(IMAGE, layer, "title", "words")
    content = view.render(scene, 0.6, (0.5, 0.5))
    assert content == view.render(scene, 0.6, (0.5, 0.5)) and Image.open(io.BytesIO(content)).size == (800, 40)
    first, second = (save(view.view_figure(scene, 0.6, (0.5, 0.5)), tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_redraw_takes_no_figure_and_no_loop_over_pixels(monkeypatch):
    monkeypatch.setattr(Figure, "__init__", None)

    def work(height, width):
        ramp = np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)
        scene = Scene(np.repeat((255 * ramp).astype(np.uint8)[..., None], 3, axis=2), Layer(ramp), "", "")
        return calls(view.render, scene, 0.6, (0.5, 0.5))[1]

    work(36, 48)  # imports, once
    assert work(360, 480) < 2 * work(36, 48)
