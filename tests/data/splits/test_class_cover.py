from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from kit.__main__ import main
from kit.data.catalog import find_spec
from kit.data.reading.files import SegFiles
from kit.data.splits.class_cover import (
    class_pixels,
    class_presence,
    covering,
    draw_covering,
    shows,
    usual_size,
    write_draws,
)
from kit.data.splits.hash_draw import draw
from kit.data.splits.split import draw_split, read_lists
from kit.errors import KitError


@pytest.fixture
def rare(tmp_path):
    """12 train images of 3 classes: "often" in all, "seldom" in c and d, "once" in the one a draw of 4 takes last."""
    (tmp_path / "classes.yaml").write_text("classes: {often: [0, 0, 0], seldom: [0, 9, 0], once: [9, 0, 0]}\n")
    ids = "abcdefghijkl"
    last = draw(ids, 12, 0)[-1]
    for part, names in (("train", ids), ("val", "v")):
        for folder in ("images", "labels"):
            (tmp_path / folder / part).mkdir(parents=True)
        for name in names:
            mask = np.zeros((4, 6), np.uint8)
            mask[0, 0] = name in "cd" and name != last
            mask[1, 1] = 2 * (name == last)
            Image.new("RGB", (6, 4)).save(tmp_path / f"images/{part}/{name}.png")
            Image.fromarray(mask).save(tmp_path / f"labels/{part}/{name}.png")
    return tmp_path


def both(root):
    spec = find_spec("folder", root)
    return SegFiles(spec, root, "train"), SegFiles(spec, root, "val")


def cost(present, rows, count, least):
    """What `covering` minimises, in its order."""
    lacking = np.maximum(np.minimum(least, present.sum(0)) - present[list(rows)].sum(0), 0).sum()
    return int(lacking), sum(row >= count for row in rows), sum(rows)


@pytest.mark.parametrize("seed", range(60))
def test_no_smaller_change_exists(seed):
    rng = np.random.default_rng(seed)
    images, classes, least = int(rng.integers(4, 12)), int(rng.integers(1, 6)), int(rng.integers(1, 4))
    count = int(rng.integers(1, images))
    present = rng.random((images, classes)) < rng.choice([0.1, 0.2, 0.4])
    best = min(cost(present, rows, count, least) for rows in combinations(range(images), count))
    rows = [int(row) for row in covering(present, count, least)]
    assert len(set(rows)) == count and cost(present, rows, count, least) == best


def test_a_draw_that_shows_every_class_is_unchanged():
    present = np.random.default_rng(0).random((500, 19)) < 0.3
    assert covering(present, 60, 3).tolist() == list(range(60))


def test_large_draws_repeat():
    present = np.random.default_rng(0).random((3000, 19)) < np.geomspace(0.9, 0.002, 19)
    rows = covering(present, 100, 3)
    assert (present[rows].sum(0) >= np.minimum(3, present.sum(0))).all() and (rows >= 100).any()
    assert rows.tolist() == covering(present, 100, 3).tolist()


def test_presence_of_classes_in_masks(rare):
    train, _ = both(rare)
    present = class_presence(train)
    rows = [train.masked_ids.index(name) for name in "ac"]
    assert present.dtype == bool and present[:, 0].all() and present[rows, 1].tolist() == [n == "c" for n in "ac"]


def test_a_covering_draw_of_files(rare):
    train, _ = both(rare)
    plain = draw_split("count_4", 0, train)
    split, exchanged, lines = draw_covering("count_4", 0, 1, train, class_presence(train))
    held = class_pixels(train, split.labelled)
    assert held.any(0).all() and lines == [] and split.name == "count_4 seed 0 cover 1"
    assert exchanged == len(set(split.labelled) - set(plain.labelled)) >= 1 and len(split.labelled) == 4
    assert set(split.labelled) | set(split.unlabelled) == set(train.ids)
    assert not set(split.labelled) & set(split.unlabelled)


def test_classes_that_cannot_be_covered_are_reported(rare, tmp_path):
    train, val = both(rare)
    for least in (0, 5):
        with pytest.raises(KitError, match=f"--cover is {least}; give 1 to 4"):
            write_draws({0: tmp_path / "s"}, "count_4", least, train, val)
    _, _, lines = draw_covering("count_4", 0, 2, train, class_presence(train))
    assert lines == ["fewer than 2 masks hold once (1 labelled)"]
    _, _, lines = draw_covering("count_1", 0, 1, train, class_presence(train))
    (line,) = lines
    assert line.startswith("1 labelled image(s) are too few to have 1 with ") and "(0 labelled)" in line


def test_several_seeds_are_written_with_their_names(rare, tmp_path):
    train, val = both(rare)
    folders = {seed: tmp_path / f"s/{seed}" for seed in (0, 1)}
    lines = write_draws(folders, "1_3", 1, train, val)
    assert len(lines) == 4 and lines[0].startswith("1_3 seed 0 cover 1: 4 labelled")
    assert [read_lists(folder, "").name for folder in folders.values()] == [f"1_3 seed {s} cover 1" for s in (0, 1)]
    write_draws({0: tmp_path / "plain"}, "1_3", None, train, val)
    plain = read_lists(tmp_path / "plain", "")
    assert plain.name == "1_3 seed 0" and set(plain.labelled) == set(draw(train.ids, 4, 0))
    with pytest.raises(KitError, match="no seed to draw with"):
        write_draws({}, "1_3", None, train, val)


def test_a_class_may_need_a_minimum_size():
    counts = np.array([[10, 0], [20, 1], [90, 3], [0, 2]])
    assert usual_size(counts).tolist() == [40, 2] and usual_size(counts * 0).tolist() == [0, 0]
    assert shows(counts, 0.5).tolist() == [[False, False], [True, True], [True, True], [False, True]]
    assert shows(counts, 15).tolist() == [[False, False], [True, False], [True, False], [False, False]]
    assert (shows(counts, 1) == (counts > 0)).all() and not shows(counts * 0, 0.1).any()


def test_a_single_pixel_does_not_cover_if_more_is_required(rare, tmp_path, capsys):
    """ "seldom" has one pixel in every image, and ten in the one that a draw of four takes last."""
    train, val = both(rare)
    last = draw("abcdefghijkl", 12, 0)[-1]
    for name in "abcdefghijkl":
        mask = np.zeros((4, 6), np.uint8)
        mask.flat[: 10 if name == last else 1] = 1
        Image.fromarray(mask).save(rare / f"labels/train/{name}.png")
    assert class_pixels(train, ("a", last)).tolist() == [[23, 1, 0], [14, 10, 0]]
    plain, exchanged, _ = draw_covering("count_4", 0, 1, train, class_presence(train))
    assert exchanged == 0 and last not in plain.labelled
    for pixels, name in ((5, "with 5 pixels"), (0.9, "with 0.9 of usual")):
        write_draws({0: tmp_path / "s"}, "count_4", 1, train, val, pixels)
        split = read_lists(tmp_path / "s", "")
        assert split.name == f"count_4 seed 0 cover 1 {name}" and last in split.labelled
        assert len(set(split.labelled) & set(plain.labelled)) == 3 and "exchanged" in split.record()["protocol"]
    arguments = ["splits", "draw", "--dataset", "folder", "--root", str(rare), "--split", "count_4", "--out", "x"]
    for wrong in (["--pixels", "0.5"], ["--cover", "1", "--pixels", "0"], ["--cover", "1", "--pixels", "nan"]):
        assert main([*arguments, *wrong]) == 2 and "with --cover give a share" in capsys.readouterr().err
