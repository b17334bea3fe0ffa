import pytest
import torch
from PIL import Image

from kit.data.catalog import DATASETS, find_spec
from kit.data.loaders import ValImages
from kit.data.reading.files import SegFiles
from kit.data.splits.split import check_masks, checked_split
from kit.errors import KitError
from kit.settings.run import DataConfig
from kit.types import IGNORE


def both(root, dataset="folder", **options):
    spec = find_spec(dataset, root)
    return SegFiles(spec, root, "train", **options), SegFiles(spec, root, "val", **options)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:60])


def test_catalog_entries_are_complete():
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
    train, _ = both(own, base_size=(20, 30), cache=own / "cache")
    image, mask = train.pair("t1")
    assert image.shape[1:] == mask.shape == (20, 30) and set(mask.unique().tolist()) <= {0, 1, IGNORE}
    assert train.full_mask("t1").shape == (40, 60)
    assert torch.equal(both(own, base_size=(20, 30))[0].image("t1"), train.image("t1"))


@pytest.mark.parametrize("cached", [False, True])
def test_images_may_keep_their_aspect(own, cached):
    Image.linear_gradient("L").resize((30, 60)).save(own / "images/train/t0.jpg")
    Image.new("L", (30, 60), 1).save(own / "labels/train/t0.png")
    options = {"base_size": (20, 50), "keep_aspect": True, "cache": own / "cache" if cached else None}
    train, _ = both(own, **options)
    train.keep((), train.masked_ids, silent=True)
    for name, size in (("t0", (40, 20)), ("t1", (20, 30))):
        image, mask = train.pair(name)
        assert train.size(name) == image.shape[1:] == mask.shape == size
        assert torch.equal(train.image(name, (3, 2, 10, 12)), image[:, 3:13, 2:14])
    assert both(own, **options | {"keep_aspect": False})[0].pair("t0")[0].shape == (3, 20, 50)


def test_masks_of_another_size_raise_before_anything_is_read(own, monkeypatch):
    """Also where both are resized when read, so that no reader would notice; the image's orientation counts."""
    picture, exif = Image.new("RGB", (60, 40)), Image.Exif()
    exif[0x0112] = 6
    picture.save(own / "images/train/t0.jpg", exif=exif)
    Image.new("L", (40, 60)).save(own / "labels/train/t0.png")
    for name in ("read_image", "read_mask"):
        monkeypatch.setattr(f"kit.data.reading.files.{name}", None)  # heads alone
    train, val = both(own, base_size=(20, 30))
    train.check_sizes(train.masked_ids)
    Image.new("L", (30, 20)).save(own / "labels/train/t3.png")
    wanted = r"t3.png is 20 x 30, its image .*t3.jpg 40 x 60"
    with pytest.raises(KitError, match=wanted):
        train.check_sizes(train.masked_ids)
    for split, observe in (("masks", False), ("count_1", True)):
        with pytest.raises(KitError, match=wanted):
            check_masks(checked_split(DataConfig(split=split), train, val), train, observe)
    check_masks(checked_split(DataConfig(split="count_1"), train, val), train, False)  # by hash another one than t3
    Image.new("L", (30, 20)).save(own / "labels/val/v1.png")
    assert ValImages(val, limit=1).ids == ("v0",)
    with pytest.raises(KitError, match=r"v1.png is 20 x 30"):
        ValImages(val)


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


def test_the_missing_mask_is_named_whatever_its_suffix(own):
    with open(own / "classes.yaml", "a") as file:
        file.write("images: 'images/{part}/*'\nmasks: 'labels/{part}/*.*'\n")
    assert both(own)[0].no_mask("t5") == f"no mask of t5: no file {own}/labels/train/t5"
