"""Figures of visualize.ipynb and frequency.ipynb: what is drawn where, not how it looks."""

from types import SimpleNamespace

import numpy as np
import pytest

from kit.errors import KitError
from kit.explore.attention import Attention
from kit.explore.bands import Channels, Cutoff, Profile
from kit.figures.charts import pseudo_labels
from kit.figures.pictures import boundaries, masks, training_strip
from kit.figures.pictures.features import frequency_laboratory
from kit.figures.pictures.features.attention import attention_grid
from kit.types import IGNORE

IMAGE = np.zeros((40, 60, 3), np.uint8)
TRUTH = np.repeat([0, 1], 30)[None].repeat(40, 0).astype(np.uint8)
CLASSES, PALETTE = ["road", "sky"], [(128, 64, 128), (70, 130, 180)]


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_zooms_show_the_framed_part_with_the_true_border():
    guess = np.zeros_like(TRUTH)
    fig = boundaries.boundary_zooms([IMAGE], [TRUTH], {"CPS": [guess]}, [(10, 20, 12, 18)], CLASSES, PALETTE)
    whole, zoom, truth, run = fig.axes
    frame = whole.patches[0]
    assert (*frame.get_xy(), frame.get_width(), frame.get_height()) == (19.5, 9.5, 18, 12)
    for ax in (zoom, truth, run):
        assert ax.get_xlim() == (19.5, 37.5) and ax.get_ylim() == (21.5, 9.5)
    for ax in (truth, run):  # the same lines over both: between columns 29 and 30
        assert {x for line in ax.collections[0].get_segments() for x in line[:, 0]} == {29.5}
        assert len(ax.collections[0].get_segments()) == 12
    assert texts(fig.legends[0]) == CLASSES
    with pytest.raises(KitError):
        boundaries.boundary_zooms([], [], {}, [], CLASSES, PALETTE)


def test_error_grid_says_how_much_is_wrong():
    truth = TRUTH.copy()
    truth[:, 45:] = IGNORE
    fig = masks.error_grid([IMAGE], [truth], {"A": [np.zeros_like(TRUTH)], "B": [TRUTH]})
    assert [[t.get_text() for t in ax.texts] for ax in fig.axes] == [[], ["33.3%"], ["0.0%"]]
    assert texts(fig.legends[0]) == ["wrong", "not counted"]


def run(method, pseudo):
    log = [{"step": step, "parts": {}, "pseudo": values} for step, values in zip((10, 20), pseudo, strict=True)]
    return {"method": method, "seed": 0, "path": f"runs/{method}", "steps": 20, "config": {}, "log": log}


def test_pseudo_labels_have_a_panel_for_what_was_logged():
    cps = run("cps", [{"accuracy": 0.5, "diversity": 2.0, "labelled_diversity": 3.0}, {"accuracy": None}])
    fixmatch = run("fixmatch", [{"accuracy": 0.4, "coverage": 0.1}, {"accuracy": 0.6, "coverage": 0.2}])
    fig = pseudo_labels.pseudo_quality([run("supervised", [{}, {}]), cps, fixmatch])
    titles = [ax.get_title() for ax in fig.axes]
    assert titles == [pseudo_labels.PANELS[name] for name in ("accuracy", "coverage", "diversity")]
    assert [list(line.get_ydata()) for line in fig.axes[0].lines] == [[50.0], [40.0, 60.0]]
    assert fig.axes[2].lines[1].get_linestyle() == ":"
    assert texts(fig.legends[0]) == ["CPS", "FixMatch", "human labels"]
    with pytest.raises(KitError, match="pseudo labels"):
        pseudo_labels.pseudo_quality([run("supervised", [{}, {}])])


def test_the_strip_grows_by_a_column_per_evaluation():
    pictures = {step: [np.full((8, 36, 3), step, np.uint8)] * 2 for step in range(10, 100, 10)}
    two = training_strip.strip_figure({step: pictures[step] for step in (10, 20)})
    heads = [ax.get_title() for ax in two.axes if ax.get_title()]
    assert heads == ["Image", "Ground truth", "Step 10", "Step 20"] and len(two.axes) == 8
    shown = training_strip.spread(sorted(pictures), training_strip.MOST)
    assert len(shown) == training_strip.MOST and shown[0] == 10 and shown[-1] == 90
    with pytest.raises(KitError, match="eval_every"):
        training_strip.strip_figure({})


def test_attention_is_drawn_from_the_pixel():
    weights = np.zeros((2, 3, 2, 3), np.float32)
    weights[1, 2, 0, 0] = 1
    fig = attention_grid(IMAGE, [(0.9, 0.9)], {"vit": Attention(weights, (40, 60))})
    pixel, seen = fig.axes
    assert seen.get_title() == "vit (2 × 3 tokens)"
    assert seen.images[1].get_array()[0, 0] == 1
    assert [list(line.get_xydata()[0]) for line in pixel.lines] == [[54, 36]] * 2
    with pytest.raises(KitError):
        attention_grid(IMAGE, [], {})
    with pytest.raises(KitError, match="column must lie between 0 and 1, got 1.5"):
        attention_grid(IMAGE, [(0.5, 1.5)], {"vit": Attention(weights, (40, 60))})


def test_laboratory_figures_hold_what_was_measured():
    near, far = (Profile(0, 4, np.array([0.25, 0.5]), np.array([2.0, 1.0]), cut) for cut in ((0.1, 0.1), (0.6, 0.7)))
    fig = frequency_laboratory.profile_figure({"before": [near, far], "after": [near, far]})
    assert [ax.texts[0].get_text() for ax in fig.axes] == ["$D_0$", "$D_0$ outside"]
    assert texts(fig.legends[0]) == ["before", "after"]

    weights = np.array([[0.9, 0.1, 0.5], [0.7, 0.3, 0.5]])
    found = Channels(0, "high", weights, (1, 0), np.array([[0.9, 0.1, 0.5], [0.7, 0.3, 0.5]]))
    ranges, departures, _ = frequency_laboratory.channel_figure([found], CLASSES).axes
    assert list(ranges.lines[0].get_ydata()) == pytest.approx([0.2, 0.5, 0.8])  # sorted by the mean
    assert np.allclose(departures.images[0].get_array(), [[-0.1, 0, 0.1], [0.1, 0, -0.1]])
    assert [label.get_text() for label in departures.get_yticklabels()] == ["sky", "road"]

    cutoffs = [Cutoff(f, (f,), (0.1 * f,), (abs(f - 1),), 0.0, 0.5) for f in (4, 1)]
    energy, change, scores = frequency_laboratory.cutoff_figure(cutoffs, [0]).axes
    assert energy.lines[0].get_xydata().tolist() == [[1, 10], [4, 40]]
    assert list(change.lines[0].get_ydata()) == [0, 3] and list(scores.lines[0].get_ydata()) == [50, 50]

    level = SimpleNamespace(low=np.eye(4), high=np.eye(4), covers=(40, 60), radius=(2.0, 3.0))
    maps = frequency_laboratory.cutoff_maps(IMAGE, {0.5: level, 1: level})
    assert [ax.get_title() for ax in maps.axes[:2]] == ["0.5 $D_0$ = 2 bins", "1 $D_0$ = 2 bins"]
