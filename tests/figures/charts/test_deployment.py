import pytest

from kit.errors import KitError
from kit.figures.charts.deployment import deployment_figure, graph_rows
from kit.figures.comparisons.pareto import pareto_figure

TIME = {"p50": 30.0, "p90": 33.0, "p99": 40.0, "fps": 33.3, "size": [360, 480], "threads": 2}
INT8 = {"latency": {"float": TIME, "int8": {**TIME, "p50": 15.0}}, "sensitivity": {"stem": 0.01, "head": 0.2},
        "float_layers": ["head"], "bytes": {"float": 12_000_000, "int8": 3_000_000}}  # fmt: skip


def row(name, fps, scores, size=(360, 480)):
    forms = {form: {"fps": value} for form, value in zip(("onnx", "int8"), fps, strict=False)}
    return {"network": name, "size": list(size), "scores": scores, "forms": forms}


def test_a_pareto_figure_joins_the_forms_of_a_student():
    rows = [row("small", (20, 40), {"float": 0.5, "int8": 0.49}), row("large", (5, 9), {"float": 0.6, "int8": 0.598}),
            row("untrained", (9, 9), {})]  # fmt: skip
    (ax,) = pareto_figure(rows, threads=2).axes
    lines = [line.get_xydata().tolist() for line in ax.lines if len(line.get_xdata()) == 2]
    assert [[20, 50], [40, 49]] in lines and "2 CPU threads" in ax.get_xlabel()
    assert {text.get_text() for text in ax.texts} == {"small", "large"}
    steps = next(line for line in ax.lines if len(line.get_xdata()) > 2).get_xydata().tolist()
    assert steps[0] == [40, 49] and steps[-1] == [5, 60]
    with pytest.raises(KitError, match="different sizes"):
        pareto_figure([*rows[:1], row("wide", (5, 9), {"float": 0.6, "int8": 0.6}, (512, 1024))], threads=2)
    with pytest.raises(KitError, match="no student with a score"):
        pareto_figure(rows[2:], threads=2)


def test_times_and_the_layers_that_suffer():
    left, right = deployment_figure(INT8).axes
    assert {text.get_text() for text in left.texts} >= {"30.0", "15.0"}
    assert [label.get_text() for label in right.get_yticklabels()] == ["head", "stem"]
    assert [bar.get_hatch() for bar in right.patches] == ["////", ""]
    assert len(deployment_figure({**INT8, "sensitivity": {}}).axes) == 1


def test_rows_of_graphs():
    scores = {"miou": 0.5, "boundary_miou": 0.3, "calibration_error": 0.1, "intervals": {"miou": [0.48, 0.52]}}
    first, second = graph_rows({"float": scores, "int8": scores}, INT8)
    assert first["graph"] == "float32" and str(second["p50 [ms]"]) == "15.0" and str(second["MB"]) == "3.0"
    assert first["95 % over images"] == "48.00 to 52.00"
