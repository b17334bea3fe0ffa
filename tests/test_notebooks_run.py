"""The real notebooks through papermill, with runs of two steps."""

import json

import pytest
from in_process import run_code
from shared import made_once

from kit.__main__ import main
from kit.batch import Cell, complete, run_notebook
from kit.batch.experiments.demo import summarise
from kit.batch.html_page import to_html
from kit.data.doctor.findings import ERROR
from kit.errors import KitError
from kit.explore.pick import ranked
from kit.runs.folder import load_run
from kit.system.paths import PROJECT

TRAIN, VISUALIZE = PROJECT / "notebooks/train.ipynb", PROJECT / "notebooks/visualize.ipynb"
ABLATE, COMPARE = PROJECT / "notebooks/ablate.ipynb", PROJECT / "notebooks/compare.ipynb"
FREQUENCY, EXPLORE = PROJECT / "notebooks/frequency.ipynb", PROJECT / "notebooks/explore.ipynb"
DOCTOR, STUDY = PROJECT / "notebooks/doctor.ipynb", PROJECT / "notebooks/study.ipynb"
SMALL = {"data.crop": [64, 64], "data.base_size": None, "data.labelled": 2, "data.unlabelled": 2}


@pytest.fixture
def runs(scenes, tmp_path_factory):
    """Folder with one finished run of two steps per method, made by the notebook."""

    def make(out):
        shared = {"recipe": "tiny", "steps": 2, "split": "1_2", "data_root": str(scenes),
                  "overrides": {**SMALL, "train.log_every": 1, "train.checkpoint_every": 1}}  # fmt: skip
        cells = [
            Cell(TRAIN, out / f"notebooks/{method}.ipynb",
                 {**shared, "method": method, "run_dir": str(out / method),
                  "show_batch": method == "trikd", "lr_steps": 12 * (method == "supervised")})
            for method in ("supervised", "trikd")
        ]  # fmt: skip
        complete(cells, workers=2)

    return made_once(tmp_path_factory, "a folder", make)  # with a space


def outputs(path):
    cells = json.loads(path.read_text())["cells"]
    return json.dumps([cell["outputs"] for cell in cells if cell["cell_type"] == "code"])


def test_train_leaves_a_result_figures_and_pictures(runs):
    for method in ("supervised", "trikd"):
        assert load_run(runs / method)["steps"] == 2
        assert {p.suffix for p in (runs / method / "figures").iterdir()} == {".png", ".pdf"}
        executed = runs / f"notebooks/{method}.ipynb"
        text = outputs(executed)
        assert text.count('"alt": ') == 4 + 1 and not list(executed.parent.glob(".*"))
        assert ("Grid: labelled crops" in text) == (method == "trikd")
        assert ("is suggested, the run has" in text) == (method == "supervised")
        assert f"student tinyvit_demo, on synthetic (1_2), 2 steps, seed 0, into {runs / method}." in text
        assert text.count("<details>") == 1 and "optim.lr: 0.003" in text  # every setting, folded
    assert summarise(load_run(runs / "trikd"))["student_parameters"] > 0


def test_visualize_compares_them_and_the_report_reads_offline(runs):
    out = runs / "figures"
    both = [str(runs / "supervised"), str(runs / "trikd")]
    parameters = {"runs": both, "out": str(out), "count": 2, "pick_by": "worst"}
    executed = run_notebook(Cell(VISUALIZE, runs / "notebooks/visualize.ipynb", parameters))
    drawn = ("classes", "curves", "pseudo_labels", "strip", "masks", "errors", "boundaries", "bands")
    assert {p.name for p in out.iterdir()} == {f"{n}.{e}" for n in drawn for e in ("png", "pdf")} | {"result.json"}
    page = to_html(executed, runs / "report.html").read_text()
    assert page.count("data:image/png;base64") == len(drawn) and 'src="http' not in page
    worst = [name for name, _ in ranked(runs / "trikd")][::-1][:2]
    assert [shown["image"] for shown in json.loads((out / "result.json").read_text())["shown"]] == worst


def test_frequency_looks_into_a_run(runs, tmp_path):
    parameters = {"run": str(runs / "trikd"), "out": str(tmp_path / "out"), "count": 2, "factors": [0.5, 1]}
    executed = run_notebook(Cell(FREQUENCY, tmp_path / "f.ipynb", parameters))
    drawn = ("bands", "bands_before", "profiles", "channels", "cutoffs", "cutoff_maps", "attention")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        f"{n}.{e}" for n in drawn for e in ("png", "pdf")} | {"result.json"}  # fmt: skip
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert [c["factor"] for c in result["cutoffs"]] == [0.5, 1] and len(result["images"]) == 2
    assert "student, cnn, vit" in outputs(executed)


