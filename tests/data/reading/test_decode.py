import numpy as np
import pytest
from PIL import Image

from kit.data.reading import decode
from kit.data.reading.decode import picture_size, read_image, read_mask
from kit.data.spec import Masks
from kit.errors import KitError
from kit.types import IGNORE

KIND = Masks(files="labels/*.png", raw_ids={0: 0, 1: 1, 2: 2, 9: IGNORE})
COLOURS = {(0, 0, 0): 0, (200, 0, 0): 1, (0, 0, 200): 2, (255, 255, 255): IGNORE}


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)


def save(array, path, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.fixture(params=["with imagecodecs", "Pillow alone"])
def decoders(request, monkeypatch):
    """Both ways of reading a PNG; the first is skipped where imagecodecs is not installed."""
    if request.param == "Pillow alone":
        monkeypatch.setattr(decode, "imagecodecs", None)
    elif decode.imagecodecs is None:
        pytest.skip("imagecodecs is not installed")


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_every_box_holds_the_pixels_of_the_whole(tmp_path, pixels, suffix, decoders):
    path = save(pixels, tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    assert picture_size(path) == (37, 53)
    for box in ((0, 0, 37, 53), (0, 0, 5, 7), (36, 52, 1, 1), (10, 20, 15, 30)):
        top, left, h, w = box
        assert np.array_equal(read_image(path, box), pixels[top : top + h, left : left + w])


def test_a_box_of_a_jpeg_and_of_a_turned_photograph(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    for options, size in (({}, (37, 53)), ({"exif": exif}, (53, 37))):
        path = save(pixels, tmp_path / "a.jpg", **options)
        whole = read_image(path)
        assert picture_size(path) == whole.shape[:2] == size
        assert np.array_equal(read_image(path, (3, 4, 20, 21)), whole[3:23, 4:25])


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_all_eight_orientations_end_upright(tmp_path, turn, suffix):
    upright = np.zeros((20, 30, 3), np.uint8)
    upright[:10, :10] = 255  # a white corner, top left
    stored = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
              5: upright.swapaxes(0, 1), 6: np.rot90(upright), 7: np.rot90(upright[::-1, ::-1].swapaxes(0, 1), 0),
              8: np.rot90(upright, -1)}[turn]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = turn
    path = save(np.ascontiguousarray(stored), tmp_path / f"a.{suffix}", exif=exif)
    assert np.array_equal(read_image(path), upright) and picture_size(path) == (20, 30)


def test_sixteen_bit_grey_keeps_its_upper_byte(tmp_path):
    grey = (np.arange(12 * 10).reshape(12, 10) * 500).astype(np.uint16)
    path = save(grey, tmp_path / "a.png")
    image = read_image(path)
    assert image.shape == (12, 10, 3) and np.array_equal(image[..., 1], grey >> 8)


def test_a_dark_box_of_a_deep_picture_stays_dark(tmp_path):
    grey = np.full((12, 10), 200, np.int32)
    grey[6:] = 60_000
    path = save(grey, tmp_path / "a.tif")
    assert not read_image(path, (0, 0, 6, 10)).any() and (read_image(path)[6:] == 60_000 >> 8).all()


def test_grey_alpha_and_cmyk_become_rgb(tmp_path, pixels):
    Image.fromarray(pixels[..., 0]).save(tmp_path / "l.png")
    assert np.array_equal(read_image(tmp_path / "l.png"), np.repeat(pixels[..., :1], 3, 2))
    Image.fromarray(np.dstack([pixels, pixels[..., 0]]), "RGBA").save(tmp_path / "rgba.png")
    assert np.array_equal(read_image(tmp_path / "rgba.png"), pixels)
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "c.jpg")
    assert read_image(tmp_path / "c.jpg").shape == pixels.shape


def mask_of(tmp_path, values, mode="L", palette=None):
    array = np.resize(np.array(values), (8, 9))
    path = tmp_path / "m.png"
    picture = Image.fromarray(array.astype(np.uint16 if mode == "I;16" else np.uint8))
    if mode == "1":
        picture = Image.fromarray(array.astype(bool))
    if palette:
        picture.putpalette([v for colour in palette for v in colour])
    picture.save(path)
    return path


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_masks_of_class_numbers(tmp_path, mode):
    mask = read_mask(mask_of(tmp_path, [0, 1, 2, 9], mode), KIND, COLOURS)
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 1, 2, IGNORE}


