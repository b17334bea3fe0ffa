import os
import signal

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as tv

from kit.data.catalog import find_spec
from kit.data.loaders import TrainBatches, ValImages, train_loader, val_loader
from kit.data.reading.files import SegFiles
from kit.data.reading.transforms import blur, draw_geometry, jitter, strong_colour, unit_range
from kit.data.splits.split import Split
from kit.errors import KitError
from kit.settings.run import DataConfig
from kit.types import IGNORE, PADDING, Views


def rng(seed=0):
    return np.random.default_rng(seed)


def moved(x, g, fill):
    """Scale, crop, pad and flip (C, H, W) uint8."""
    top, left, height, width = g.box
    part = x[:, top : top + height, left : left + width]
    out = torch.full((len(x), *g.crop), fill)
    g.place(g.fit(part, nearest=len(x) == 1), out)
    return out


def test_image_and_mask_move_together():
    """An image that shows its own class ids stays equal to its mask through every scale, crop and flip."""
    mask = torch.randint(0, 2, (6, 8), dtype=torch.uint8).repeat_interleave(16, 0).repeat_interleave(16, 1)
    image = (mask * 255)[None].expand(3, -1, -1)
    for seed in range(20):
        g = draw_geometry((96, 128), (64, 80), (0.5, 2.0), rng(seed))
        cut, ids = moved(image, g, -255.0)[0].div(255).round(), moved(mask[None], g, IGNORE)[0]
        assert cut.shape == ids.shape == (64, 80) and ids.dtype == torch.int64
        inside = ids != IGNORE
        assert torch.equal(cut == -1, ~inside)
        assert (cut[inside] == ids[inside]).float().mean() > 0.95  # all but pixels on resampled edges
        valid = torch.zeros(64, 80, dtype=torch.bool)
        g.window(valid).fill_(True)
        assert torch.equal(valid, inside)


def test_small_images_are_padded_and_large_ones_fill_the_crop():
    small = draw_geometry((40, 40), (64, 64), (1.0, 1.0), rng())
    assert (small.region, small.inner) == ((40, 40), (40, 40))
    assert (moved(torch.ones(1, 40, 40, dtype=torch.uint8), small, IGNORE) == IGNORE).sum() == 64 * 64 - 40 * 40
    for seed in range(50):
        g = draw_geometry((200, 300), (64, 64), (0.5, 2.0), rng(seed))
        assert g.inner == (64, 64) and g.top + g.region[0] <= 200 and g.left + g.region[1] <= 300


def test_scales_and_flips_are_drawn_evenly():
    drawn = [draw_geometry((400, 400), (100, 100), (0.5, 2.0), rng(s)) for s in range(400)]
    scales = np.array([100 / g.region[0] for g in drawn])
    assert abs(scales.mean() - 1.25) < 0.06 and scales.min() < 0.55 and scales.max() > 1.9
    assert 0.42 < np.mean([g.flip for g in drawn]) < 0.58


def test_scales_may_be_drawn_from_a_list():
    sizes = (0.5, 0.75, 1.0, 1.5, 1.75, 2.0)
    drawn = [draw_geometry((400, 400), (100, 100), (1.0, 1.0), rng(s), sizes).region[0] for s in range(600)]
    counts = {side: drawn.count(side) for side in set(drawn)}
    assert counts.keys() == {round(100 / s) for s in sizes}
    assert min(counts.values()) > 60 and max(counts.values()) < 140  # 100 each, 4 standard deviations


def scale_then_crop(size, crop, scale, rng):
    """The usual order: share of padding, and the middle of what is seen, from 0 to 1 of where it could be."""
    s = rng.uniform(*scale)
    scaled = [round(side * s) for side in size]
    start = [int(rng.integers(max(0, full - want) + 1)) for full, want in zip(scaled, crop, strict=True)]
    seen = [min(full, want) for full, want in zip(scaled, crop, strict=True)]
    at = [(a + p / 2) / full for a, p, full in zip(start, seen, scaled, strict=True)]
    return s, 1 - np.prod(seen) / np.prod(crop), *at


