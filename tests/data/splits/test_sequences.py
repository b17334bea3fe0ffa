"""Draws of videos: turns between sequences, distance inside each."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from kit.data.catalog import DATASETS, find_spec
from kit.data.reading.files import SegFiles
from kit.data.splits.hash_draw import digest
from kit.data.splits.sequences import FRAMES, by_sequence, order_by_sequence, spread
from kit.data.splits.split import PROTOCOLS, checked_split, draw_split, read_lists, write_lists
from kit.errors import KitError
from kit.settings.run import DataConfig

CAMVID = [
    *(f"0001TP_{6690 + 30 * i:06d}" for i in range(62)),
    *(f"0006R0_f{930 + 30 * i:05d}" for i in range(101)),
    *(f"0016E5_{390 + 30 * i:05d}" for i in range(204)),
]


@pytest.fixture
def video(tmp_path):
    """A folder of frames: 10 of "near", 6 of "far", all but one with masks, and 2 val frames."""
    (tmp_path / "classes.yaml").write_text("classes: [ground, leaf]\n")
    for part, names in (("train", [*(f"near_{i:04d}" for i in range(10)), *(f"far_{i:04d}" for i in range(6))]),
                        ("val", ["v_0", "v_1"])):  # fmt: skip
        for folder in ("images", "labels"):
            (tmp_path / folder / part).mkdir(parents=True)
        for name in names:
            Image.new("RGB", (6, 4)).save(tmp_path / f"images/{part}/{name}.png")
            if name != "far_0002":
                Image.new("L", (6, 4), 1).save(tmp_path / f"labels/{part}/{name}.png")
    return tmp_path


def both(root):
    spec = find_spec("folder", root)
    return SegFiles(spec, root, "train"), SegFiles(spec, root, "val")


@pytest.mark.parametrize(
    ("dataset", "name", "sequence", "frame"),
    [
        ("camvid", "0001TP_006690", "0001TP", 6690),
        ("camvid", "0006R0_f00930", "0006R0", 930),
        ("camvid", "0016E5_00390", "0016E5", 390),
        ("camvid", "Seq05VD_f00000", "Seq05VD", 0),
        ("cityscapes", "jena_000078_000019", "jena", 78_000019),
        ("cityscapes", "hamburg_000000_103367", "hamburg", 103367),
    ],
)
def test_names_give_sequence_and_frame(dataset, name, sequence, frame):
    assert by_sequence([name], DATASETS[dataset].frames) == {sequence: {name: frame}}


def test_sequences_share_labels_evenly_and_smaller_draws_are_subsets():
    order = order_by_sequence(CAMVID, FRAMES, 0)
    assert sorted(order) == sorted(CAMVID) and order == order_by_sequence(reversed(CAMVID), FRAMES, 0)
    for count in (1, 2, 23, 46, 92, 186):
        labelled = [found["labelled"] for found in spread(order[:count], CAMVID, FRAMES).values()]
        assert sum(labelled) == count and max(labelled) - min(labelled) <= 1
    rest = [found["labelled"] for found in spread(order[:300], CAMVID, FRAMES).values()]
    assert rest == [62, 101, 137]  # the short ones are used up
    assert digest(order[:23]) == "0ced69aecfff8e1146c894bfdee1c726152de9dc6b829ef186f76552faa8b6ed"
    assert set(order[:23]) != set(order_by_sequence(CAMVID, FRAMES, 1)[:23])


def test_no_position_in_time_is_preferred():
    """On a line instead of a circle, both ends would be among the first three of every seed."""
    names = [f"a_{i}" for i in range(40)]
    drawn = [order_by_sequence(names, FRAMES, seed)[:4] for seed in range(40)]
    counts = np.bincount([int(name[2:]) for labelled in drawn for name in labelled], minlength=40)
    assert counts.max() <= 12 and (counts > 0).sum() >= 30


@pytest.mark.parametrize("first", [20261130_080000_000000, 10**29])
def test_numbers_of_any_length_are_frames(first):
    """A date with microseconds has 20 digits, more than an int64 holds."""
    names = [str(first + i * first // 20) for i in range(10)]
    order = order_by_sequence(names, FRAMES, 0)
    assert sorted(order) == names
    first_two = sorted(names.index(name) for name in order[:2])
    assert first_two[1] - first_two[0] == 5  # opposite on the circle


@pytest.mark.parametrize("seed", range(12))
def test_frames_are_half_as_far_apart_as_they_could_be(seed):
    rng = np.random.default_rng(seed)
    numbers = np.sort(rng.choice(60, int(rng.integers(5, 11)), replace=False))
    around = numbers[-1] - numbers[0] + np.diff(numbers).min()
    order = [int(name[2:]) for name in order_by_sequence([f"a_{n}" for n in numbers], FRAMES, seed)]

    def closest(chosen):
        away = [abs(a - b) for a, b in combinations(chosen, 2)]
        return min(min(d, around - d) for d in away)

    for count in range(2, len(numbers)):
        best = max(closest(chosen) for chosen in combinations(numbers, count))
        assert 2 * closest(order[:count]) >= best
    assert spread(["a_0", "a_7", "a_9"], ["a_0", "a_7", "a_8", "a_9", "b_1"], FRAMES) == {
        "a": {"images": 4, "labelled": 3, "closest": 2}, "b": {"images": 1, "labelled": 0, "closest": None}
    }  # fmt: skip


def test_a_split_by_sequence_needs_no_lists_and_records_its_protocol(video):
    train, val = both(video)
    split = checked_split(DataConfig(split="count_4_by_sequence", split_seed=3), train, val)
    assert split.name == "count_4_by_sequence seed 3" and "far_0002" in split.unlabelled
    assert sorted(name.split("_")[0] for name in split.labelled) == ["far", "far", "near", "near"]
    assert split.record()["protocol"] == PROTOCOLS["sequence"]
    assert draw_split("1_4", 0, train).record()["protocol"] == PROTOCOLS["hash"]
    assert set(split.labelled) < set(draw_split("1_2_by_sequence", 3, train).labelled)
    write_lists(split, video / "lists")
    assert read_lists(video / "lists", "").record() == split.record()


def test_impossible_draws_by_sequence_raise(video):
    train, _ = both(video)
    (video / "images/train/near_0003.png").rename(video / "images/train/still.png")
    (video / "labels/train/near_0003.png").rename(video / "labels/train/still.png")
    with pytest.raises(KitError, match="'still' does not end with a frame number"):
        draw_split("1_2_by_sequence", 0, both(video)[0])
    train.spec = DATASETS["voc"]
    with pytest.raises(KitError, match="voc is not a data set of videos.*'1_2' draws by hash"):
        draw_split("1_2_by_sequence", 0, train)
    with pytest.raises(KitError, match='split .all_by_sequence. is neither .* followed by "_by_sequence"'):
        draw_split("all_by_sequence", 0, train)
