import numpy as np
import pytest

from kit.batch.experiments.budget import equal_budget, row_costs, setting_rows, verdict
from kit.batch.summary import summarise
from kit.errors import KitError
from kit.evaluate.scores.counts import Overlaps
from kit.figures.comparisons.budget import budget_figure, budget_rows

CLASSES = ["road", "sky"]


def runs(method, right, steps=100, seconds=10.0, labels="few", grid="g"):
    """Three seeds, eight images, of whose 100 pixels of each class `right` are found, 1 more by the second seed."""
    found = []
    for seed in range(3):
        hits = np.full((8, 2), right + seed) + np.arange(8)[:, None] % 2
        each = Overlaps(tuple(map(str, range(8))), hits, 200 - hits)
        scores = each.scores(CLASSES)
        found.append({
            "method": method, "seed": seed, "steps": steps, "seconds": {"train": seconds}, "grid": grid,
            "split": {"labelled": 5, "labelled_sha256": labels}, "dataset": {"classes": CLASSES}, "path": method,
            "student_parameters": 7, "best": None, "last": scores, "average": scores,
            "config": {"train": {"steps": steps}, "split": labels},
            "overlaps": {"last": each, "average": each},
        })  # fmt: skip
    return found


@pytest.fixture
def rows():
    return {
        "supervised": runs("supervised", 50),
        "cps": runs("cps", 60, seconds=39.0),
        "longer": runs("supervised", 70, steps=400, seconds=40.0),
        "mgd": runs("mgd", 60, seconds=300.0),
        "everything": runs("supervised", 90, labels="all"),
    }


def test_equal_steps_and_equal_time_have_baselines_of_their_own(rows):
    compared = {row["row"]: row for row in equal_budget(rows, resamples=50)["rows"]}
    cps, mgd = compared["cps"], compared["mgd"]
    assert cps["steps"]["against"] == "supervised" and cps["steps"]["verdict"] == "gain"
    assert cps["time"]["against"] == "longer" and cps["time"]["verdict"] == "loss" and cps["time"]["mean"] < 0
    assert mgd["steps"]["against"] == "supervised" and mgd["time"] is None  # none takes nearly as long
    assert [row for row, of in compared.items() if of["baseline"]] == ["supervised", "longer"]
    assert compared["everything"]["steps"] is None and compared["everything"]["time"] is None
    with pytest.raises(KitError, match="no finished row is called 'no'"):
        equal_budget(rows, "no")


def test_a_difference_whose_interval_holds_0_is_no_gain():
    assert verdict(None) == "" and verdict({"interval": None, "n": 3}) == ""
    assert [verdict({"interval": i, "n": 3}) for i in ([0.1, 0.2], [-0.2, -0.1], [-0.1, 0.2])] == [
        "gain",
        "loss",
        "none shown",
    ]
    assert verdict({"interval": [0.0, 0.2], "n": 3}) == "none shown" == verdict({"interval": [0.0, 0.2], "n": 1})
    assert verdict({"interval": [0.1, 0.2], "n": 2}) == "too few seeds"


def test_measured_costs_of_a_step_go_before_seconds(rows):
    costs = {f"g: {row}": {"cpu_seconds_per_step": 0.5} for row in rows}
    assert row_costs(rows, costs)["longer"] == 200.0 and row_costs(rows, costs)["cps"] == 50.0
    del costs["g: cps"]
    assert row_costs(rows, costs) == row_costs(rows) and row_costs(rows)["cps"] == 39.0


def test_table_and_figure_say_gain_and_loss(rows):
    summary, compared = summarise(rows, resamples=50), equal_budget(rows, resamples=50)
    table = {row["row"]: row for row in budget_rows(summary, compared)}
    assert str(table["cps"]["difference at equal steps [points]"]).endswith("n=3): gain")
    assert str(table["cps"]["difference at equal time [points]"]).endswith("n=3): loss")
    assert table["mgd"]["difference at equal time [points]"] is None
    fig = budget_figure(summary, compared)
    scores, *gains = fig.axes
    assert [label.get_text() for label in scores.get_yticklabels()] == list(rows)
    assert [text.get_text() for text in scores.texts][0] == f"{row_costs(rows)['supervised']:.0f} s, n = 3"
    marks = [x for ax in gains for line in ax.lines[1:] for x in line.get_xdata()]
    low, high = gains[0].get_xlim()
    assert gains[1].get_xlim() == (low, high) and low < min(marks) < -9 and 9 < max(marks) < high
    assert [text.get_text() for text in gains[1].texts] == [
        "baseline" if row["baseline"] else "–" for row in compared["rows"] if row["time"] is None]  # fmt: skip


def test_a_row_without_others_is_drawn_alone(rows):
    alone = {"supervised": rows["supervised"]}
    fig = budget_figure(summarise(alone, resamples=50), equal_budget(alone, resamples=50))
    assert len(fig.axes) == 1 and [text.get_text() for text in fig.axes[0].get_yticklabels()] == ["supervised"]


def test_settings_of_runs_become_rows_with_the_shortest_supervised_one_as_baseline(rows):
    about = {"dataset": {"name": "camvid", "classes": CLASSES}, "protocol": "whole"}
    found = []
    for row in ("longer", "cps", "supervised"):
        for run in rows[row]:
            split = {**run["split"], "name": "1_16", "unlabelled_sha256": "rest"}
            found.append({**run, **about, "split": split, "last": {**run["last"], "images": 8}, "path": f"runs/{row}"})
    settings, baseline = setting_rows(found)
    assert sorted(len(of_row) for of_row in settings.values()) == [3, 3, 3]
    assert settings[baseline][0]["steps"] == 100 and settings[baseline][0]["method"] == "supervised"
    assert setting_rows([run for run in found if run["method"] == "cps"])[1] == ""
