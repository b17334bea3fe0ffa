"""Reading parts of pictures, and the cache of decoded ones: always the pixels that reading the whole file gives."""

import multiprocessing
import os
import pickle
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from kit.data.catalog import find_spec
from kit.data.reading.cache import SEAL, Cache, Item
from kit.data.reading.files import SegFiles
from kit.errors import KitError

BOX = (7, 11, 20, 33)


@pytest.fixture
def own(tmp_path):
    """Pictures of many kinds in the layout of a folder, 40 x 60: name -> how it was saved."""
    rng = np.random.default_rng(0)
    root = tmp_path / "own"
    for part in ("train", "val"):
        (root / "images" / part).mkdir(parents=True)
        (root / "labels" / part).mkdir(parents=True)
    (root / "classes.yaml").write_text("classes: {ground: [90, 60, 30], water: [0, 0, 200]}\n")
    for name in ("plain.png", "photo.jpg", "grey.png", "alpha.png", "turned.jpg", "val.png"):
        pixels = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
        part, options = "val" if name == "val.png" else "train", {}
        if name == "turned.jpg":
            pixels, options = pixels.transpose(Image.Transpose.ROTATE_90), {"exif": Image.Exif()}
            options["exif"][0x0112] = 6
        pixels = pixels.convert({"grey.png": "L", "alpha.png": "RGBA"}.get(name, "RGB"))
        pixels.save(root / "images" / part / name, **options)
        mask = Image.fromarray(rng.integers(0, 2, (40, 60), dtype=np.uint8))
        mask.save(root / "labels" / part / f"{Path(name).stem}.png")
    return root


def opened(root, base_size=None, cache=None, part="train"):
    return SegFiles(find_spec("folder", root), root, part, base_size, cache)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("base_size", [None, (30, 50)])
def test_a_box_holds_the_pixels_of_the_whole(own, tmp_path, base_size, cached):
    plain, files = opened(own, base_size), opened(own, base_size, tmp_path / "cache" if cached else None)
    assert len(files.ids) == 5
    top, left, height, width = BOX
    for _ in range(2):  # made, then kept
        for name in files.ids:
            image, mask = plain.pair(name)
            assert files.size(name) == image.shape[1:] == (base_size or (40, 60))
            assert same(files.pair(name), (image, mask)) and torch.equal(files.image(name), image)
            assert torch.equal(files.full_mask(name), plain.full_mask(name))
            area = (..., slice(top, top + height), slice(left, left + width))
            assert same(files.pair(name, BOX), (image[area], mask[area]))
            assert torch.equal(files.image(name, BOX), image[area])


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (39, 59, 1, 1), (0, 0, 40, 60), (0, 20, 40, 5)])
def test_boxes_at_the_edges(own, box):
    files = opened(own)
    for name in files.ids:
        (top, left, height, width), whole = box, files.image(name)
        assert torch.equal(files.image(name, box), whole[:, top : top + height, left : left + width])


@pytest.mark.parametrize("cached", [False, True])
def test_sizes_that_differ_are_named_though_only_a_box_is_read(own, tmp_path, cached):
    Image.new("L", (60, 41)).save(own / "labels/train/plain.png")
    files = opened(own, cache=tmp_path / "cache" if cached else None)
    with pytest.raises(KitError, match=r"plain.png is \(41, 60\), its image \(40, 60\)"):
        files.pair("plain", BOX)


def test_a_box_of_void_pixels_is_valid(tmp_path):
    """The car's own hood: in labelIds nothing but 1, which as a train id would be the sidewalk."""
    for path, pixels in {
        "leftImg8bit/train/c/c_0_0_leftImg8bit.png": np.zeros((8, 8, 3), np.uint8),
        "gtFine/train/c/c_0_0_gtFine_labelIds.png": np.repeat([7, 1], [4, 4])[:, None].repeat(8, 1).astype(np.uint8),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / path)
    files = SegFiles(find_spec("cityscapes", tmp_path), tmp_path, "train")
    assert files.pair("c_0_0", (5, 0, 3, 8))[1].unique().tolist() == [255]


