import numpy as np
import pytest

from kit.data.catalog import DATASETS
from kit.errors import KitError
from kit.evaluate.student import Student
from kit.evaluate.val_images import Example
from kit.explore import bands
from kit.explore.frequency_levels import frequency_levels
from kit.models.build import build_model
from kit.settings.recipes import configure

SPEC = DATASETS["camvid"]


def student(**overrides):
    cfg = configure("supervised", "tiny", dataset="camvid", overrides={"data.base_size": None, **overrides})
    net = build_model(cfg.student, SPEC.num_classes, pretrained=False)
    return Student(net, list(SPEC.classes), [list(c) for c in SPEC.palette], cfg)


def example(seed=0, size=(64, 96)):
    rng = np.random.default_rng(seed)
    truth = np.zeros(size, np.uint8)
    truth[: 16 * seed] = seed
    return Example(str(seed), rng.integers(0, 256, (*size, 3), dtype=np.uint8), truth)


def test_a_profile_of_noise_is_flat_and_of_a_wave_has_its_peak():
    level = frequency_levels(student(), example().image)[0]
    h, w = 32, 48
    noise = np.log10(np.abs(np.fft.fftshift(np.fft.fft2(np.random.default_rng(0).normal(size=(h, w))))))
    flat = bands._profile([level._replace(spectrum=noise)])
    assert np.abs(np.log(flat.amplitude)).max() < 0.8 and flat.frequency[-1] == 0.5
    wave = np.cos(2 * np.pi * 12 * np.arange(w) / w)[None].repeat(h, 0)
    peak = bands._profile([level._replace(spectrum=np.log10(np.abs(np.fft.fftshift(np.fft.fft2(wave))) + 1e-6))])
    assert peak.frequency[peak.amplitude.argmax()] == pytest.approx(0.25, abs=0.02)


def test_profiles_state_the_cut_in_the_same_unit():
    subject = student()
    found = bands.profiles(subject, [example(i).image for i in range(2)])
    levels = frequency_levels(subject, example().image)
    assert [profile.level for profile in found] == [0, 1, 2]
    for profile, level in zip(found, levels, strict=True):
        assert profile.cut == pytest.approx(
            (level.radius[0] / len(level.spectrum), level.radius[1] / level.spectrum.shape[1])
        )


def test_profiles_of_images_of_several_sizes():
    """Noise is flat whatever the size of its map; a map on its side has the profile of the one that stands."""
    rng = np.random.default_rng(0)
    level = frequency_levels(student(), example().image)[0]
    noise = [rng.normal(size=size) for size in ((32, 48), (48, 32), (64, 96))]
    spectra = [np.log10(np.abs(np.fft.fftshift(np.fft.fft2(picture)))) for picture in noise]
    mixed = bands._profile([level._replace(spectrum=spectrum) for spectrum in spectra])
    assert np.abs(np.log(mixed.amplitude)).max() < 0.6 and len(mixed.frequency) == bands.BINS
    wave = np.cos(2 * np.pi * 12 * np.arange(48) / 48)[None] + noise[0]
    standing = np.log10(np.abs(np.fft.fftshift(np.fft.fft2(wave))))
    one, both = (bands._profile([level._replace(spectrum=s) for s in shown])
                 for shown in ([standing], [standing, standing.T]))  # fmt: skip
    assert np.allclose(one.frequency, both.frequency) and np.allclose(one.amplitude, both.amplitude)
    assert both.cut == pytest.approx(np.mean([np.divide(level.radius, x) for x in ((32, 48), (48, 32))], 0).tolist())


def test_channels_by_class_are_weighted_means():
    subject, examples = student(), [example(i) for i in range(3)]
    for found in bands.channels(subject, examples):
        assert found.images.shape[0] == 3 and found.classes == (0, 2, 1)
        weights = np.array([1, 0.75, 0.5])  # of class 0
        assert np.allclose(found.by_class[0], weights @ found.images / weights.sum(), atol=1e-6)
        assert np.allclose(found.by_class[1], found.images[2], atol=1e-6)


def test_other_cutoffs_leave_the_student_alone():
    subject, examples = student(), [example(1)]
    before = [lateral.d0 for _, lateral in bands.laterals(subject.net)]
    low, same, high = bands.cutoffs(subject, examples, [0.5, 1, 4])
    assert [lateral.d0 for _, lateral in bands.laterals(subject.net)] == before
    assert same.changed_pixels == 0 and same.attention_change == (0, 0, 0) and max(low.attention_change) > 0
    for less, usual, more in zip(low.low_energy, same.low_energy, high.low_energy, strict=True):
        assert less < usual < more <= 1
    assert high.radius == pytest.approx([4 * radius for radius in same.radius]) and 0 <= same.miou <= 1


def test_changed_pixels_are_a_share_of_all_pixels(monkeypatch):
    masks = {1.0: [np.zeros((4, 4), np.uint8), np.zeros((2, 2), np.uint8)]}
    masks[2.0] = [masks[1.0][0], masks[1.0][1] + 1]
    monkeypatch.setattr(bands, "_measured", lambda subject, examples, factor: (masks[factor], [], (), ()))
    examples = [Example("large", None, masks[1.0][0]), Example("small", None, masks[1.0][1])]
    (found,) = bands.cutoffs(student(), examples, [2.0])
    assert found.changed_pixels == 4 / 20


def test_what_cannot_be_measured_is_refused():
    for factors in ([0], [-1.0], [float("inf")]):
        with pytest.raises(KitError, match="factors above 0"):
            bands.cutoffs(student(), [example()], factors)
    with pytest.raises(KitError, match="infinite"):
        bands.with_cutoff(student(**{"student.d0": "inf"}), 2.0)
    with pytest.raises(KitError, match="plain"):
        bands.channels(student(**{"student.selection": "plain"}), [example()])
