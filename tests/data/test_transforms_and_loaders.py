import numpy as np
import pytest
import torch

from kit.config import DataConfig
from kit.data.catalog import find_spec
from kit.data.files import SegFiles
from kit.data.loaders import TrainBatches, ValImages, train_loader
from kit.data.splits import Split
from kit.data.transforms import draw_geometry, jitter, normalise, pad_mask, strong_colour
from kit.errors import KitError
from kit.types import IGNORE, Views


def rng(seed=0):
    return np.random.default_rng(seed)


def test_image_and_mask_move_together():
    """An image that shows its own class ids stays equal to its mask through every scale, crop and flip."""
    mask = torch.randint(0, 2, (6, 8), dtype=torch.uint8).repeat_interleave(16, 0).repeat_interleave(16, 1)
    image = (mask * 255)[None].expand(3, -1, -1)
    for seed in range(20):
        g = draw_geometry((96, 128), (64, 80), (0.5, 2.0), rng(seed))
        cut = g.finish((g.apply(image, nearest=False).float() / 255).round(), -1.0)[0]
        moved = pad_mask(mask, g)
        assert cut.shape == moved.shape == (64, 80) and moved.dtype == torch.int64
        inside = moved != IGNORE
        assert torch.equal(cut == -1, ~inside)
        assert (cut[inside] == moved[inside]).float().mean() > 0.95  # all but pixels on resampled edges


def test_small_images_are_padded_and_large_ones_fill_the_crop():
    small = draw_geometry((40, 40), (64, 64), (1.0, 1.0), rng())
    assert (small.region, small.inner) == ((40, 40), (40, 40))
    assert (pad_mask(torch.ones(40, 40, dtype=torch.uint8), small) == IGNORE).sum() == 64 * 64 - 40 * 40
    for seed in range(50):
        g = draw_geometry((200, 300), (64, 64), (0.5, 2.0), rng(seed))
        assert g.inner == (64, 64) and g.top + g.region[0] <= 200 and g.left + g.region[1] <= 300


def test_scales_and_flips_are_drawn_evenly():
    drawn = [draw_geometry((400, 400), (100, 100), (0.5, 2.0), rng(s)) for s in range(400)]
    scales = np.array([100 / g.region[0] for g in drawn])
    assert abs(scales.mean() - 1.25) < 0.06 and scales.min() < 0.55 and scales.max() > 1.9
    assert 0.42 < np.mean([g.flip for g in drawn]) < 0.58


def test_colour_changes_leave_the_shape_and_can_be_switched_off():
    image = torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8)
    assert jitter(image, 0.0, rng()) is image
    for change in (lambda r: jitter(image, 0.5, r), lambda r: strong_colour(image, r)):
        changed = change(rng(1))
        assert changed.shape == image.shape and changed.dtype == torch.uint8 and not torch.equal(changed, image)
        assert torch.equal(changed, change(rng(1)))


def test_normalised_by_imagenet():
    mid = torch.tensor([round(255 * m) for m in (0.485, 0.456, 0.406)], dtype=torch.uint8)[:, None, None]
    assert normalise(mid).abs().max() < 0.02


@pytest.fixture
def batches(scenes):
    def make(views=None, seed=0, rank=0, world=1, steps=12, workers=0, unlabelled=True):
        files = SegFiles(find_spec("synthetic", scenes), scenes, "train")
        split = Split("t", files.ids[:3], files.ids[3:] if unlabelled else ())
        cfg = DataConfig(crop=(64, 64), labelled=2, unlabelled=4, scale=(0.5, 1.5), jitter=0.2, workers=workers)
        return TrainBatches(cfg, files, split, views or Views(strong=2), seed, steps, rank, world)

    return make


def test_a_batch_has_the_promised_shapes(batches):
    b = batches()[0]
    assert b.images.shape == (2, 3, 64, 64) and b.masks.shape == (2, 64, 64) and b.masks.dtype == torch.int64
    assert b.weak.shape == (4, 3, 64, 64) and b.strong.shape == (4, 2, 3, 64, 64)
    assert b.valid.shape == (4, 64, 64) and b.valid.dtype == torch.bool
    assert b.weak[~b.valid[:, None].expand_as(b.weak)].abs().sum() == 0
    alone = batches(views=Views(unlabelled=False), unlabelled=False)[0]
    assert alone.weak.shape == (0, 3, 64, 64) and alone.valid.shape == (0, 64, 64)
    with pytest.raises(KitError, match="leaves no unlabelled image"):
        batches(unlabelled=False)


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_batch_follows_from_seed_and_step_alone(batches):
    assert equal(batches()[5], batches()[5])
    assert not equal(batches()[5], batches()[6]) and not equal(batches()[5], batches(seed=1)[5])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_started_midway_gives_what_the_whole_one_gave(batches, workers):
    whole = list(train_loader(batches(workers=0, steps=5), 0))
    late = list(train_loader(batches(workers=workers, steps=5), 3))
    assert len(whole) == 5 and len(late) == 2
    assert equal(whole[3], late[0]) and equal(whole[4], late[1])


def test_making_a_loader_leaves_the_global_generator_alone(batches):
    before = torch.get_rng_state()
    next(iter(train_loader(batches(), 0)))
    assert torch.equal(before, torch.get_rng_state())


def test_two_processes_share_the_batch_of_one(batches):
    whole, halves = batches()[3], [batches(rank=r, world=2)[3] for r in (0, 1)]
    for i in range(2):
        assert torch.equal(halves[i].images[0], whole.images[i])
        assert torch.equal(halves[i].weak, whole.weak[i::2])


def test_every_image_is_seen_once_per_pass(batches):
    made = batches()
    ids = made.split.unlabelled
    seen = [name for step in range(5) for name, _ in made._deal(step, 1, ids)]
    assert sorted(seen[: len(ids)]) == sorted(ids) and sorted(seen[len(ids) : 2 * len(ids)]) == sorted(ids)


def test_val_images_come_in_order_with_the_mask_as_it_is_on_disk(scenes):
    files = SegFiles(find_spec("synthetic", scenes), scenes, "val", base_size=(32, 64))
    items = ValImages(files)
    assert [items[i][0] for i in range(len(items))] == list(files.ids) and len(ValImages(files, limit=2)) == 2
    _, image, mask = items[0]
    assert image.shape == (3, 32, 64) and mask.shape == (64, 128)
