import numpy as np
import pytest

from kit.errors import KitError
from kit.explore.view_request import Layer, Scene, Thumbnail
from kit.figures.pictures.thumbnails import cell_at, row_count, thumbnail_sheet


def thumbnail(i, size=(20, 40)):
    layer = Layer(np.zeros(size, np.uint8), ((255, 0, 0),), ("wrong",))
    return Thumbnail(f"id_{i}", f"…{i}", i / 10, Scene(np.zeros((*size, 3), np.uint8), layer, "", ""))


def test_a_sheet_has_a_caption_for_each_and_finds_it_again():
    fig = thumbnail_sheet([thumbnail(i, (40, 30) if i == 1 else (20, 40)) for i in range(5)])
    assert [text.get_text() for text in fig.texts] == ["0.0%  …0", "10.0%  …1", "20.0%  …2", "30.0%  …3", "40.0%  …4"]
    assert row_count(5) == 2 and len(fig.axes) == 5
    for i, ax in enumerate(fig.axes):
        box = ax.get_position()
        width, height = (fig.get_size_inches() * box.size).tolist()
        assert width / height == pytest.approx([2, 0.75, 2, 2, 2][i], rel=0.01)
        assert cell_at((1 - (box.y0 + box.y1) / 2, (box.x0 + box.x1) / 2), 5) == i
    assert cell_at((0.9, 0.9), 5) is None and cell_at((1, 0), 5) == 4
    with pytest.raises(KitError, match="no thumbnails"):
        thumbnail_sheet([])