def test_explore_shows_the_same_view_without_and_above_its_controls(runs, tmp_path):
    both = [str(runs / "supervised"), str(runs / "trikd")]
    pictures = []
    for interactive in (False, True):
        out = tmp_path / str(interactive)
        parameters = {"runs": both, "view": "attention", "network": "vit", "pixel": [0.2, 0.8], "out": str(out),
                      "worst": 2, "interactive": interactive}  # fmt: skip
        executed = run_notebook(Cell(EXPLORE, out / "e.ipynb", parameters))
        text = outputs(executed)
        assert ("jupyter.widget-view" in text) == interactive
        result = json.loads((out / "result.json").read_text())
        worst = [name for name, _ in ranked(both[1])][::-1][:2]
        assert result["run"] == both[1] and [each["image"] for each in result["lowest"]] == worst
        pictures.append([(out / name).read_bytes() for name in ("view.png", "view.pdf")])
        page = to_html(executed, out / "e.html").read_text()  # the view and the sheet of thumbnails
        assert "VBox(" not in page and page.count("data:image/png;base64") == 2 and 'src="http' not in page
    assert pictures[0] == pictures[1]


def test_doctor_shows_a_data_set_and_one_that_is_broken(scenes, tmp_path):
    parameters = {"data_root": str(scenes), "split": "1_2", "workers": 1, "count": 2, "interactive": True}
    executed = run_notebook(Cell(DOCTOR, tmp_path / "d.ipynb", {**parameters, "out": str(tmp_path / "out")}))
    assert {p.name for p in (tmp_path / "out").glob("*.png")} == {"frequencies.png", "pairs.png"}
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["files"] == 22 and result["parts"]["labelled"]["images"] == 4 and result["versions"]["torch"]
    assert "0 error(s)" in outputs(executed) and "jupyter.widget-view" in outputs(executed)
    assert "widget-view" not in to_html(executed, tmp_path / "report.html").read_text().split("<main>")[1]
    broken = {"dataset": "camvid", "data_root": str(tmp_path / "absent"), "out": str(tmp_path / "broken")}
    run_code(DOCTOR, broken)
    found = json.loads((tmp_path / "broken/result.json").read_text())["findings"]
    assert [(each["severity"], "no folder" in each["message"]) for each in found] == [(ERROR, True)]


def test_ablate_runs_a_grid_and_reports_it(scenes, tmp_path, capsys):
    out = tmp_path / "grid"
    parameters = {
        "grid": "", "overrides": {"full": {}, "decayed": {"optim.weight_decay": 0.5}, "wrong": {"optim.rl": 1}},
        "common": {"method": "supervised", "recipe": "tiny", "steps": 2, "split": "1_2", "data_root": str(scenes),
                   "overrides": {**SMALL, "train.log_every": 1, "train.checkpoint_every": 1}},
        "out": str(out), "resamples": 50,
    }  # fmt: skip
    executed = run_notebook(Cell(ABLATE, tmp_path / "a.ipynb", parameters))
    names = {f"{n}.{e}" for n in ("scores", "classes") for e in ("csv", "tex", "pdf", "png")}
    names |= {"budget.pdf", "budget.png", "result.json"}
    assert {path.name for path in (out / "report").iterdir()} == names
    result = json.loads((out / "report/result.json").read_text())
    assert [row["row"] for row in result["rows"]] == ["full", "decayed"] and result["baseline"] == "full"
    low, high = result["rows"][1]["difference"]["interval"]
    assert low <= result["rows"][1]["difference"]["mean"] <= high
    assert [run["status"] for run in result["runs"]] == ["finished", "finished", "failed"]
    assert len(list((out / "notebooks").glob("*.html"))) == 2  # the third never started
    page = to_html(executed, tmp_path / "a.html").read_text()
    assert "unknown setting" in page and page.count("data:image/png;base64") == 3
    decayed = result["compared"]["rows"][1]
    assert decayed["steps"]["against"] == "full" and decayed["steps"]["verdict"] == "none shown"
    assert "KeyboardInterrupt" not in page and "IPKernelApp" not in page
    plan = {"out": str(out), "parameters": parameters["common"], "overrides": parameters["overrides"]}
    (tmp_path / "grid.yaml").write_text(json.dumps(plan))
    assert main(["batch", str(tmp_path / "grid.yaml")]) == 1  # one row is wrong, the others were there
    *_, head, rule, full, decayed, _ = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "row" and "last mIoU [%]" in head and set(rule) == {"-", " "}
    assert full.split()[:3] == ["full", "1", f"{100 * result['rows'][0]['last']['mean']:.2f}"]
    assert decayed.startswith("decayed") and decayed.endswith("(images; holds 0)")


def test_ablate_refuses_wrong_parameters_before_the_first_run(tmp_path):
    with pytest.raises(KitError, match="baseline must be one of"):
        run_code(ABLATE, {"baseline": "no row", "out": str(tmp_path / "grid")})
    assert not (tmp_path / "grid").exists()


def test_compare_shows_all_runs_below_a_folder(runs, tmp_path):
    (tmp_path / "out").mkdir()
    executed = run_notebook(Cell(COMPARE, tmp_path / "c.ipynb", {"folder": str(runs), "out": str(tmp_path / "out")}))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "runs.csv", "runs.tex", "cost.pdf", "cost.png", "budget.pdf", "budget.png", "result.json"}  # fmt: skip
    head, *lines = (tmp_path / "out/runs.csv").read_text().splitlines()
    assert head.startswith("method,folder,mIoU last") and len(lines) == 2
    page = to_html(executed, tmp_path / "c.html").read_text()
    assert 'class="sortable"' in page and "addEventListener" in page and 'src="http' not in page


