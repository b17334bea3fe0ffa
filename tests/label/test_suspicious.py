"""Planted mistakes among masks that a network gets right but for one confusion of its own."""

import json

import numpy as np
import pytest

from kit.__main__ import main
from kit.errors import KitError
from kit.label.planted import KINDS, plant
from kit.label.suspicious import Census, hits


def likely(mask, classes=4, sure=0.9):
    p = np.full((classes, *mask.shape), (1 - sure) / (classes - 1), np.float32)
    np.put_along_axis(p, mask[None].astype(int), sure, 0)
    return p


def truth(seed):
    """Class 0, a block of class 1, and a block of class 2 that networks take for class 3 everywhere."""
    mask = np.zeros((60, 80), np.uint8)
    mask[10:30, 10 + seed : 30 + seed] = 1
    mask[40:55, 40:60] = 2
    return mask


def test_an_unusual_confusion_ranks_before_a_usual_one():
    census = Census(4)
    for seed in range(6):
        right, mask = truth(seed), truth(seed)
        taken = np.where(right == 2, 3, right).astype(np.uint8)
        if seed == 3:
            mask[10:30, 10 + seed : 30 + seed] = 2  # the mistake
        census.add(f"i{seed}", [likely(taken), likely(taken)], mask, 0.7)
    first = census.ranked()[0]
    assert (first.name, first.given, first.expected, first.pixels) == ("i3", 2, 1, 400)
    assert first.box == (10, 13, 20, 20) and len(census.ranked()) == 7


def test_borders_and_networks_that_differ_or_are_unsure_say_nothing():
    mask = truth(0)
    moved = np.roll(mask, 1, 0)  # one pixel along all borders
    other = np.where(mask == 1, 3, mask).astype(np.uint8)
    for members in ([likely(moved)], [likely(mask), likely(other)], [likely(other, sure=0.5)]):
        census = Census(4)
        census.add("a", members, mask, 0.7)
        assert census.ranked() == []
    with pytest.raises(KitError, match="not of one size"):
        Census(4).add("a", [likely(mask)[:, :5]], mask, 0.7)


@pytest.mark.parametrize("kind", KINDS)
def test_planted_regions_are_wrong_where_they_say_and_are_found(kind):
    mask, rng = truth(0), np.random.default_rng(0)
    wrong, planted = plant(mask, kind, 4, rng)
    np.testing.assert_array_equal(wrong != mask, planted.where)
    assert planted.kind == kind and planted.given != planted.true and planted.where.sum() >= 75
    census = Census(4)
    census.add("a", [likely(mask)], wrong, 0.7)
    right, found = hits(census.ranked(), {"a": [planted]})
    assert right and all(right) and found == 1
    assert hits(census.ranked(), {"b": [planted]}) == ([False] * len(right), 0)
    assert plant(np.zeros((50, 50), np.uint8), kind, 4, rng) is None


def test_a_run_checks_masks_that_it_has_not_learnt_from(street, tmp_path, capsys):
    out = tmp_path / "found.json"
    command = ["doctor", "--run", str(street), "--sure", "0.05", "--show", "3", "--workers", "1", "--out", str(out)]
    assert main(command) == 0
    printed, record = capsys.readouterr().out, json.loads(out.read_text())["suspicious"]
    assert "not examined: 4 image(s) that the runs were trained on" in printed
    assert record["looked_at"] == 3 and len(record["passed_over"]) == 4 and len(record["first"]) <= 3
    assert record["regions"] == 0 or (tmp_path / "found_suspicious.png").is_file()
    assert main(["doctor", "--root", str(tmp_path)]) == 2
    assert "no data set is named; give --dataset, or --run" in capsys.readouterr().err


def test_options_are_refused_before_any_file_is_read(street, monkeypatch, capsys):
    monkeypatch.setattr("kit.data.doctor.diagnose.examine", lambda *given, **more: pytest.fail("read first"))
    for options, message in (
        (["--sure", "2"], "sure must lie between 0 and 1, got 2.0"),
        (["--show", "-1"], "show must be 0 or more, got -1"),
        (["--folds", "1"], "--folds is 1; give 2 or more"),
        ([str(street), "--folds", "2"], "name only one with --run"),
    ):
        assert main(["doctor", "--run", str(street), *options]) == 2
        assert message in capsys.readouterr().err


def test_of_two_classes_no_region_can_be_swapped():
    mask = np.zeros((60, 60), np.uint8)
    mask[20:34, 20:34] = 1
    assert plant(mask, "swapped", 2, np.random.default_rng(0)) is None
    assert plant(mask, "missing", 2, np.random.default_rng(0)) is not None
