"""Scores against other ways to compute them."""

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion
from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_confusion_matrix

from kit.data.catalog import DATASETS
from kit.evaluate.run import count
from kit.evaluate.scores.boundary import band_width, boundary_counts
from kit.evaluate.scores.calibration import calibration_counts, calibration_error
from kit.evaluate.scores.counts import Counts
from kit.evaluate.scores.metrics import confusion_matrix
from kit.settings.run import EvalConfig
from kit.types import IGNORE

SPEC = DATASETS["camvid"]


def items(pixels=(24, 40), images=5, classes=11, seed=0):
    """Images whose channels are logits, and masks in patches, with ignored pixels; class 10 never occurs."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(images):
        mask = rng.integers(0, classes - 1, (pixels[0] // 8, pixels[1] // 8)).repeat(8, 0).repeat(8, 1)
        logits = np.eye(classes)[mask].transpose(2, 0, 1) * 2 + rng.normal(size=(classes, *pixels))
        logits[classes - 1] = -9
        mask[rng.random(pixels) < 0.1] = IGNORE
        made.append((str(i), torch.from_numpy(logits).float(), torch.from_numpy(mask.astype(np.uint8))))
    return made


def usual_script(predictions, truths, classes):
    """The histogram of published code, and what is made of it."""
    histogram = np.zeros((classes, classes))
    for prediction, truth in zip(predictions, truths, strict=True):
        counted = (truth >= 0) & (truth < classes)
        cells = classes * truth[counted].astype(np.int64) + prediction[counted]
        histogram += np.bincount(cells, minlength=classes**2).reshape(classes, classes)
    with np.errstate(invalid="ignore"):
        iou = np.diag(histogram) / (histogram.sum(0) + histogram.sum(1) - np.diag(histogram))
    return np.nanmean(iou), iou, np.diag(histogram).sum() / histogram.sum()


@pytest.mark.parametrize("cfg", [EvalConfig(batch=2), EvalConfig(mode="slide", window=(16, 16), batch=3)])
def test_the_usual_script_on_the_same_predictions(pixelwise, cfg):
    val = items()
    scores = count(pixelwise, val, SPEC, cfg).scores(SPEC.classes)
    predictions, truths = [x.argmax(0).numpy() for _, x, _ in val], [m.numpy() for *_, m in val]
    miou, iou, accuracy = usual_script(predictions, truths, 11)
    assert abs(scores.miou - miou) < 1e-12 and abs(scores.pixel_accuracy - accuracy) < 1e-12
    assert scores.iou["bicyclist"] is None and np.isnan(iou[10])
    assert max(abs(a - b) for a, b in zip(list(scores.iou.values())[:10], iou[:10], strict=True)) < 1e-12


def test_everything_at_once_is_kept_per_image(pixelwise, tmp_path):
    val = items()
    counts = count(pixelwise, val, SPEC, EvalConfig(batch=2), full=True)
    assert counts.names == ("0", "1", "2", "3", "4") and counts.matrices.shape == (5, 11, 11)
    one = count(pixelwise, val[3:4], SPEC, full=True)
    assert (one.matrices[0] == counts.matrices[3]).all() and (one.boundary[0] == counts.boundary[3]).all()
    scores = counts.scores(SPEC.classes, resamples=20)
    plain = count(pixelwise, val, SPEC).scores(SPEC.classes)
    assert scores.miou == plain.miou and plain.boundary_miou is None and "intervals" not in plain.record()
    assert 0 < scores.boundary_miou < 1 and scores.boundary_iou["bicyclist"] is None
    assert scores.intervals["miou"][0] <= scores.miou <= scores.intervals["miou"][1]
    counts.save(tmp_path / "scores.npz")
    from kit.evaluate.scores.counts import load_counts

    back = load_counts(tmp_path / "scores.npz")
    assert back.names == counts.names and back.protocol == counts.protocol
    for name in ("matrices", "boundary", "calibration"):
        assert np.array_equal(getattr(back, name), getattr(counts, name))
    assert back.scores(SPEC.classes, 20) == scores


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32, torch.int64])
def test_confusion_matrix_is_torchmetrics(kind):
    prediction, truth = torch.randint(0, 7, (2, 3, 20, 30)).to(kind)
    truth[:, :5] = IGNORE
    expected = multiclass_confusion_matrix(prediction.long(), truth.long(), 7, ignore_index=IGNORE)
    counted = confusion_matrix(prediction, truth, 7)
    assert counted.dtype == torch.int64 and torch.equal(counted, expected)
    assert not confusion_matrix(prediction, torch.full_like(truth, IGNORE), 7).any()


@pytest.mark.parametrize("bins", [5, 15])
def test_calibration_error_is_torchmetrics(bins):
    logits = torch.randn(2, 7, 30, 20).double() * 3
    truth = torch.randint(0, 7, (2, 30, 20))
    truth[:, :3] = IGNORE
    counted = truth != IGNORE
    probabilities = logits.softmax(1)
    parts = [calibration_counts(probabilities[i : i + 1], truth[i : i + 1], bins).numpy() for i in (0, 1)]
    flat = probabilities.permute(0, 2, 3, 1)[counted]
    expected = multiclass_calibration_error(flat, truth[counted], 7, n_bins=bins, norm="l1").item()
    assert calibration_error(sum(parts)) == pytest.approx(expected, abs=1e-6)
    assert sum(parts)[:, 0].sum() == counted.sum()


def test_calibration_of_someone_who_knows_and_of_someone_who_thinks_so():
    sure = torch.zeros(1, 2, 1, 4)
    sure[:, 0] = 1
    half = torch.tensor([[[0, 0, 1, 1]]])
    assert calibration_error(calibration_counts(sure, half, 10).numpy()) == pytest.approx(0.5)
    assert calibration_error(calibration_counts(sure, torch.zeros_like(half), 10).numpy()) == 0
    assert np.isnan(calibration_error(calibration_counts(sure, torch.full_like(half, IGNORE), 10).numpy()))


def test_boundaries_are_masks_without_their_erosion():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, (6, 8)).repeat(9, 0).repeat(9, 1).astype(np.uint8)
    prediction = np.roll(truth, (2, -3), (0, 1))
    truth[20:24, 10:40] = IGNORE
    share = 0.03
    width = band_width(*truth.shape, share)
    assert width == 3
    counts = boundary_counts(prediction, truth, 4, share)
    square = np.ones((3, 3), bool)
    for cls in range(4):
        bands = []
        for labels in (truth, prediction):
            mask = labels == cls
            eroded = binary_erosion(mask, square, iterations=width, border_value=0)
            bands.append(mask & ~eroded & (truth != IGNORE))
        assert counts[cls].tolist() == [(bands[0] & bands[1]).sum(), bands[0].sum(), bands[1].sum()]


def test_boundary_by_hand():
    truth = np.zeros((9, 9), np.uint8)
    truth[2:7, 2:7] = 1
    shifted = np.roll(truth, 1, 1)
    (_, (both, of_truth, of_prediction)) = boundary_counts(shifted, truth, 2, 0.001)  # one pixel wide
    assert (of_truth, of_prediction, both) == (16, 16, 8)  # rings of 5 x 5; their upper and lower sides share 4 each
    perfect = boundary_counts(truth, truth, 2, 0.001)
    assert (perfect[:, 0] == perfect[:, 1]).all() and (perfect[:, 1] == perfect[:, 2]).all()


def test_published_width_at_cityscapes_size():
    assert band_width(1024, 2048, 0.02) == 46 and band_width(10, 10, 0.001) == 1


def test_no_image_is_no_score():
    empty = Counts((), np.zeros((0, 2, 2), np.int64))
    assert np.isnan(empty.scores(("a", "b")).miou)
