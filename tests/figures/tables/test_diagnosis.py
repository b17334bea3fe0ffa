import numpy as np
import pytest

from kit.data.doctor.diagnose import Census, Diagnosis
from kit.errors import KitError
from kit.figures.charts.class_frequencies import class_frequencies
from kit.figures.pictures.masks import pair_grid


def census(**pixels):
    return Census(images=4, masks=4, pairs=4, pixels=pixels, present=pixels, ignored=7)


def diagnosis(**parts):
    return Diagnosis("camvid", "/data", None, ("sky", "car", "bus"), ((1, 2, 3),) * 3, parts, (), 8, 0.5)


def test_shares_are_of_counted_pixels():
    assert census(sky=30, car=10, bus=0).shares() == {"sky": 0.75, "car": 0.25, "bus": 0}
    assert census(sky=0, car=0, bus=0).shares() == {"sky": 0, "car": 0, "bus": 0}


def test_frequencies_are_sorted_and_absent_classes_stand_apart():
    parts = {"train": census(sky=100, car=900, bus=0), "labelled": census(sky=10, car=0, bus=0)}
    fig = class_frequencies(diagnosis(**parts))
    ax = fig.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["car", "sky", "bus"]
    train, labelled = (ax.collections[i].get_offsets().data for i in (1, 2))
    assert train[:2, 0] == pytest.approx([90, 10]) and labelled[1, 0] == pytest.approx(100)
    assert labelled[0, 0] == train[2, 0] < 10 and "none" in {text.get_text() for text in ax.texts}
    assert ax.get_xscale() == "log" and [text.get_text() for text in fig.legends[0].get_texts()][1] == "labelled part"


def test_frequencies_without_a_split_and_without_anything():
    fig = class_frequencies(diagnosis(train=census(sky=1, car=2, bus=3), val=census(sky=1, car=1, bus=1)))
    assert not fig.axes[0].texts and len(fig.legends[0].get_texts()) == 2
    assert class_frequencies(diagnosis(train=census(sky=0, car=0, bus=0))).axes
    with pytest.raises(KitError, match="/data"):
        class_frequencies(diagnosis())


def test_pairs_show_image_mask_and_both():
    image, truth = np.full((20, 30, 3), 200, np.uint8), np.zeros((20, 30), np.uint8)
    truth[:5], truth[5:7] = 1, 255
    fig = pair_grid([image, image], [truth, truth], ["sky", "car"], [(0, 0, 255), (255, 0, 0)])
    assert len(fig.axes) == 6 and [ax.get_title() for ax in fig.axes[:3]] == ["Image", "Mask", "Mask over image"]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["sky", "car", "not labelled"]
    over = fig.axes[2].images[0].get_array()
    assert over[0, 0, 0] > over[0, 0, 2] and over[19, 0, 2] > over[19, 0, 0]
    with pytest.raises(KitError, match="mask"):
        pair_grid([image], [truth[:4]], ["sky", "car"], [(0, 0, 255), (255, 0, 0)])