def kept(tmp_path):
    return sorted((tmp_path / "cache").rglob("*.npy"))


def test_filling_it_decodes_everything_once(own, tmp_path, monkeypatch):
    opened(own, cache=tmp_path / "cache").keep(["photo"], ["plain", "grey"], silent=True)
    assert [path.name for path in kept(tmp_path)] == [
        "grey.image.npy", "grey.mask.npy", "photo.image.npy", "plain.image.npy", "plain.mask.npy"
    ]  # fmt: skip
    wanted = opened(own).pair("plain")
    assert torch.equal(torch.from_numpy(np.load(kept(tmp_path)[3]).copy()).permute(2, 0, 1), wanted[0])
    monkeypatch.setattr("kit.data.reading.files.read_image", None)
    monkeypatch.setattr("kit.data.reading.files.read_mask", None)
    again = opened(own, cache=tmp_path / "cache")
    again.keep(["photo"], ["plain", "grey"], silent=True)
    assert same(again.pair("plain"), wanted)
    with pytest.raises(TypeError):
        again.image("alpha")  # is not in the cache


def test_masks_of_val_are_kept_at_full_size(own, tmp_path):
    val = opened(own, (30, 50), tmp_path / "cache", "val")
    val.keep((), val.ids, full=True, silent=True)
    assert [path.name for path in kept(tmp_path)] == ["val.full.npy", "val.image.npy"]
    assert val.full_mask("val").shape == (40, 60) and val.image("val").shape == (3, 30, 50)


def test_a_changed_source_is_read_again(own, tmp_path):
    first = opened(own, cache=tmp_path / "cache").image("plain").clone()
    path = own / "images/train/plain.png"
    Image.fromarray(np.full((40, 60, 3), 9, np.uint8)).save(path)
    assert (opened(own, cache=tmp_path / "cache").image("plain") == 9).all() and not (first == 9).all()
    before = path.stat()
    Image.fromarray(np.full((40, 60, 3), 8, np.uint8)).save(path)
    assert path.stat().st_size == before.st_size  # only the time stamp tells
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert (opened(own, cache=tmp_path / "cache").image("plain") == 8).all()


def test_classes_sizes_and_folders_have_separate_files(own, tmp_path):
    cache = tmp_path / "cache"
    assert opened(own, cache=cache).image("plain").shape == (3, 40, 60)
    assert opened(own, (20, 30), cache).image("plain").shape == (3, 20, 30)
    Image.new("RGB", (60, 40), (0, 0, 200)).save(own / "labels/train/plain.png")
    assert opened(own, cache=cache).pair("plain")[1].unique().tolist() == [1]
    (own / "classes.yaml").write_text("classes: {water: [0, 0, 200], ground: [90, 60, 30]}\n")
    assert opened(own, cache=cache).pair("plain")[1].unique().tolist() == [0]
    own.rename(tmp_path / "moved")
    assert torch.equal(
        opened(tmp_path / "moved", cache=cache).image("plain"), opened(tmp_path / "moved").image("plain")
    )