def test_crop_then_scale_draws_from_the_same_distribution_as_scale_then_crop():
    size, crop, scale = (120, 200), (100, 100), (0.5, 2.0)
    ours = []
    for seed in range(3000):
        g = draw_geometry(size, crop, scale, rng(seed))
        at = [(a + p / 2) / full for a, p, full in zip((g.top, g.left), g.region, size, strict=True)]
        ours.append((rng(seed).uniform(*scale), 1 - np.prod(g.inner) / np.prod(crop), *at))
    usual = [scale_then_crop(size, crop, scale, rng([seed, 1])) for seed in range(3000)]
    for name, a, b in zip(("scale", "padding", "row", "column"), np.array(ours).T, np.array(usual).T, strict=True):
        assert abs(a.mean() - b.mean()) < 4 * np.hypot(a.std(), b.std()) / 3000**0.5, name
        deciles = np.arange(0.1, 1, 0.1)
        assert np.abs(np.quantile(a, deciles) - np.quantile(b, deciles)).max() < 0.05, name


def test_every_place_is_drawn_equally_often():
    tops = [draw_geometry((60, 60), (50, 50), (1.0, 1.0), rng(seed)).top for seed in range(2200)]
    counts = np.bincount(tops)
    assert len(counts) == 11 and counts.min() > 140 and counts.max() < 270  # 200 each, 5 standard deviations


@pytest.mark.parametrize("sigma", [0.1, 0.4, 1.0, 1.9])
def test_blur_is_torchvisions(sigma):
    image = torch.randint(0, 256, (3, 24, 31), dtype=torch.uint8)
    wanted = tv.gaussian_blur(image, kernel_size=2 * round(3 * sigma) + 1, sigma=sigma)
    difference = (blur(image, sigma).int() - wanted.int()).abs()
    assert difference.max() <= 1 and (difference > 0).float().mean() < 0.01  # a half may be rounded the other way
    assert blur(image[:, :2, :2], sigma).shape == (3, 2, 2)


def test_colour_changes_leave_the_shape_and_can_be_switched_off():
    image = torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8)
    assert jitter(image, 0.0, rng()) is image
    for change in (lambda r: jitter(image, 0.5, r), lambda r: strong_colour(image, r)):
        changed = change(rng(1))
        assert changed.shape == image.shape and changed.dtype == torch.uint8 and not torch.equal(changed, image)
        assert torch.equal(changed, change(rng(1)))


def test_a_strong_view_changes_colours_as_published(monkeypatch):
    """Brightness, contrast, saturation by 0.5, hue by a quarter turn, in any order; 80 %, 20 % and 50 %."""
    image, names = torch.randint(0, 256, (3, 6, 6), dtype=torch.uint8), ("brightness", "contrast", "saturation", "hue")
    drawn = {name: [] for name in (*names, "order", "grey", "blur")}
    for name in names:

        def record(x, _name=name, **factor):
            drawn[_name].append(next(iter(factor.values())))
            drawn["order"].append(_name)
            return x

        monkeypatch.setattr(tv, f"adjust_{name}", record)
    monkeypatch.setattr(tv, "rgb_to_grayscale", lambda x, **_: drawn["grey"].append(1) or x)
    monkeypatch.setattr("kit.data.reading.transforms.blur", lambda x, sigma: drawn["blur"].append(sigma) or x)
    for seed in range(2000):
        strong_colour(image, rng(seed))
    for name, (low, high) in zip(names, [(0.5, 1.5)] * 3 + [(-0.25, 0.25)], strict=True):
        assert low <= min(drawn[name]) < low + 0.01 and high - 0.01 < max(drawn[name]) <= high, name
    orders = [tuple(drawn["order"][i : i + 4]) for i in range(0, len(drawn["order"]), 4)]
    assert len(set(orders)) == 24 and all(len(set(order)) == 4 for order in orders)
    counts = np.array([orders.count(order) for order in set(orders)])
    assert counts.min() > 30 and counts.max() < 110  # 67 each, 5 standard deviations
    shares = [len(drawn[name]) / 2000 for name in ("hue", "grey", "blur")]
    assert shares == pytest.approx([0.8, 0.2, 0.5], abs=0.04)
    assert 0.1 <= min(drawn["blur"]) < 0.12 and 1.98 < max(drawn["blur"]) <= 2.0


def test_images_are_floats_in_0_to_1_whole_planes_one_after_the_other():
    image = torch.randint(0, 256, (5, 7, 3), dtype=torch.uint8)
    floats = unit_range(image.permute(2, 0, 1))
    assert torch.equal(floats, image.permute(2, 0, 1).float() / 255)
    assert floats.is_contiguous() and image.dtype == torch.uint8


