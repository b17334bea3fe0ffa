import numpy as np
import pytest
import torch
from PIL import Image

from kit.config import DataConfig
from kit.data.catalog import DATASETS, find_spec
from kit.data.draw import digest, draw
from kit.data.files import SegFiles
from kit.data.splits import LABELLED, Split, labelled_count, make_split, read_list, write_lists
from kit.errors import KitError
from kit.paths import PROJECT
from kit.types import IGNORE


@pytest.fixture
def own(tmp_path):
    """One's own folder: 6 train images, 4 of them with masks, 2 val images."""
    (tmp_path / "classes.yaml").write_text("classes: {ground: [0, 0, 0], leaf: [0, 160, 60]}\nignore: 9\n")
    rng = np.random.default_rng(0)
    for part, count in (("train", 6), ("val", 2)):
        for folder in ("images", "labels"):
            (tmp_path / folder / part).mkdir(parents=True)
        for i in range(count):
            image = rng.integers(0, 255, (40, 60, 3), np.uint8)
            Image.fromarray(image).save(tmp_path / f"images/{part}/{part[0]}{i}.jpg")
            if part == "val" or i < 4:
                mask = rng.choice([0, 1, 9], (40, 60)).astype(np.uint8)
                Image.fromarray(mask).save(tmp_path / f"labels/{part}/{part[0]}{i}.png")
    return tmp_path


def both(root, dataset="folder", **options):
    spec = find_spec(dataset, root)
    return SegFiles(spec, root, "train", **options), SegFiles(spec, root, "val", **options)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:60])


def test_catalog_entries_are_whole():
    for spec in DATASETS.values():
        assert len(spec.palette) == spec.num_classes == len(set(spec.classes)) == len(set(spec.palette))
        for kind in (kind for layout in spec.layouts for kind in layout.masks):
            assert set(kind.raw_ids.values()) - {IGNORE} == set(range(spec.num_classes))
        assert set(spec.rare) <= set(spec.classes)


def test_cityscapes_ids_by_hand():
    spec = DATASETS["cityscapes"]
    table = spec.layouts[0].masks[0].lookup()
    named = {name: table[raw] for name, raw in {"road": 7, "car": 26, "bicycle": 33, "train": 31}.items()}
    assert {name: spec.classes[i] for name, i in named.items()} == {n: n for n in named}
    assert table[0] == table[4] == table[30] == IGNORE and table[40] == 254


def test_own_folder_is_read_into_class_ids(own):
    train, val = both(own)
    image, mask = train.pair("t0")
    assert image.shape == (3, 40, 60) and image.dtype == mask.dtype == torch.uint8
    assert set(mask.unique().tolist()) == {0, 1, IGNORE}
    assert (len(train.ids), len(train.masked_ids), len(val.ids)) == (6, 4, 2)


def test_grey_rgba_and_palette_pictures_are_read(own):
    Image.new("L", (60, 40), 7).save(own / "images/train/t0.jpg")
    Image.new("RGBA", (60, 40), (1, 2, 3, 4)).save(own / "images/train/q.png")
    mask = Image.new("P", (60, 40), 1)
    mask.putpalette([0, 0, 0, 0, 160, 60])
    mask.save(own / "labels/train/q.png")
    train, _ = both(own)
    assert train.image("t0").shape == train.image("q").shape == (3, 40, 60)
    assert train.pair("q")[1].unique().tolist() == [1]


def test_base_size_resizes_images_and_masks_but_not_the_truth(own):
    train, _ = both(own, base_size=(20, 30), cache=True)
    image, mask = train.pair("t1")
    assert image.shape[1:] == mask.shape == (20, 30) and set(mask.unique().tolist()) <= {0, 1, IGNORE}
    assert train.full_mask("t1").shape == (40, 60)
    assert train.image("t1") is train.image("t1")  # cached


def test_an_upright_photograph_is_turned(own):
    picture = Image.new("RGB", (60, 40))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(own / "images/train/t0.jpg", exif=exif)
    assert both(own)[0].image("t0").shape == (3, 60, 40)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: Image.new("L", (60, 40), 77).save(r / "labels/train/t0.png"), r"labels/train/t0.png holds .*\[77\]"),
        (
            lambda r: Image.new("RGB", (60, 40), (1, 2, 3)).save(r / "labels/train/t0.png"),
            "t0.png holds 2400 pixels of colours without a class, such as .1, 2, 3",
        ),
        (lambda r: Image.new("L", (50, 40)).save(r / "labels/train/t0.png"), r"t0.png is \(40, 50\), its image"),
        (lambda r: (r / "images/train/t0.jpg").write_bytes(b"not a picture"), "t0.jpg cannot be read"),
        (lambda r: cut_short(r / "labels/train/t0.png"), "t0.png cannot be read"),
        (lambda r: (r / "labels/train/t0.png").unlink(), "no file .*t0.png"),
    ],
)
def test_bad_files_are_named(own, spoil, message):
    spoil(own)
    with pytest.raises(KitError, match=message):
        both(own)[0].pair("t0")


