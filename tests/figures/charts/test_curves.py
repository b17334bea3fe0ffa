import pytest

from kit.errors import KitError
from kit.figures.charts import curves
from kit.figures.style import method_colour


def run(method, parts, path="runs/a"):
    log = [{"step": step, "loss": 1.0, "parts": dict.fromkeys(parts, 1 / step), "lr": 0.1} for step in (10, 20)]
    log.insert(1, {"step": 10, "miou": 0.2, "average_miou": 0.1})
    log.append({"step": 20, "miou": 0.4, "average_miou": 0.5})
    return {"method": method, "seed": 0, "path": path, "steps": 20, "config": {}, "log": log}


RUNS = [run("supervised", ["sup"]), run("trikd", ["sup", "cps", "extra"])]


def test_evaluations_are_the_lines_without_parts():
    scores = curves.evaluations(RUNS[0]["log"])
    assert scores["last"] == ([10, 20], pytest.approx([20, 40]))
    assert scores["average"] == ([10, 20], pytest.approx([10, 50]))


def test_parts_are_read_in_order():
    assert curves.loss_parts(RUNS[1]["log"])["cps"] == ([10, 20], [0.1, 0.05])


def test_one_plot_per_part_in_the_colours_of_the_methods():
    axes = curves.training_curves(RUNS).axes
    titles = [ax.get_title() for ax in axes]
    assert titles == ["mIoU on val [%]", "Supervised loss, student", "Cross pseudo loss", "extra"]
    assert [line.get_color() for line in axes[1].lines] == [method_colour("supervised"), method_colour("trikd")]
    assert axes[2].lines[0].get_ydata().tolist() == [0.1, 0.05]
    assert len(axes[0].lines) == 4  # last and average of both
    assert all(ax.get_xlim()[0] == 0 for ax in axes)


def test_legend_names_the_runs_and_the_marks():
    (legend,) = curves.training_curves(RUNS).legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["Supervised only", "TriKD", "last weights", "running average"]


def test_a_run_without_a_log_is_refused():
    with pytest.raises(KitError, match="log"):
        curves.training_curves([{**RUNS[0], "log": []}])
