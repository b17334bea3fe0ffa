import numpy as np
import pytest

from kit.data.loaders import FEW_VAL
from kit.evaluate.scores.bootstrap import compare, draw, intervals, resampled_iou

CLASSES = ("a", "b", "c")


def matrices(images=40, right=0.8, seed=0):
    """Confusion matrices of images that differ; class c is in a few of them only."""
    rng = np.random.default_rng(seed)
    made = np.zeros((images, 3, 3), np.int64)
    for i in range(images):
        for cls, pixels in enumerate((500, 300, 200 if i % 20 == 0 else 0)):
            share = np.clip(right + rng.normal(0, 0.1), 0, 1)
            hit = int(pixels * share)
            made[i, cls, cls] += hit
            made[i, cls, (cls + 1) % 2] += pixels - hit
    return made


def test_a_draw_is_as_many_images_as_there_are_and_the_same_again():
    weights = draw(30, 200, seed=3)
    assert (weights.sum(1) == 30).all() and np.array_equal(weights, draw(30, 200, seed=3))
    assert not np.array_equal(weights, draw(30, 200, seed=4)) and abs(weights.mean() - 1) < 1e-12


def test_a_resampled_score_is_that_of_the_images_one_by_one():
    given, weights = matrices(6), np.array([[2.0, 0, 1, 0, 3, 0]])
    listed = given[[0, 0, 2, 4, 4, 4]].sum(0)
    hit = np.diag(listed)
    assert np.allclose(
        resampled_iou(given, weights)[0], hit / (listed.sum(0) + listed.sum(1) - hit), rtol=0, atol=1e-15
    )


def test_an_interval_is_as_wide_as_theory_says():
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.4, 0.9, 400)
    given = np.zeros((400, 2, 2), np.int64)
    given[:, 0, 0], given[:, 0, 1] = np.round(10000 * shares), 10000 - np.round(10000 * shares)
    low, high = intervals(given, ("a", "b"), 4000)["iou"]["a"]  # IoU of a is the mean of the shares
    theory = 1.96 * shares.std() / 20
    assert high - low == pytest.approx(2 * theory, rel=0.08) and low < shares.mean() < high


def test_absent_classes_have_no_interval_and_do_not_spoil_the_mean():
    given = matrices()[:, :, :]
    given = np.pad(given, ((0, 0), (0, 1), (0, 1)))
    found = intervals(given, (*CLASSES, "d"), 300)
    assert found["iou"]["d"] is None and len(found["iou"]["c"]) == 2 and np.isfinite(found["miou"]).all()


def test_the_same_network_twice_is_no_difference():
    found = compare(matrices(), matrices(), 500)
    assert found["difference"] == 0 and found["interval"] == [0, 0] and found["p"] == 1


def test_pairing_sees_what_single_intervals_do_not():
    worse = matrices()
    better = worse.copy()
    better[:, 0, 0] += 4  # four more pixels of a on every image
    better[:, 0, 1] -= 4
    found = compare(worse, better, 2000)
    assert found["difference"] > 0 and found["interval"][0] > 0 and found["p"] == pytest.approx(2 / 2001)
    alone = [intervals(m, CLASSES, 2000)["miou"] for m in (worse, better)]
    assert alone[0][1] > alone[1][0], "the intervals of each alone overlap"
    back = compare(better, worse, 2000)
    assert back["difference"] == pytest.approx(-found["difference"]) and back["p"] == found["p"]


def test_few_images_give_an_interval_and_no_p_value():
    few, enough = (compare(matrices(n), matrices(n, right=0.9), 500) for n in (FEW_VAL - 1, FEW_VAL))
    assert few["p"] is None and enough["p"] == pytest.approx(2 / 501)
    assert few["interval"][0] < few["difference"] < few["interval"][1]
