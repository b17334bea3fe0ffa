"""Synthetic street scenes: reproducible, varied, exact, and written whole or not at all."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kit.data.scenes import dataset, scene
from kit.data.scenes.drawing.canvas import Canvas
from kit.data.scenes.drawing.tags import LABEL_IDS
from kit.data.scenes.ground import paint_backdrop
from kit.data.scenes.light import settle_mask
from kit.data.scenes.scene import draw_scene
from kit.errors import KitError

TINY = {"train": 3, "val": 2, "size": (32, 64)}


@pytest.fixture(scope="module")
def masks():
    return [draw_scene(seed, 96, 192)[1] for seed in range(64)]


@pytest.fixture
def tiny(tmp_path):
    return dataset.draw_dataset(tmp_path / "streets", **TINY)


def files_of(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_the_same_seed_gives_the_same_bytes():
    first, second = draw_scene(7), draw_scene(7)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_different_seeds_give_different_scenes():
    drawn = [draw_scene(seed) for seed in range(8)]
    for k in range(1, 8):
        assert np.abs(drawn[0][0].astype(int) - drawn[k][0]).mean() > 15
        assert (drawn[0][1] != drawn[k][1]).mean() > 0.15


def test_every_pixel_is_painted(monkeypatch):
    """Between sky and ground, too: memory left as it was found would make the same seed give other bytes."""
    backdrops = []

    def watched(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr(np, "empty", lambda shape, dtype=float: np.full(shape, np.nan, dtype))
            backdrops.append(paint_backdrop(*arguments)[0])
        return paint_backdrop(*arguments)

    monkeypatch.setattr(scene, "paint_backdrop", watched)
    for seed in range(20):
        draw_scene(seed, 32, 512)
    assert all(np.isfinite(colour).all() for colour in backdrops)


def test_masks_hold_known_labels_only(masks):
    assert set(np.unique(np.stack(masks))) <= {0, *LABEL_IDS}


def test_unlabelled_pixels_are_few(masks):
    assert (np.stack(masks) == 0).mean() < 0.03


def test_every_class_occurs(masks):
    seen = {label for mask in masks for label in np.unique(mask)}
    assert seen >= set(LABEL_IDS)


def test_road_is_common(masks):
    shares = np.array([(mask == 7).mean() for mask in masks])
    assert (shares > 0.05).mean() > 0.9 and 0.15 < shares.mean() < 0.6


@pytest.mark.parametrize("size", [(64, 64), (33, 47), (128, 256), (256, 512)])
def test_shapes_and_types(size):
    image, mask = draw_scene(3, *size)
    assert image.shape == (*size, 3) and image.dtype == np.uint8
    assert mask.shape == size and mask.dtype == np.uint8


@pytest.mark.parametrize("arguments", [(-1, 64, 64), (0, 31, 64), (0, 64, 8)])
def test_draw_scene_raises_for_invalid_arguments(arguments):
    with pytest.raises(ValueError, match="draw_scene needs"):
        draw_scene(*arguments)


def test_settle_mask_votes_by_label_then_distance():
    near, far = 26 | 8 << 16, 23 | 4000 << 16
    tags = np.int32([[near, far, near, near], [far, far, far, far]])
    assert settle_mask(tags).tolist() == [[far, near]]


def test_image_and_mask_line_up():
    """Sky is smooth and set off from what is below it: the picture's edges must lie where the mask changes."""
    scores = []
    for seed in range(12):
        image, mask = draw_scene(seed)
        grey = image.astype(float).mean(2)
        edge = np.abs(np.diff(grey, axis=1))
        change = mask[:, 1:] != mask[:, :-1]
        shifted = np.roll(change, 4, axis=1)
        scores.append(edge[change].mean() / edge[shifted & ~change].mean())
    assert np.mean(scores) > 1.3


def test_details_never_stray_from_their_object(monkeypatch):
    """A polygon that changes the picture but not the mask must stay within the object painted just before."""
    paint, last, strayed = Canvas.poly, [0], []

    def watched(canvas, points, rgb, tag):
        if tag is None:
            sheet = Image.new("1", canvas.tags.size)
            ImageDraw.Draw(sheet).polygon(points, fill=1)
            strayed.append(int((np.asarray(canvas.tags)[np.asarray(sheet)] & 0xFF != last[0]).sum()))
        else:
            last[0] = tag & 0xFF
        paint(canvas, points, rgb, tag)

    monkeypatch.setattr(Canvas, "poly", watched)
    for seed in range(6):
        draw_scene(seed, 64, 128)
    assert strayed and sum(strayed) == 0


