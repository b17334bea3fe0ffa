import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from kit.errors import KitError
from kit.figures.pictures import masks
from kit.figures.style import UNLABELLED
from kit.types import IGNORE

CLASSES, PALETTE = ["road", "sky", "train"], [(128, 64, 128), (70, 130, 180), (0, 80, 100)]


def grid(runs=("Supervised only", "TriKD"), count=2):
    truth = np.array([[0, 0, 1, IGNORE]] * 2, np.uint8)
    predictions = {name: [np.zeros((2, 4), np.uint8)] * count for name in runs}
    return masks.mask_grid([np.zeros((2, 4, 3), np.uint8)] * count, [truth] * count, predictions, CLASSES, PALETTE)


def legend_texts(fig):
    return [[text.get_text() for text in legend.get_texts()] for legend in fig.legends]


def test_heads_stand_once_over_one_row_per_image():
    fig = grid()
    titles = [ax.get_title() for ax in fig.axes]
    assert titles[:5] == ["Image", "Ground truth", "Supervised only", "TriKD", "Errors of TriKD"]
    assert titles[5:] == [""] * 5


def test_pictures_show_the_masks_in_the_palette():
    shown = [ax.images[0].get_array() for ax in grid(count=1).axes]
    assert shown[1][0].tolist() == [list(PALETTE[0])] * 2 + [list(PALETTE[1]), list(UNLABELLED)]
    assert (shown[2] == PALETTE[0]).all()


def test_legend_names_only_what_occurs():
    classes, errors = legend_texts(grid())
    assert classes == ["road", "sky", "not labelled"]
    assert errors == ["wrong in both", "errors fixed", "new errors", "not counted"]
    assert legend_texts(grid(runs=["TriKD"]))[1] == ["wrong", "not counted"]


def test_nothing_overlaps():
    fig = grid(runs=("Supervised only", "CPS", "TriKD"), count=1)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    renderer = canvas.get_renderer()
    titles = [ax.title.get_window_extent(renderer) for ax in fig.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(titles) for b in titles[:i])
    classes, errors = (legend.get_window_extent(renderer) for legend in fig.legends)
    assert not classes.overlaps(errors) and errors.y0 >= 0
    assert classes.y1 <= min(ax.get_window_extent(renderer).y0 for ax in fig.axes)


def test_error_map_tells_fixed_from_new_errors():
    truth = np.array([[0, 0, 0, 0, IGNORE]])
    first, last = np.array([[0, 0, 1, 1, 1]]), np.array([[0, 1, 0, 1, 0]])
    picture = masks.error_map(np.full((1, 5, 3), 255, np.uint8), truth, first, last)[0]
    assert np.allclose(picture[0], 1)
    for pixel, shade in zip(picture[1:], (masks.NEW, masks.FIXED, masks.WRONG, masks.VOID), strict=True):
        nearest = min((masks.NEW, masks.FIXED, masks.WRONG, masks.VOID), key=lambda s: np.abs(pixel - to_rgb(s)).sum())
        assert nearest == shade


@pytest.mark.parametrize(
    "images, truths, predictions",
    [
        ([], [], {"TriKD": []}),
        ([np.zeros((2, 2, 3), np.uint8)], [np.zeros((2, 2), int)], {}),
        ([np.zeros((2, 2, 3), np.uint8)], [np.zeros((2, 2), int)], {"TriKD": []}),
        ([np.zeros((2, 2, 3), np.uint8)], [np.zeros((2, 3), int)], {"TriKD": [np.zeros((2, 2), int)]}),
    ],
)
def test_what_does_not_fit_is_refused(images, truths, predictions):
    with pytest.raises(KitError):
        masks.mask_grid(images, truths, predictions, CLASSES, PALETTE)