def test_masks_of_one_bit(tmp_path):
    assert set(np.unique(read_mask(mask_of(tmp_path, [0, 1], "1"), KIND, COLOURS))) == {0, 1}


def test_masks_drawn_in_colour(tmp_path):
    drawn = np.resize(np.array(list(COLOURS), np.uint8), (8, 8, 3))
    path = save(drawn, tmp_path / "m.png")
    assert np.array_equal(read_mask(path, KIND, COLOURS), np.resize(np.array([0, 1, 2, IGNORE], np.uint8), (8, 8)))
    assert read_mask(path, KIND, COLOURS, box=(2, 3, 4, 5)).shape == (4, 5)


def test_a_palette_counts_only_if_all_its_colours_are_known(tmp_path):
    grey = [(i, i, i) for i in range(3)]
    assert set(np.unique(read_mask(mask_of(tmp_path, [0, 1, 2], palette=grey), KIND, COLOURS))) == {0, 1, 2}
    shuffled = [(0, 0, 200), (0, 0, 0), (200, 0, 0)]  # index 0 is drawn in the colour of class 2, and so on
    mask = read_mask(mask_of(tmp_path, [0, 1, 1], palette=shuffled), KIND, COLOURS)
    assert np.array_equal(mask.ravel()[:3], [2, 0, 0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.write_bytes(b""), "the file is empty"),
        (lambda p: p.write_bytes(b"hello"), "cannot be read"),
        (lambda p: p.mkdir(), "is a folder"),
        (lambda p: None, "no file"),
        (lambda p: Image.new("L", (40, 40), 77).save(p), r"label values \[77\]"),
        (lambda p: save((np.arange(1600) % 40).reshape(40, 40).astype(np.uint8), p), r"\[3, 4, 5, .*\] \(36 of them\)"),
        (lambda p: save(np.full((4, 4), 300, np.uint16), p), r"\[300\], outside 0 to 255"),
        (lambda p: Image.new("RGB", (4, 4), (1, 2, 3)).save(p), r"16 pixels of colours without a class, .*\(1, 2, 3\)"),
        (lambda p: Image.new("RGB", (4, 4), (1, 1, 1)).save(p), "three equal channels"),
        (lambda p: Image.new("CMYK", (4, 4)).save(p, format="tiff"), "mode CMYK"),
    ],
)
def test_invalid_masks_raise_with_their_name(tmp_path, make, message):
    path = tmp_path / "bad mask.png"
    make(path)
    with pytest.raises(KitError, match=rf"(?s)bad mask.png.*{message}|{message}.*bad mask.png"):
        read_mask(path, KIND, COLOURS)


def test_unusual_png_files_look_the_same_to_both_decoders(tmp_path, pixels, decoders):
    save(pixels, tmp_path / "transparent.png", transparency=(1, 2, 3))
    Image.fromarray(pixels).quantize(16).save(tmp_path / "palette.png")
    exif = Image.Exif()
    exif[0x0112] = 3
    save(pixels, tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "transparent.png"), pixels)
    assert np.array_equal(read_image(tmp_path / "turned.png"), pixels[::-1, ::-1])
    palette = np.asarray(Image.open(tmp_path / "palette.png").convert("RGB"))
    assert np.array_equal(read_image(tmp_path / "palette.png", (20, 3, 17, 9)), palette[20:37, 3:12])


def test_broken_images_are_named(tmp_path, pixels, decoders):
    path = save(pixels, tmp_path / "a.png")
    whole = path.read_bytes()
    for content in (whole[:200], whole[:60], whole[:100] + b"\0" * 400 + whole[500:], b"\x89PNG\r\n\x1a\n"):
        path.write_bytes(content)
        with pytest.raises(KitError, match="a.png cannot be read"):
            read_image(path)
    Image.fromarray(pixels[..., 0].astype(np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(KitError, match="f.tif holds 32-bit floats"):
        read_image(tmp_path / "f.tif")