def test_strokes_paint_picture_and_mask_alike():
    blank = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.int32)
    for stroke, shape in (("poly", [[(3, 4.4), (30.2, 9), (12, 35.7)]]), ("disc", [20.3, 18, 9.6, 5.1])):
        canvas = Canvas(None, None, *blank, night=False, season="summer")
        getattr(canvas, stroke)(*shape, (200, 10, 10), 7)
        painted = np.asarray(canvas.colour)[..., 0] > 0
        assert painted.any() and (painted == (np.asarray(canvas.tags) == 7)).all()


def test_layout_and_pairs(tiny):
    files = files_of(tiny)
    images = [name for name in files if name.startswith("leftImg8bit/")]
    labels = [
        name.replace("leftImg8bit", "gtFine", 1).replace("_leftImg8bit.png", "_gtFine_labelIds.png") for name in images
    ]
    assert sum("/train/" in name for name in images) == 3 and sum("/val/" in name for name in images) == 2
    assert files == sorted([*images, *labels, "synthetic.json"])
    for image, label in zip(images, labels, strict=True):
        city = image.split("/")[2]
        assert image.split("/")[3].startswith(f"{city}_0000") and image.endswith("_000019_leftImg8bit.png")
        with Image.open(tiny / image) as picture, Image.open(tiny / label) as mask:
            assert (picture.mode, picture.size) == ("RGB", (64, 32))
            assert (mask.mode, mask.size) == ("L", (64, 32))


def test_parameters_are_kept(tiny):
    stored = json.loads((tiny / "synthetic.json").read_text())
    assert {key: stored[key] for key in ("train", "val", "size", "seed")} == {
        "train": 3,
        "val": 2,
        "size": [32, 64],
        "seed": 0,
    }
    assert "version" in stored


def test_a_second_call_changes_nothing(tiny):
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*")}
    assert dataset.draw_dataset(tiny, **TINY) == tiny
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob("*")} == before


def test_a_larger_set_begins_with_the_smaller(tiny, tmp_path):
    larger = dataset.draw_dataset(tmp_path / "more", train=5, val=3, size=(32, 64))
    for name in files_of(tiny):
        if name.endswith(".png"):
            assert (tiny / name).read_bytes() == (larger / name).read_bytes()


def test_train_and_val_seeds_never_coincide():
    seeds = {
        dataset.scene_seed(seed, split, k) for seed in (0, 1, 2) for split in ("train", "val") for k in range(1000)
    }
    assert len(seeds) == 6000


@pytest.mark.parametrize("change", [{"train": 4}, {"val": 1}, {"size": (64, 32)}, {"seed": 1}])
def test_another_set_is_not_overwritten(tiny, change):
    before = files_of(tiny)
    with pytest.raises(KitError, match=f"streets holds a synthetic data set with {next(iter(change))} "):
        dataset.draw_dataset(tiny, **TINY | change)
    assert files_of(tiny) == before


def test_foreign_files_are_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(KitError, match="not a synthetic data set"):
        dataset.draw_dataset(tmp_path, **TINY)
    assert files_of(tmp_path) == ["thesis.txt"]


def test_an_empty_folder_is_filled(tmp_path):
    assert len(files_of(dataset.draw_dataset(tmp_path / "a", **TINY))) == 11
    (tmp_path / "b").mkdir()
    assert len(files_of(dataset.draw_dataset(tmp_path / "b", **TINY))) == 11


@pytest.mark.parametrize("change", [{"train": 0}, {"val": -1}, {"size": (16, 64)}, {"size": (64,)}, {"seed": -1}])
def test_bad_parameters_raise(tmp_path, change):
    with pytest.raises(KitError, match=next(iter(change))):
        dataset.draw_dataset(tmp_path / "streets", **TINY | change)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_nothing_is_left_when_drawing_fails(tmp_path, monkeypatch, error):
    calls = []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise error("stop")
        return draw_scene(*arguments)

    monkeypatch.setattr(dataset, "draw_scene", failing)
    with pytest.raises(error):
        dataset.draw_dataset(tmp_path / "streets", **TINY)
    assert len(calls) == 3 and not list(tmp_path.iterdir())
