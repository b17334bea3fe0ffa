import pytest

from kit.errors import KitError
from kit.figures import cost


def run(method="trikd", seed=0, miou=0.5, parameters=1000, split="a", steps=5):
    scores = {"miou": miou, "iou": {"road": miou}, "pixel_accuracy": 0.8, "images": 3}
    return {
        "method": method, "seed": seed, "path": f"runs/{method}_{seed}", "steps": steps, "date": "2026-11-22T10:00",
        "config": {"seed": seed, "run_dir": "x", "student": {"name": "tinyvit_demo"}, "parameters": parameters},
        "dataset": {"name": "camvid", "classes": ["road"], "rare": []}, "protocol": "whole image",
        "split": {"name": split, "labelled": 8, "labelled_sha256": split, "unlabelled_sha256": split},
        "last": scores, "average": scores, "student_parameters": parameters, "seconds": {"train": 61.4},
        "commit": "abc",
    }  # fmt: skip


def test_a_row_says_what_its_numbers_are_about():
    (row,) = cost.run_rows([run()])
    assert str(row["mIoU last [%]"]) == "50.00" and row["mIoU last [%]"].number == 50
    assert (row["data set"], row["split"], row["protocol"], row["date"]) == ("camvid", "a", "whole image", "2026-11-22")
    with pytest.raises(KitError, match="no finished run"):
        cost.run_rows([])


def test_seeds_are_one_mark_and_the_front_is_stepped():
    runs = [run(seed=0, miou=0.4), run(seed=1, miou=0.6), run("cps", miou=0.3, parameters=9000)]
    (ax,) = cost.cost_figure(runs).axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["TriKD, 2 seeds", "CPS"]
    assert ax.get_xscale() == "log" and ax.get_xlabel() == "parameters of the student"
    front = ax.lines[-1]
    assert list(front.get_xdata()) == [1000] and list(front.get_ydata()) == pytest.approx([50])


def test_runs_that_cannot_be_compared_have_panels_of_their_own():
    fig = cost.cost_figure([run(), run("cps"), run(split="b")], "seconds", "average")
    assert [ax.get_title() for ax in fig.axes] == ["camvid, a", "camvid, b"]
    with pytest.raises(KitError, match="cost must be one of"):
        cost.cost_figure([run()], "euros")


def test_pareto_front():
    assert cost.pareto([(3, 5), (1, 2), (2, 2), (3, 4), (4, 6)]) == [(1, 2), (3, 5), (4, 6)]
