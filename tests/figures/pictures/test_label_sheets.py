"""Contact sheets of suggestions and of suspicious labels."""

from types import SimpleNamespace

import numpy as np
import pytest

from kit.errors import KitError
from kit.figures.pictures.suggestions import contact_sheet
from kit.figures.pictures.suspicious import suspicion_sheet

CLASSES, PALETTE = ("road", "car"), ((90, 60, 90), (0, 0, 200))


def texts(fig):
    return [text.get_text() for text in fig.texts]


def test_suggestions_have_their_place_id_reason_and_three_pictures():
    seen = SimpleNamespace(image=np.zeros((30, 40, 3), np.uint8), prediction=np.eye(30, 40).astype(np.uint8),
                           differing=np.zeros((30, 40), np.float32))  # fmt: skip
    chosen = [SimpleNamespace(name=f"i{n}", reason="because " * 20) for n in range(3)]
    fig = contact_sheet(chosen, [seen] * 3, CLASSES, PALETTE, "views")
    assert len(fig.axes) == 9 and "3  i2" in texts(fig) and any("because" in text for text in texts(fig))
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["road", "car"]
    one = contact_sheet(chosen[:1], [seen], CLASSES, PALETTE, columns=1, first=5, legend=False)
    assert "5  i0" in texts(one) and not one.legends
    with pytest.raises(KitError, match="a picture for each suggestion"):
        contact_sheet(chosen, [seen], CLASSES, PALETTE)


def test_suspicious_labels_are_outlined_on_photograph_and_mask():
    region = np.zeros((20, 20), bool)
    region[5:10, 5:10] = True
    crop = SimpleNamespace(image=np.zeros((20, 20, 3), np.uint8), mask=region.astype(np.uint8), region=region)
    row = {"rank": 1, "image": "a", "label": "car", "networks": "road"}
    fig = suspicion_sheet([row], [crop], CLASSES, PALETTE)
    assert len(fig.axes) == 2 and all(ax.collections for ax in fig.axes)
    assert "1  car, or road?" in texts(fig) and "a" in texts(fig)
    with pytest.raises(KitError, match="a crop for each region"):
        suspicion_sheet([], [], CLASSES, PALETTE)


def test_figures_of_one_panel_share_scale_and_legend():
    seen = [SimpleNamespace(image=np.zeros((6, 8, 3), np.uint8), prediction=np.full((6, 8), i, np.uint8),
                            differing=np.full((6, 8), much, np.float32))
            for i, much in ((0, 0.8), (1, 0.1))]  # fmt: skip
    each = SimpleNamespace(name="a", reason="why")
    first, last = (contact_sheet([each], [seen[i]], ["sky", "road"], [[1, 2, 3], [9, 9, 9]], columns=1, among=seen,
                                 legend=i == 1) for i in range(2))  # fmt: skip
    assert [text.get_text() for text in last.legends[0].get_texts()] == ["sky", "road"] and not first.legends
    assert first.axes[2].images[0].get_clim() == last.axes[2].images[0].get_clim()
