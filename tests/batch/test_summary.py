import numpy as np
import pytest

from kit.batch.grid import read_grid
from kit.batch.summary import difference, load_rows, mean_sd, summarise
from kit.errors import KitError
from kit.evaluate.scores.counts import Counts
from kit.runs.folder import RunFolder

CLASSES = ("road", "sky", "train")


def run(path, seed=0, miou=0.5, matrices=None, best=None):
    if matrices is not None:
        path.mkdir(exist_ok=True)
        Counts(tuple(map(str, range(len(matrices)))), matrices).save(RunFolder(path).scores("last"))
        iou = Counts(("x",), matrices.sum(0, keepdims=True)).scores(CLASSES)
        miou = iou.miou
    scores = {"miou": miou, "iou": {"road": miou, "sky": 0.5, "train": None}}
    return {
        "path": str(path), "seed": seed, "method": "cps", "last": scores, "average": scores, "best": best,
        "split": {"labelled": 12}, "seconds": {"train": 10.0}, "student_parameters": 7,
        "dataset": {"classes": list(CLASSES)},
    }  # fmt: skip


def counted(seed, hits, images=40):
    """Confusion matrices (images, 3, 3) with the same truth for all, and about that share of hits."""
    rng = np.random.default_rng(5)
    truth = rng.integers(50, 100, (images, 2))
    right = np.minimum(truth, rng.binomial(truth, hits) + np.random.default_rng(seed).integers(0, 3, truth.shape))
    matrices = np.zeros((images, 3, 3), np.int64)
    for i in range(2):
        matrices[:, i, i], matrices[:, i, 1 - i] = right[:, i], truth[:, i] - right[:, i]
    return matrices


def test_rows_are_summed_up_over_their_seeds(tmp_path):
    rows = {
        "a": [run(tmp_path / "a0", 0, 0.4), run(tmp_path / "a1", 1, 0.6)],
        "b": [run(tmp_path / "b0", 0, 0.5, best={"miou": 0.7, "step": 3})],
    }
    summary = summarise(rows)
    a, b = summary["rows"]
    assert summary["baseline"] == "a" and a["n"] == 2 and a["best"] is None and b["best"]["mean"] == 0.7
    assert a["last"]["mean"] == 0.5 and a["last"]["sd"] == pytest.approx(0.1 * 2**0.5)
    assert "difference" not in a and b["difference"]["mean"] == pytest.approx(0.1)  # seed 0 alone is shared
    assert b["difference"]["interval"] is None and b["difference"]["over"] == ""
    assert b["change"] == {"road": 0.0, "sky": 0.0, "train": None}
    with pytest.raises(KitError, match="no finished row is called 'c'; finished rows: a, b"):
        summarise(rows, "c")
    with pytest.raises(KitError, match="weights must be one of last, average, got 'avg'"):
        summarise(rows, weights="avg")
    with pytest.raises(KitError, match="resamples must be above 0, got 0"):
        summarise(rows, resamples=0)


def test_the_interval_covers_images_and_seeds(tmp_path):
    better = [run(tmp_path / f"b{s}", s, matrices=counted(s, 0.9)) for s in range(3)]
    worse = [run(tmp_path / f"w{s}", s, matrices=counted(s, 0.8)) for s in range(3)]
    both, one = difference(better, worse), difference(better[:1], worse[:1])
    assert both["over"] == "images and seeds" and one["over"] == "images" and both["n"] == 3
    for found in (both, one):
        low, high = found["interval"]
        assert 0 < low < found["mean"] < high
    assert difference(better, better)["interval"] == [0.0, 0.0]
    bare = [run(tmp_path / f"n{s}", s, 0.5 + 0.1 * s) for s in range(3)]
    assert difference(bare, worse)["over"] == "seeds"  # what was counted is not there
    assert difference(better, [run(tmp_path / "n", 9)]) is None


def test_a_seed_that_was_run_twice_counts_once(tmp_path):
    again = [run(tmp_path / f"b{i}", 0, matrices=counted(i, 0.9)) for i in range(3)]
    rows = {"worse": [run(tmp_path / "w", 0, matrices=counted(0, 0.8))], "better": again}
    better = summarise(rows)["rows"][1]
    mean = sum(each["last"]["miou"] for each in again) / 3
    assert better["n"] == better["last"]["n"] == better["difference"]["n"] == 1 and better["seeds"] == [0]
    assert better["last"]["mean"] == pytest.approx(mean) and better["last"]["sd"] is None
    assert better["difference"]["over"] == "images"
    assert better["difference"]["mean"] == pytest.approx(mean - rows["worse"][0]["last"]["miou"])
    low, high = better["difference"]["interval"]
    assert low < better["difference"]["mean"] < high


def test_only_the_same_images_are_drawn_together(tmp_path):
    mine = [run(tmp_path / "a", 0, matrices=counted(0, 0.9))]
    theirs = [run(tmp_path / "b", 0, matrices=counted(0, 0.9, images=39))]
    assert difference(mine, theirs)["over"] == ""


def test_one_value_has_no_deviation():
    assert mean_sd([0.5]) == {"mean": 0.5, "sd": None, "n": 1}


def test_a_grid_without_results_is_named(tmp_path):
    with pytest.raises(KitError, match="no run of .* is finished"):
        load_rows(read_grid({"out": str(tmp_path / "x"), "methods": ["cps"]}))
