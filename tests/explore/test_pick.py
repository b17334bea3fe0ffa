import numpy as np
import pytest
import torch

from kit.errors import KitError
from kit.evaluate.scores.counts import Counts
from kit.explore import pick
from kit.explore.zoom import border_box
from kit.types import IGNORE


def test_image_mious_are_over_the_classes_of_the_truth():
    matrices = np.array([
        [[4, 0, 0], [0, 4, 0], [0, 0, 0]],  # all right
        [[2, 0, 2], [0, 4, 0], [0, 0, 0]],  # half of class 0 taken for a class that is not there
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],  # nothing counted
    ])  # fmt: skip
    assert pick.image_mious(matrices) == pytest.approx([1, 0.75, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["munster_000173_000019", "munster_000174_000019"], ["…000173…", "…000174…"]),
        (["Seq05VD_f00000", "Seq05VD_f00030"], ["…00000", "…00030"]),
        (["bonn_000001_000019", "ulm_000001_000019"], ["bonn…", "ulm…"]),
        (["a", "a_b"], ["a", "a_b"]),
        (["run_1", "run_1_1"], ["…1", "…1_1"]),
        (["IMG_20240101_0001", "scan"], ["IMG_20240101_0001", "scan"]),
        (["x" * 40 + "1", "y" * 40 + "2"], ["x" * 9 + "…" + "x" * 14 + "1", "y" * 9 + "…" + "y" * 14 + "2"]),
        (["x" * 20 + "1" + "x" * 20, "x" * 20 + "2" + "x" * 20], ["…1…", "…2…"]),
        (["only_one"], ["only_one"]),
        ([], []),
    ],
)
def test_ids_in_menus_are_distinct(names, expected):
    assert pick.short_ids(names) == expected


def test_short_ids_are_all_different():
    names = [f"{'a' * 12}{i:03d}{'b' * 20}{j}" for i in range(3) for j in range(3)]
    assert len(set(pick.short_ids(names))) == len(names)


class Files:
    part, root, masked_ids = "val", "here", ("a", "b", "c")

    def pair(self, name):
        return torch.zeros(3, 2, 2, dtype=torch.uint8), torch.zeros(2, 2, dtype=torch.uint8)


def test_best_and_worst_follow_the_run(tmp_path):
    matrices = np.array([[[1, 1], [0, 1]], [[2, 0], [0, 2]], [[0, 3], [3, 0]]])
    Counts(("a", "b", "c"), matrices).save(tmp_path / "scores_last.npz")

    def names(**choice):
        return [example.name for example in pick.pick(Files(), tmp_path, **choice)]

    assert names(how="best", count=2) == ["b", "a"] and names(how="worst", count=2) == ["c", "a"]
    assert names(how="worst", images=["a"]) == ["a"] and sorted(names(count=3)) == ["a", "b", "c"]
    with pytest.raises(KitError, match="pick must be one of"):
        names(how="nicest")
    with pytest.raises(KitError, match="python -m kit evaluate"):
        names(how="best", weights="average")
    Counts(("a", "b", "c"), np.zeros_like(matrices)).save(tmp_path / "scores_last.npz")
    with pytest.raises(KitError, match="no score of any val image, so none is its worst"):
        names(how="worst")


def test_the_box_holds_the_wrong_border_and_lies_inside():
    truth = np.zeros((60, 80), np.uint8)
    truth[:, 40:] = 1
    prediction = truth.copy()
    prediction[50:, 36:44] = 2  # wrong at the border, low in the image
    prediction[:10, :10] = 2  # wrong, far from any border
    top, left, height, width = border_box(truth, [prediction], 0.25)
    assert (height, width) == (15, 20) and top >= 40 and left <= 40 <= left + width
    assert 0 <= top <= 60 - height and 0 <= left <= 80 - width
    truth[:] = IGNORE
    assert border_box(truth, [prediction], 1.0) == (0, 0, 60, 80)
