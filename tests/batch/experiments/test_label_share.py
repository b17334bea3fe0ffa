import numpy as np
import pytest

from kit.batch.experiments.label_share import label_series
from kit.errors import KitError
from kit.evaluate.scores.counts import Overlaps
from kit.figures.comparisons.label_share import share_figure, share_rows

CLASSES = ["road", "sky"]


def runs(method, labelled, right, seeds=2, of_folder=False, **settings):
    """Runs on four images; of 100 pixels of each class `right` are found, two more by the second seed."""
    found = []
    for seed in range(seeds):
        hits = np.full((4, 2), right + 2 * seed)
        each = Overlaps(tuple("abcd"), hits, 200 - hits)
        split = f"split_{labelled}"
        config = {"data": {"split": split}, **settings} if of_folder else {"parameters": {"split": split, **settings}}
        found.append({
            "method": method, "seed": seed, "path": "", "config": config, "last": each.scores(CLASSES),
            "split": {"labelled": labelled, "labelled_sha256": split, "name": split}, "overlaps": {"last": each},
        })  # fmt: skip
    return found


@pytest.fixture
def rows():
    return {
        "supervised, 1/8": runs("supervised", 8, 40),
        "supervised, 1/16": runs("supervised", 4, 20),
        "mean teacher, 1/16": runs("mean_teacher", 4, 50),
        "mean teacher, 1/8": runs("mean_teacher", 8, 40),
        "control, 1/8": runs("mean_teacher", 8, 30, pool="labelled"),
        "supervised, 1/4": runs("supervised", 16, 60, seeds=1),
    }


def iou(right):
    return right / (200 - right)


@pytest.mark.parametrize("of_folder", [False, True])
def test_rows_that_differ_only_in_their_split_are_one_series(of_folder):
    rows = {"cps 1_8": runs("cps", 8, 40, of_folder=of_folder), "cps 1_16": runs("cps", 4, 20, of_folder=of_folder),
            "cps weak": runs("cps", 8, 30, of_folder=of_folder, weight=0.1)}  # fmt: skip
    series = label_series(rows)
    assert [(one["name"], [p["row"] for p in one["points"]]) for one in series] == [
        ("cps", ["cps 1_16", "cps 1_8"]),
        ("cps weak", ["cps weak"]),
    ]


def test_rows_named_by_their_split_alone_take_the_name_of_the_method():
    series = label_series({"1_8": runs("fixmatch", 8, 40), "1_16": runs("fixmatch", 4, 20)})
    assert [one["name"] for one in series] == ["FixMatch"]


def test_settings_are_named_by_the_words_around_their_split():
    rows = {f"cps {split} {name}": runs("cps", labelled, 40, weight=name)
            for split, labelled in (("1_8", 8), ("1_16", 4)) for name in ("full", "half")}  # fmt: skip
    assert [one["name"] for one in label_series(rows)] == ["cps full", "cps half"]


def test_commas_between_words_do_not_count():
    rows = {name: runs("supervised", labelled, 40) for name, labelled in
            (("supervised, equal time", 4), ("supervised all labels, equal time", 16))}  # fmt: skip
    assert [one["name"] for one in label_series(rows)] == ["supervised, equal time"]


def test_points_have_scores_and_differences_to_the_baseline_of_the_same_labels(rows):
    costs = dict(zip(rows, (10.0, 20.0, 7.0, 7.0, 7.0, 30.0), strict=True))
    supervised, teacher, control = label_series(rows, ["supervised, 1/4", "control, 1/8"], costs, resamples=50)
    assert [point["labelled"] for point in supervised["points"]] == [4, 8, 16]
    assert supervised["points"][0]["mean"] == pytest.approx((iou(20) + iou(22)) / 2)
    assert supervised["points"][2]["sd"] is None and supervised["cost"] == 20.0
    few, more = teacher["points"]
    assert few["differences"]["supervised"]["mean"] == pytest.approx((iou(50) + iou(52) - iou(20) - iou(22)) / 2)
    assert set(few["differences"]) == {"supervised"}  # the control has no row of four labels
    assert few["differences"]["supervised"]["verdict"] == "too few seeds"
    assert more["differences"]["supervised"]["mean"] == pytest.approx(0) and "control, 1/8" in more["differences"]
    assert not any("supervised" in point["differences"] for point in supervised["points"])
    with pytest.raises(KitError, match="no finished row is called 'fixmatch'"):
        label_series(rows, ["fixmatch"])


def test_figure_and_table_show_every_series_and_baseline(rows):
    series = label_series(rows, ["supervised, 1/8", "control, 1/8"], resamples=50)
    fig = share_figure(series)
    left, *others = fig.axes
    assert len(left.lines) == 3 + 2  # a line per series, and the caps of the one with a single number of labels
    assert [ax.get_title() for ax in others] == ["Minus supervised [points]", "Minus control, 1/8 [points]"]
    assert others[0].get_ylim() == others[1].get_ylim()
    faces = [line.get_markerfacecolor() for line in others[0].lines if line.get_marker() != "None"]
    assert set(faces) == {"white"}  # two seeds show no gain
    table = share_rows(series)
    assert [row["labels"] for row in table] == [4, 8, 16]
    gain = 100 * (iou(50) + iou(52) - iou(20) - iou(22)) / 2
    assert table[0]["mean teacher minus supervised"].number == pytest.approx(gain, abs=1e-3)
    assert table[2]["mean teacher [%]"] is None and "supervised minus mean teacher" not in table[0]


def test_lists_of_one_number_have_rows_of_their_own(rows):
    split = {"labelled": 8, "labelled_sha256": "x", "name": "drawn"}
    others = [{**run, "split": split, "config": {"parameters": {"split": "drawn"}}}
              for run in runs("mean_teacher", 8, 70)]  # fmt: skip
    table = share_rows(label_series({**rows, "mean teacher, drawn": others}))
    assert [(row["labels"], row["split"]) for row in table] == [
        (4, "split_4"), (8, "drawn"), (8, "split_8"), (16, "split_16")]  # fmt: skip
    assert [table[i]["mean teacher [%]"].number > 50 for i in (1, 2)] == [True, False]


def test_the_figure_of_scores_alone_needs_no_baseline(rows):
    assert len(share_figure(label_series(rows)).axes) == 1


def test_marks_of_many_settings_with_one_number_of_labels_lie_side_by_side_within_the_axes(rows):
    name = "supervised with the settings of the comparison, equal time"
    rows = {name: rows["supervised, 1/16"]} | {f"cps {k}": runs("cps", 4, 50 + k, weight=k) for k in range(9)}
    left, gains = share_figure(label_series(rows, [name], resamples=20)).axes
    for ax, marks in ((left, 10), (gains, 9)):
        places = [line.get_xdata()[0] for line in ax.lines if line.get_marker() in "os^DvPXp<>h"]
        assert len(set(places)) == marks and ax.get_xlim()[0] < min(places) and max(places) < ax.get_xlim()[1]
    assert "\n" in gains.get_title()
