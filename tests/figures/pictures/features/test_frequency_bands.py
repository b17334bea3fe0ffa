from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from kit.errors import KitError
from kit.figures.pictures.features import frequency_bands

IMAGE = np.zeros((48, 60, 3), np.uint8)


def level(index=0, band="high", radius=(2.0, 3.0)):
    rng = np.random.default_rng(index)
    low, high, spectrum = rng.random((3, 8, 8))
    return SimpleNamespace(level=index, stride=8, band=band, low=low, high=high, spectrum=spectrum, radius=radius,
                           attention=np.linspace(0, 1, 5), covers=(64.0, 64.0))  # fmt: skip


def test_a_row_per_level():
    fig = frequency_bands.frequency_bands(IMAGE, [level(0), level(1), level(2, "low")])
    assert len(fig.axes) == 3 * 4 + 1  # and the colour bar
    assert [fig.axes[4 * i].get_ylabel() for i in range(3)] == [f"Level {i} (1/8)" for i in range(3)]
    assert fig.axes[3].texts[0].get_text() == "from high: 0.50 ± 0.35"
    assert fig.axes[11].texts[0].get_text().startswith("from low")


def test_the_band_attended_to_is_framed():
    fig = frequency_bands.frequency_bands(IMAGE, [level(0), level(1, "low")])
    framed = [ax.spines["left"].get_visible() for ax in (*fig.axes[:2], *fig.axes[4:6])]
    assert framed == [False, True, True, False]


def test_maps_lie_on_the_image_and_padding_is_cut():
    ax = frequency_bands.frequency_bands(IMAGE, [level()]).axes[0]
    picture, heat = ax.images
    assert picture.get_extent() == [0, 60, 48, 0] and heat.get_extent() == [0, 64, 64, 0]
    assert ax.get_xlim() == (0, 60) and ax.get_ylim() == (48, 0)


def test_the_circle_is_in_bins_around_frequency_zero():
    ax = frequency_bands.frequency_bands(IMAGE, [level()]).axes[2]
    (circle,) = ax.patches
    assert (circle.get_center(), circle.get_width(), circle.get_height()) == ((0, 0), 6, 4)
    assert ax.images[0].get_extent() == [-4.5, 3.5, 3.5, -4.5]
    assert ax.texts[0].get_text() == "$D_0$ = 2 × 3"


def test_a_radius_beyond_the_map_is_said():
    ax = frequency_bands.frequency_bands(IMAGE, [level(radius=(10.0, 10.0))]).axes[2]
    assert ax.texts[0].get_text() == "$D_0$ = 10 (outside)"
    assert ax.get_xlim() == (-4.5, 3.5)


def test_an_infinite_radius_has_no_circle():
    ax = frequency_bands.frequency_bands(IMAGE, [level(radius=(float("inf"),) * 2)]).axes[2]
    assert not ax.patches and "inf (outside)" in ax.texts[0].get_text()


def test_a_constant_map_can_be_drawn():
    flat = level()
    flat.low[:] = flat.high[:] = flat.spectrum[:] = 0
    FigureCanvasAgg(frequency_bands.frequency_bands(IMAGE, [flat])).draw()


def test_no_levels_no_figure():
    with pytest.raises(KitError):
        frequency_bands.frequency_bands(IMAGE, [])