def test_study_reads_what_was_collected(tmp_path):
    out = tmp_path / "out"
    executed = run_notebook(Cell(STUDY, tmp_path / "s.ipynb", {"out": str(out), "resamples": 100}))
    drawn = {f"{n}.{e}" for n in ("budget", "classes", "shares", "terms", "pseudo_labels") for e in ("pdf", "png")}
    assert {path.name for path in out.iterdir()} == drawn | {
        "scores.csv", "scores.tex", "classes.csv", "shares.csv", "result.json"}  # fmt: skip
    counts = [line.split(",")[0] for line in (out / "shares.csv").read_text().splitlines()]
    assert counts == ["labels", "11", "20", "40", "320"]
    result = json.loads((out / "result.json").read_text())
    rows = {row["row"]: row for row in result["compared"]["all of val"]["rows"]}
    trikd = next(row for row in result["summary"]["rows"] if row["row"] == "trikd")
    assert rows["supervised"]["baseline"] and rows["supervised, equal time"]["baseline"]
    assert rows["trikd"]["steps"]["n"] == rows["trikd"]["time"]["n"] == trikd["n"] >= 1
    text = outputs(executed)
    # every trial, and what was meant to be done
    assert "supervised, normed attention, harder OHEM" in text and "Protocol of the study" in text


def test_study_of_one_row_has_nothing_to_compare(tmp_path):
    study = json.loads((PROJECT / "notebooks/results/study.json").read_text())
    study["runs"] = [run for run in study["runs"] if run["row"] == "supervised"]
    (tmp_path / "one.json").write_text(json.dumps(study))
    grid = study["runs"][0]["grid"]
    parameters = {"study": str(tmp_path / "one.json"), "grids": [grid], "selection": [grid], "shares": [],
                  "controls": {}, "out": str(tmp_path / "out"), "resamples": 50}  # fmt: skip
    run_code(STUDY, parameters)
    assert (tmp_path / "out/result.json").is_file() and not (tmp_path / "out/classes.pdf").exists()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "foo"}, "unknown method 'foo'"),
        ({"steps": "3"}, "steps must be int"),
        ({"dataset": "camvid", "data_root": "/absent"}, "no folder /absent"),
    ],
)
def test_wrong_parameters_stop_the_notebook_before_it_writes(tmp_path, parameters, message):
    with pytest.raises(KitError, match=message):
        run_code(TRAIN, {"run_dir": str(tmp_path / "run"), "dataset": "camvid", **parameters})
    assert not (tmp_path / "run").exists()


def test_an_unknown_parameter_stops_the_notebook_with_one_line(tmp_path):
    with pytest.raises(KitError, match=r"unknown parameter of train\.ipynb 'stpes'"):
        run_notebook(Cell(TRAIN, tmp_path / "x.ipynb", {"stpes": 3}))


def test_one_failing_notebook_does_not_stop_the_others(runs, tmp_path):
    finished = {"method": "trikd", "recipe": "tiny", "steps": 2, "split": "1_2", "run_dir": str(runs / "trikd")}
    config = json.loads((runs / "trikd/config.json").read_text())
    good = Cell(TRAIN, tmp_path / "good.ipynb",
                {**finished, "data_root": config["data"]["root"],
                 "overrides": {**SMALL, "train.log_every": 1, "train.checkpoint_every": 1}})  # fmt: skip
    bad = Cell(TRAIN, tmp_path / "bad.ipynb", {"method": "foo"})
    with pytest.raises(KitError, match="bad.ipynb failed: unknown method"):
        complete([bad, good], workers=1)
    assert "already finished" in outputs(tmp_path / "good.ipynb")
    with pytest.raises(KitError, match="no notebook"):
        complete([good, Cell(tmp_path / "absent.ipynb", tmp_path / "o.ipynb")], workers=1)


def test_deploy_ends_in_a_model_folder(runs, tmp_path):
    export = pytest.importorskip("kit.deploy.graphs.onnx_graph")
    try:
        export.require_packages()
    except KitError as missing:
        pytest.skip(str(missing))
    parameters = {"run": str(runs / "supervised"), "out": str(tmp_path / "out"), "name": "street", "probe": False,
                  "count": 1, "threads": 1, "max_drop": 100.0}  # fmt: skip
    executed = run_notebook(Cell(PROJECT / "notebooks/deploy.ipynb", tmp_path / "d.ipynb", parameters))
    model = tmp_path / "out/street"
    assert {"model.safetensors", "config.json", "README.md", "student.onnx", "predictions.png"} <= {
        path.name for path in model.iterdir()}  # fmt: skip
    result = json.loads((tmp_path / "out/result.json").read_text())
    again = load_run(runs / "supervised")["last"]
    assert result["scores"]["float"]["miou"] == pytest.approx(again["miou"], abs=0.005)
    page = to_html(executed, tmp_path / "d.html").read_text()
    assert page.count("data:image/png;base64") == 2 and 'src="http' not in page