@pytest.fixture
def batches(scenes):
    def make(views=None, seed=0, rank=0, world=1, steps=12, workers=0, unlabelled=True, **others):
        files = SegFiles(find_spec("synthetic", scenes), scenes, "train")
        split = Split("t", files.ids[:3], files.ids[3:] if unlabelled else ())
        cfg = DataConfig(crop=(64, 64), labelled=2, unlabelled=4, scale=(0.5, 1.5), jitter=0.2, workers=workers,
                         **others)  # fmt: skip
        return TrainBatches(cfg, files, split, views or Views(strong=2), seed, steps, rank, world)

    return make


def test_a_batch_has_the_documented_shapes(batches):
    b = batches()[0]
    assert b.images.shape == (2, 3, 64, 64) and b.masks.shape == (2, 64, 64) and b.masks.dtype == torch.int64
    assert b.weak.shape == (4, 3, 64, 64) and b.strong.shape == (4, 2, 3, 64, 64)
    assert b.valid.shape == (4, 64, 64) and b.valid.dtype == torch.bool
    padded = b.weak.permute(0, 2, 3, 1)[~b.valid]
    assert len(padded) and torch.equal(padded, torch.tensor(PADDING).expand_as(padded))
    alone = batches(views=Views(unlabelled=False), unlabelled=False)[0]
    assert alone.weak.shape == (0, 3, 64, 64) and alone.valid.shape == (0, 64, 64)
    with pytest.raises(KitError, match="leaves no unlabelled image"):
        batches(unlabelled=False)


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_hidden_labels_fit_the_unlabelled_images_and_change_nothing_else(scenes):
    files = SegFiles(find_spec("synthetic", scenes), scenes, "train")
    split, views = Split("t", files.ids[:3], files.ids[3:]), Views(strong=1)
    read, unread = (
        TrainBatches(DataConfig(crop=(64, 64), labelled=2, unlabelled=4, observe=on), files, split, views, 0, 3)[1]
        for on in (True, False)
    )
    assert read.hidden.shape == (4, 64, 64) and read.hidden.dtype == torch.int64 and unread.hidden.shape == (0, 64, 64)
    assert equal(read[:5], unread[:5]) and (read.hidden[~read.valid] == IGNORE).all()
    files.masks = {name: files.masks[name] for name in files.ids[:3]}  # as in a folder of one's own
    bare = TrainBatches(DataConfig(crop=(64, 64), labelled=2, unlabelled=4, observe=True), files, split, views, 0, 3)
    assert (bare[1].hidden == IGNORE).all()


def test_a_batch_depends_on_seed_and_step_only(batches):
    assert equal(batches()[5], batches()[5])
    assert not equal(batches()[5], batches()[6]) and not equal(batches()[5], batches(seed=1)[5])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_started_midway_continues_the_same_batches(batches, workers):
    whole = list(train_loader(batches(workers=0, steps=5), 0))
    late = list(train_loader(batches(workers=workers, steps=5), 3))
    assert len(whole) == 5 and len(late) == 2
    assert equal(whole[3], late[0]) and equal(whole[4], late[1])


def test_any_number_of_workers_gives_the_same_batches(batches):
    runs = [list(train_loader(batches(steps=20, workers=workers), 0)) for workers in (0, 2, 4)]
    assert [len(run) for run in runs] == [20, 20, 20]
    for first, *others in zip(*runs, strict=True):
        assert all(equal(first, other) for other in others)


