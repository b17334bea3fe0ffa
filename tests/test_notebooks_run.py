"""The real notebooks through papermill, with runs of two steps."""

import json

import pytest

from kit.batch import Cell, run_grid, run_notebook
from kit.demo import summarise
from kit.errors import KitError
from kit.paths import PROJECT
from kit.report import to_html
from kit.results import load_run

TRAIN, VISUALIZE = PROJECT / "notebooks/train.ipynb", PROJECT / "notebooks/visualize.ipynb"
DOCTOR = PROJECT / "notebooks/doctor.ipynb"
SMALL = {"data.crop": [64, 64], "data.base_size": None, "data.labelled": 2, "data.unlabelled": 2}


@pytest.fixture(scope="module")
def runs(scenes, tmp_path_factory):
    """Folder with one finished run of two steps per method, made by the notebook."""
    out = tmp_path_factory.mktemp("a folder")  # with a space
    cells = [
        Cell(TRAIN, out / f"notebooks/{method}.ipynb",
             {"method": method, "steps": 2, "split": "1_2", "data_root": str(scenes), "run_dir": str(out / method),
              "overrides": {**SMALL, "train.log_every": 1, "train.checkpoint_every": 1}})
        for method in ("supervised", "trikd")
    ]  # fmt: skip
    run_grid(cells, workers=2)
    return out


def outputs(path):
    cells = json.loads(path.read_text())["cells"]
    return json.dumps([cell["outputs"] for cell in cells if cell["cell_type"] == "code"])


def test_train_leaves_a_result_figures_and_pictures(runs):
    for method in ("supervised", "trikd"):
        assert load_run(runs / method)["steps"] == 2
        assert {p.suffix for p in (runs / method / "figures").iterdir()} == {".png", ".pdf"}
        executed = runs / f"notebooks/{method}.ipynb"
        assert "image/png" in outputs(executed) and not list(executed.parent.glob(".*"))
    assert summarise(load_run(runs / "trikd"))["student_parameters"] > 0


def test_visualize_compares_them_and_the_report_reads_offline(runs):
    out = runs / "figures"
    parameters = {"runs": [str(runs / "supervised"), str(runs / "trikd")], "out": str(out), "count": 2}
    executed = run_notebook(Cell(VISUALIZE, runs / "notebooks/visualize.ipynb", parameters))
    names = {p.name for p in out.iterdir()}
    assert names == {f"{n}.{e}" for n in ("classes", "curves", "masks", "bands") for e in ("png", "pdf")}
    page = to_html(executed, runs / "report.html").read_text()
    assert page.count("data:image/png;base64") >= 4 and 'src="http' not in page


def test_doctor_shows_a_data_set_and_one_that_is_broken(scenes, tmp_path):
    parameters = {"data_root": str(scenes), "split": "1_2", "workers": 1, "count": 2, "interactive": True}
    executed = run_notebook(Cell(DOCTOR, tmp_path / "d.ipynb", {**parameters, "out": str(tmp_path / "out")}))
    assert {p.name for p in (tmp_path / "out").glob("*.png")} == {"frequencies.png", "pairs.png"}
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["files"] == 22 and result["parts"]["labelled"]["images"] == 4 and result["versions"]["torch"]
    assert "0 error(s)" in outputs(executed) and "jupyter.widget-view" in outputs(executed)
    assert "widget-view" not in to_html(executed, tmp_path / "report.html").read_text().split("<main>")[1]
    broken = {"dataset": "camvid", "data_root": str(tmp_path / "absent"), "out": str(tmp_path / "broken")}
    executed = run_notebook(Cell(DOCTOR, tmp_path / "b.ipynb", broken))
    assert "ERROR  no folder" in outputs(executed) and (tmp_path / "broken/result.json").is_file()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"stpes": 3}, "unknown parameter of train.ipynb 'stpes'"),
        ({"method": "foo"}, "unknown method 'foo'"),
        ({"steps": "3"}, "steps must be int"),
        ({"dataset": "camvid", "data_root": "/absent"}, "no folder /absent"),
    ],
)
def test_wrong_parameters_stop_the_notebook_with_one_line(tmp_path, parameters, message):
    cell = Cell(TRAIN, tmp_path / "x.ipynb", {"run_dir": str(tmp_path / "run"), "dataset": "camvid", **parameters})
    with pytest.raises(KitError, match=message):
        run_notebook(cell)
    assert not (tmp_path / "run").exists()


def test_one_failing_notebook_does_not_stop_the_others(runs, tmp_path):
    finished = {"method": "trikd", "steps": 2, "split": "1_2", "run_dir": str(runs / "trikd")}
    config = json.loads((runs / "trikd/config.json").read_text())
    good = Cell(TRAIN, tmp_path / "good.ipynb",
                {**finished, "data_root": config["data"]["root"],
                 "overrides": {**SMALL, "train.log_every": 1, "train.checkpoint_every": 1}})  # fmt: skip
    bad = Cell(TRAIN, tmp_path / "bad.ipynb", {"method": "foo"})
    with pytest.raises(KitError, match="bad.ipynb failed: KitError: unknown method"):
        run_grid([bad, good], workers=1)
    assert "already finished" in outputs(tmp_path / "good.ipynb")
    with pytest.raises(KitError, match="no notebook"):
        run_grid([good, Cell(tmp_path / "absent.ipynb", tmp_path / "o.ipynb")], workers=1)
