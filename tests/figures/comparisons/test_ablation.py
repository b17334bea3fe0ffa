import pytest

from kit.figures.comparisons import ablation
from kit.figures.style import save


def value(mean, sd=0.01, n=3):
    return {"mean": mean, "sd": sd, "n": n}


def row(name, miou, best=None, **more):
    return {"row": name, "n": 3, "seeds": [0, 1, 2], "method": "trikd", "labelled": 12, "last": value(miou),
            "average": value(miou, None), "best": best, "seconds": value(60.0, 2.0), "parameters": 469875,
            "iou": {"road": miou, "sky": 0.5, "train": None}, **more}  # fmt: skip


@pytest.fixture
def summary():
    gain = {**value(-0.05, 0.02), "interval": [-0.08, -0.01], "over": "images and seeds"}
    change = {"road": -0.05, "sky": 0.0, "train": None}
    rows = [row("full", 0.5), row("without_low", 0.45, difference=gain, change=change)]
    return {"baseline": "full", "weights": "last", "classes": ["road", "sky", "train"], "rows": rows}


def test_the_table_has_means_deviations_and_intervals(summary):
    full, other = ablation.ablation_rows(summary)
    assert full["row"] == "full (baseline)" and str(full["mIoU last [%]"]) == "50.00 ± 1.00"
    assert str(full["mIoU average [%]"]) == "50.00" and full["95 % interval"] is None
    assert str(other["difference, last [points]"]) == "-5.00 ± 2.00"
    assert other["95 % interval"] == "-8.00 to -1.00 (images and seeds)"
    summary["rows"][1]["difference"]["interval"] = [-0.01, 0.02]
    assert ablation.ablation_rows(summary)[1]["95 % interval"] == "-1.00 to +2.00 (images and seeds; holds 0)"
    assert "mIoU best on val [%]" not in full
    summary["rows"][0]["best"] = value(0.6)
    assert str(ablation.ablation_rows(summary)[0]["mIoU best on val [%]"]) == "60.00 ± 1.00"


def test_numbers_for_other_programs(summary):
    _, other = ablation.number_rows(summary)
    assert other["difference_low"] == -0.08 and other["last_mean"] == 0.45 and other["best_mean"] is None


def test_classes_are_compared_with_the_baseline(summary):
    road, _, train = ablation.class_rows(summary)
    assert (str(road["full [%]"]), str(road["without_low"])) == ("50.0", "-5.0")
    assert str(train["without_low"]) == "absent"


def test_the_figure_marks_differences_and_their_intervals(summary):
    scores, gains = ablation.ablation_figure(summary).axes
    assert [label.get_text() for label in scores.get_yticklabels()] == ["full", "without_low"]
    drawn = [list(line.get_xdata()) for line in gains.lines]
    assert [-8.0, -1.0] in [[round(x, 6) for x in xs] for xs in drawn]
    assert "images and seeds" in gains.get_xlabel().replace("\n", " ")


def test_labels_of_axes_stay_apart_whatever_the_baseline_is_called(summary):
    summary["baseline"] = summary["rows"][0]["row"] = "supervised with all the switches that gained, threshold 0.95"
    fig = ablation.ablation_figure(summary)
    fig.draw_without_rendering()
    scores, gains = (ax.xaxis.label.get_window_extent() for ax in fig.axes)
    assert scores.x1 < gains.x0 and gains.x1 <= fig.bbox.x1 and scores.y0 >= 0


def test_values_of_many_classes_have_room(summary):
    assert ablation.class_changes(summary).get_figwidth() == 7
    summary["classes"] = [f"class {i}" for i in range(150)]
    summary["rows"][1]["change"] = dict.fromkeys(summary["classes"], 0.1)
    assert ablation.class_changes(summary).get_figwidth() > 150 * 0.24


def test_changes_are_written_into_the_heat_map(summary, tmp_path):
    fig = ablation.class_changes(summary)
    texts = [text.get_text() for text in fig.axes[0].texts]
    assert texts == ["-5.0", "+0.0", "–"]
    first, second = (save(fig, tmp_path / name)[1].read_bytes() for name in ("a", "b"))
    assert first == second


def test_one_row_has_nothing_to_be_compared_with(summary):
    summary["rows"] = summary["rows"][:1]
    assert ablation.class_changes(summary) is None and len(ablation.ablation_figure(summary).axes) == 1