def test_missing_folders_are_named(own, tmp_path):
    with pytest.raises(KitError, match="no folder .*absent; set data_root"):
        SegFiles(DATASETS["camvid"], tmp_path / "absent", "train")
    with pytest.raises(KitError, match="is this the folder of the cityscapes data set"):
        SegFiles(DATASETS["cityscapes"], own, "train")
    (own / "classes.yaml").write_text("classes: [1, 2]")
    with pytest.raises(KitError, match="classes.yaml cannot be read"):
        find_spec("folder", own)
    with pytest.raises(KitError, match="unknown dataset 'ade'; choose one of: camvid"):
        find_spec("ade", own)


def test_the_draw_is_by_hash_nested_and_known():
    ids = [f"img_{i:03d}" for i in range(100)]
    assert draw(ids, 7, 0) == draw(reversed(ids), 7, 0) == draw(ids, 50, 0)[:7]
    assert set(draw(ids, 7, 0)) != set(draw(ids, 7, 1))
    assert draw(["a", "b", "c"], 3, 5) == ("b", "c", "a")  # sha256 of "5:b" is 1ee7.., "5:c" 4f45.., "5:a" ad62..
    assert digest(["b", "a", "a"]) == digest(["a", "b"])
    assert digest(["a"]) == "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"  # sha256 of "a\n"


@pytest.mark.parametrize(
    ("total", "counts"),
    [
        (2975, {30: 100, 16: 186, 8: 372, 4: 744, 2: 1488}),  # Cityscapes
        (10582, {16: 662, 8: 1323, 4: 2646, 2: 5291}),  # VOC with extra masks
    ],
)
def test_shares_are_rounded_up_as_published(total, counts):
    assert {share: labelled_count(f"1_{share}", total) for share in counts} == counts


def test_splits_of_one_folder(own):
    train, val = both(own)
    every = make_split(DataConfig(split="masks"), train, val)
    assert every.labelled and set(every.labelled) == {"t0", "t1", "t2", "t3"} and every.unlabelled == ("t4", "t5")
    half = make_split(DataConfig(split="1_2", split_seed=3), train, val)
    assert len(half.labelled) == 2 and set(half.labelled) | set(half.unlabelled) == set(train.ids)
    assert half.name == "1_2 seed 3" and half.record()["labelled_sha256"] == digest(half.labelled)
    write_lists(half, own / "lists")
    again = make_split(DataConfig(split=str(own / "lists")), train, val)
    assert again.record() | {"name": ""} == half.record() | {"name": ""}


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "message"),
    [
        ([], ["t1"], "no labelled image"),
        (["t0", "t1"], ["t1"], r"1 image\(s\) \(t1\) in both lists"),
        (["t0"], ["z"], "no image of 1"),
        (["t5"], ["t1"], r"no mask of 1 image\(s\) \(t5\)"),
    ],
)
def test_splits_that_do_not_fit_are_refused(own, labelled, unlabelled, message):
    train, val = both(own)
    write_lists(Split("x", tuple(labelled), tuple(unlabelled)), own / "lists")
    with pytest.raises(KitError, match=message):
        make_split(DataConfig(split=str(own / "lists")), train, val)


def test_a_split_must_not_reach_into_val(own):
    Image.open(own / "images/train/t0.jpg").save(own / "images/val/t0.jpg")
    spec = find_spec("folder", own)
    train, val = both(own)
    assert spec.name and "t0" in val.ids
    with pytest.raises(KitError, match="also in the val part"):
        make_split(DataConfig(split="masks"), train, val)


@pytest.mark.parametrize("split", ["1_0", "count_99", "half", "nowhere/at/all"])
def test_splits_that_are_not_understood(own, split):
    with pytest.raises(KitError, match=f"split '{split}' is neither"):
        make_split(DataConfig(split=split), *both(own))


def test_the_committed_lists_are_the_hash_draw():
    folder = PROJECT / "splits/synthetic/1_16"
    labelled, unlabelled = read_list(folder / LABELLED), read_list(folder / "unlabelled.txt")
    assert (len(labelled), len(unlabelled)) == (12, 180)
    assert set(labelled) == set(draw([*labelled, *unlabelled], 12, 0))
