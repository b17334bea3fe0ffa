import numpy as np
import pytest
import torch
from PIL import Image

from kit.data.catalog import DATASETS
from kit.data.reading.files import SegFiles
from kit.errors import KitError
from kit.evaluate import val_images
from kit.evaluate.student import Student
from kit.explore.frequency_levels import frequency_levels, has_bands
from kit.models.build import build_model
from kit.settings.recipes import configure

SPEC = DATASETS["camvid"]


def student(selection="frequency", relative=True, base_size=None):
    overrides = {"student.selection": selection, "student.d0_relative": relative, "data.base_size": base_size}
    cfg = configure("supervised", "tiny", dataset="camvid", overrides=overrides)
    torch.manual_seed(0)
    net = build_model(cfg.student, SPEC.num_classes, pretrained=False)
    return Student(net, list(SPEC.classes), [list(colour) for colour in SPEC.palette], cfg)


def photo(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def files(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / folder / "val").mkdir(parents=True)
    for i in range(6):
        Image.fromarray(photo(8, 10)).save(tmp_path / "images/val" / f"street_{i}.jpg")
        if i < 5:
            Image.fromarray(np.full((8, 10), i, np.uint8)).save(tmp_path / "labels/val" / f"street_{i}.png")
    return SegFiles(SPEC, tmp_path, "val")


def test_levels_hold_what_the_lateral_computes():
    subject, image = student(), photo(64, 96)
    levels = frequency_levels(subject, image)
    assert [(level.level, level.stride, level.band) for level in levels] == [
        (0, 4, "high"),
        (1, 8, "high"),
        (2, 16, "low"),
    ]
    with torch.no_grad():
        maps = subject.net.encode(subject.prepare(image)).maps
        for level, x in zip(levels, maps[:3], strict=True):
            lateral = subject.net.decoder.laterals[level.level]
            low, high = lateral.split(x)
            assert level.low.shape == level.high.shape == level.spectrum.shape == x.shape[-2:]
            assert np.allclose(level.low, low.abs().mean(1)[0], atol=1e-6)
            assert np.allclose(level.high, high.abs().mean(1)[0], atol=1e-6)
            assert np.allclose(level.attention, lateral.channel_attention(x).flatten(), atol=1e-6)
            assert level.attention.shape == (x.shape[1],) and ((level.attention >= 0) & (level.attention <= 1)).all()
            assert level.covers == (64, 96)


def test_the_spectrum_is_centred():
    level = frequency_levels(student(), photo(64, 96))[0]
    h, w = level.spectrum.shape
    x = student().net.encode(student().prepare(photo(64, 96))).maps[0]
    assert level.spectrum[h // 2, w // 2] == pytest.approx(x.sum((2, 3)).abs().mean().log10().item(), rel=1e-4)


def test_the_forward_is_left_alone():
    subject, image = student(), photo(64, 64)
    with torch.no_grad():
        before = subject.net(subject.prepare(image)).logits
        frequency_levels(subject, image)
        assert torch.equal(before, subject.net(subject.prepare(image)).logits)
    assert not any(module.training for module in subject.modules() if module is not subject)


def test_maps_of_a_resized_and_padded_image_cover_more_than_it():
    (first, *_) = frequency_levels(student(base_size=(40, 64)), photo(80, 128))
    assert first.low.shape == (16, 16)
    assert first.covers == (80 * 64 / 40, 128)


def test_plain_laterals_have_no_bands():
    subject = student(selection="plain")
    assert not has_bands(subject.net) and has_bands(student().net)
    with pytest.raises(KitError, match="plain"):
        frequency_levels(subject, photo(64, 64))


def test_images_are_drawn_by_seed_among_those_with_a_mask(files):
    names = [example.name for example in val_images.choose(files, count=4, seed=1)]
    assert names == [example.name for example in val_images.choose(files, count=4, seed=1)] == sorted(set(names))
    assert {e.name for s in range(9) for e in val_images.choose(files, count=1, seed=s)} <= set(files.masked_ids)
    assert len(val_images.choose(files, count=99)) == 5


def test_named_images_come_as_named(files):
    second, first = val_images.choose(files, ["street_2", "street_1"])
    assert (second.name, first.name) == ("street_2", "street_1")
    assert second.image.shape == (8, 10, 3) and (second.truth == 2).all()
    for name in ("street_5", "nowhere"):  # without a mask, without a file
        with pytest.raises(KitError, match=name):
            val_images.choose(files, [name])


def test_predictions_are_per_student_and_image(files):
    examples = val_images.choose(files, count=2)
    first, second = val_images.predictions([student(), student()], examples)
    assert [mask.shape for mask in first] == [(8, 10)] * 2 and (first[0] == second[0]).all()
    other = student()
    other.classes = ["a", "b"]
    with pytest.raises(KitError, match="classes"):
        val_images.predictions([student(), other], examples)


def test_val_files_of_a_moved_data_set(files):
    assert val_images.val_files(student(), str(files.root)).ids == files.ids
    with pytest.raises(KitError, match="no folder"):
        val_images.val_files(student(), str(files.root / "gone"))