def test_a_run_restarted_within_an_epoch_sees_the_rest_of_it(batches):
    """8 images, 3 labelled: step 1 is in the middle of both first passes."""
    whole = list(train_loader(batches(steps=6), 0))
    rest = list(train_loader(batches(steps=6, workers=2), 1))
    assert len(rest) == 5 and all(equal(a, b) for a, b in zip(whole[1:], rest, strict=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_file_is_named_in_one_line_by_any_process(batches, workers):
    made = batches(workers=workers)
    broken = made.files.paths[made.split.labelled[1]]
    content = broken.read_bytes()
    try:
        broken.write_bytes(content[: len(content) // 2])
        with pytest.raises(KitError) as caught:
            list(train_loader(made, 0))
        assert str(broken) in str(caught.value) and "\n" not in str(caught.value)
    finally:
        broken.write_bytes(content)


def test_a_broken_val_image_is_named_too(batches):
    made = batches()
    name = made.files.ids[1]
    path, made.files.paths[name] = made.files.paths[name], made.files.paths[name].with_name("gone.png")
    assert path.exists()
    with pytest.raises(KitError, match=r"^no file .*gone.png$"):
        list(val_loader(ValImages(made.files), workers=1))


def test_a_killed_worker_is_one_line(batches, monkeypatch):
    here = os.getpid()

    def fatal(self, step):
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(TrainBatches, "__getitem__", fatal)
    with pytest.raises(KitError, match="^a loader process was killed"):
        list(train_loader(batches(workers=2), 0))


def test_a_worker_keeps_to_one_thread(batches, monkeypatch):
    monkeypatch.setattr(TrainBatches, "__getitem__", lambda self, step: torch.get_num_threads())
    assert list(train_loader(batches(workers=1, steps=2), 0)) == [1, 1]


def test_labelled_and_unlabelled_images_are_shuffled_independently(batches):
    made = batches(steps=30)
    places = {}
    for stream in (0, 1):
        names = [name for step in range(24) for name, _ in made._deal(step, stream, made.split.labelled)]
        passes = [names[i : i + 3] for i in range(0, len(names) // 3 * 3, 3)]
        assert all(sorted(one) == sorted(made.split.labelled) for one in passes)
        assert len({tuple(one) for one in passes}) > 1  # each pass in an order of its own
        places[stream] = passes[:16]
    assert places[0] != places[1]


def test_images_beyond_the_protocol_are_drawn_as_well(batches):
    made = batches()
    made.split = Split("t", made.split.labelled, made.split.unlabelled[:2], extra=made.split.unlabelled[2:])
    seen = {name for step in range(5) for name, _ in made._deal(step, 1, made.split.pool)}
    assert seen == {*made.split.unlabelled, *made.split.extra} and len(made.split.extra) == 3
    reads = []
    made.files.image, read = lambda name, box=None: reads.append(name) or read(name, box), made.files.image
    [made[step] for step in range(5)]
    assert set(made.split.extra) <= set(reads)


def test_labelled_images_stand_for_unlabelled_ones_in_the_control(batches):
    made, usual = batches(pool="labelled", observe=True), batches(observe=True)
    made.files.pair, read, reads = lambda *given: reads.append(given[0]) or read(*given), made.files.pair, []
    seen = [made[step] for step in range(3)]
    assert set(reads) == set(made.split.labelled) and not set(usual.pool) & set(made.pool)
    assert all((batch.hidden != IGNORE).any((1, 2)).all() for batch in seen)
    assert torch.equal(seen[0].images, usual[0].images) and not torch.equal(seen[0].weak, usual[0].weak)
    assert len(batches(pool="labelled", unlabelled=False)[0].weak) == 4  # a split that labels everything has one too
    assert batches(views=Views(unlabelled=False), pool="labelled").pool == ()


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


def test_no_step_holds_an_unlabelled_image_twice_also_between_two_passes(scenes):
    files = SegFiles(find_spec("synthetic", scenes), scenes, "train")
    ids = tuple(str(i) for i in range(34))  # passes end within a step
    cfg = DataConfig(labelled=2, unlabelled=8)
    made = TrainBatches(cfg, files, Split("t", files.ids[:3], ids), Views(), 0, 200)
    steps = [[name for name, _ in made._deal(step, 1, ids)] for step in range(200)]
    assert all(len(set(step)) == 8 for step in steps)
    seen = sum(steps, [])
    assert all(sorted(seen[i : i + 34]) == sorted(ids) for i in range(0, len(seen) - 34, 34))


def test_val_images_come_in_order_with_the_mask_as_it_is_on_disk(scenes):
    files = SegFiles(find_spec("synthetic", scenes), scenes, "val", base_size=(32, 64))
    items = ValImages(files)
    assert [items[i][0] for i in range(len(items))] == list(files.ids) and len(ValImages(files, limit=2)) == 2
    _, image, mask = items[0]
    assert image.shape == (3, 32, 64) and mask.shape == (64, 128)


def test_loader_processes_return_masks_mapped_from_the_cache(scenes, tmp_path):
    files = SegFiles(find_spec("synthetic", scenes), scenes, "val", None, tmp_path / "cache")
    images = ValImages(files)
    files.keep((), images.ids, full=True)
    alone, handed = list(val_loader(images, 0)), list(val_loader(images, 2))
    assert all(torch.equal(a[2], b[2]) for a, b in zip(alone, handed, strict=True)) and len(handed) == 3