DAMAGE = {
    "cut off": lambda content: content[:-100],
    "empty": lambda content: b"",
    "half of it": lambda content: content[: len(content) // 2],
    "longer": lambda content: content + b"x",
    "another header": lambda content: b"x" + content[1:],
    "another pixel": lambda content: content[:500] + bytes([content[500] ^ 1]) + content[501:],
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_written_again(own, tmp_path, damage):
    wanted = opened(own).image("plain")
    assert torch.equal(opened(own, cache=tmp_path / "cache").image("plain"), wanted)
    (path,) = kept(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert torch.equal(opened(own, cache=tmp_path / "cache").image("plain"), wanted)
    assert path.read_bytes() == whole and path.stat().st_mtime == SEAL


def test_a_broken_picture_is_named_when_the_cache_is_filled(own, tmp_path):
    path = own / "images/train/grey.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(KitError, match="grey.png cannot be read"):
        opened(own, cache=tmp_path / "cache").keep((), ["alpha", "grey", "plain"], silent=True)
    with pytest.raises(KitError, match="no file .*gone.png"):
        files = opened(own, cache=tmp_path / "cache")
        files.paths["plain"] = own / "images/train/gone.png"
        files.image("plain")


def test_disk_space_is_checked_before_anything_is_decoded(own, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10**7))
    files = opened(own, cache=tmp_path / "cache")
    with pytest.raises(KitError, match=r"needs 0.1 GB in .*cache.* and 0.0 GB are free; .*data.cache_dir"):
        files.keep((), files.ids, silent=True)
    assert not kept(tmp_path)


def test_a_disk_that_cannot_be_written_is_one_line(own, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(KitError, match="cache of decoded images in .*file.* cannot be written: .*; name another") as e:
        opened(own, cache=tmp_path / "file").image("plain")
    assert "\n" not in str(e.value)

    def full(file, pixels):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.save", full)
    with pytest.raises(KitError, match="cannot be written: No space left on device"):
        opened(own, cache=tmp_path / "cache").image("plain")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_files_of_a_killed_process_are_ignored_and_later_removed(own, tmp_path):
    files = opened(own, cache=tmp_path / "cache")
    files.image("plain")
    folder = kept(tmp_path)[0].parent
    old, new = folder / ".0123.tmp", folder / ".4567.tmp"
    for path in (old, new):
        path.write_bytes(b"half a picture")
    os.utime(old, (1, 1))
    files.keep(["grey"], (), silent=True)
    assert not old.exists() and new.exists() and torch.equal(files.image("grey"), opened(own).image("grey"))


def test_threads_and_processes_at_once(own, tmp_path):
    wanted = {name: opened(own).image(name) for name in opened(own).ids}

    def fill():
        torch.set_num_threads(1)  # a forked process has none of its parent's threads
        files = opened(own, cache=tmp_path / "cache")
        files.keep((), files.ids, silent=True)

    others = [multiprocessing.get_context("fork").Process(target=fill) for _ in range(2)]
    [other.start() for other in others]
    results = []

    def read():
        for _ in range(10):
            files = opened(own, cache=tmp_path / "cache")
            results.append(all(torch.equal(files.image(name), wanted[name]) for name in files.ids))

    threads = [threading.Thread(target=read) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    [other.join(60) for other in others]
    assert [other.exitcode for other in others] == [0, 0] and len(results) == 40 and all(results)
    assert len(kept(tmp_path)) == 10 and not list((tmp_path / "cache").rglob("*.tmp"))


def test_no_file_stays_open_and_pickles_hold_no_pixels(own, tmp_path):
    files = opened(own, cache=tmp_path / "cache")
    count = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    files.keep((), files.ids, silent=True)
    images = [files.image(name) for name in files.ids]
    if count is not None:
        assert len(os.listdir("/proc/self/fd")) == count
    copy = pickle.loads(pickle.dumps(files._cache))
    assert not copy._open and files._cache._open and copy.folder == files._cache.folder and images


def test_pixels_of_any_shape(tmp_path):
    source = tmp_path / "source"
    source.write_text("x")
    cache = Cache(tmp_path / "cache", "")
    for shape in ((3, 4), (2, 3, 4), (5,)):
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
        item = Item(f"shape{len(shape)}", source, pixels.clone, pixels.numel)
        assert torch.equal(cache.get(item), pixels) and torch.equal(Cache(tmp_path / "cache", "").get(item), pixels)
    other = torch.zeros(5, dtype=torch.uint8)
    changed = Item("shape1", source, other.clone, other.numel)
    assert torch.equal(Cache(tmp_path / "cache", "another meaning").get(changed), other)
