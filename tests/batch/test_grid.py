import pytest
import yaml

from kit.batch.finished import run_config
from kit.batch.grid import compose, read_grid
from kit.batch.teacher_runs import teacher_runs
from kit.errors import KitError
from kit.settings.ablations import ABLATIONS
from kit.system.paths import PROJECT
from kit.train.teachers import teacher_config

GRIDS = sorted((PROJECT / "notebooks/grids").glob("*.yaml"))


def write(path, text):
    path.write_text(text)
    return path


def test_a_grid_is_the_product_of_its_axes_and_rows_that_stand_alone(tmp_path):
    grid = read_grid({
        "out": "runs/x", "parameters": {"steps": 5, "overrides": {"optim.lr": 0.1}}, "methods": ["cps", "trikd"],
        "splits": ["1_8"], "overrides": {"a": {}, "b": {"optim.lr": 0.2}}, "seeds": [3, 4],
        "rows": {"alone": {"method": "supervised"}},
    })  # fmt: skip
    assert list(grid.rows) == [
        "cps a",
        "cps b",
        "trikd a",
        "trikd b",
        "alone",
    ]  # without axes of one value
    assert grid.rows["trikd b"] == {"steps": 5, "method": "trikd", "split": "1_8", "overrides": {"optim.lr": 0.2}}
    assert grid.rows["alone"] == {"steps": 5, "method": "supervised", "overrides": {"optim.lr": 0.1}}
    runs = grid.runs()
    assert [(run.row, run.seed) for run in runs][:6] == [(row, 3) for row in grid.rows] + [("cps a", 4)]
    assert len({run.name for run in runs}) == 10
    assert runs[0].cell.run_dir == PROJECT / "runs/x" / runs[0].name and runs[0].cell.executed.is_absolute()


def test_a_seed_among_the_parameters_is_that_of_all_runs():
    grid = read_grid({"out": "runs/x", "parameters": {"seed": 5}, "methods": ["cps"]})
    assert [run.cell.parameters["seed"] for run in grid.runs()] == [5]
    with pytest.raises(KitError, match="row a sets seed; every row runs with every seed"):
        read_grid({"out": "runs/x", "rows": {"a": {"seed": 3}}})


def test_folders_follow_the_parameters():
    names = [read_grid({"out": "o", "parameters": p}).runs()[0].name for p in ({}, {"steps": 1}, {"steps": 1})]
    assert names[0] != names[1] == names[2] and names[0].startswith("run_s0_")


def test_values_of_a_file_are_what_they_look_like(tmp_path):
    text = "out: runs/x\nsplits: [1_8, 1_16]\nparameters: {overrides: {optim.lr: 1e-3, method.ramp: .5, a: no, b: 010}}"
    grid = read_grid(write(tmp_path / "g.yaml", text))
    assert grid.rows["1_8"]["split"] == "1_8"  # PyYAML's default is the number 18, and the text 1e-3
    assert grid.rows["1_8"]["overrides"] == {"optim.lr": 0.001, "method.ramp": 0.5, "a": "no", "b": "010"}
    text = "out: x\nrows: {a: {overrides: &a {optim.lr: 0.1}}, b: {overrides: {<<: *a, method.ramp: 0.5}}}"
    grid = read_grid(write(tmp_path / "merged.yaml", text))
    assert grid.rows["b"]["overrides"] == {"optim.lr": 0.1, "method.ramp": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds: [0]", "out is missing"),
        ("out: ''", "out is missing"),
        ("out: x\nmethdos: [cps]", "unknown key of .* 'methdos'"),
        ("out: x\nmethods: cps", "methods must be list, got 'cps'"),
        ("out: x\nmethods: []", "methods is empty"),
        ("out: x\nseeds: [0, 0]", "each once"),
        ("out: x\nseeds: ['1']", "whole numbers"),
        ("out: x\nretries: -1", "retries must be 0 or more"),
        ("out: x\nretries: true", "retries must be int, got True"),
        ("out: x\noverrides: [without_everything]", "unknown ablation in .* 'without_everything'"),
        ("out: x\noverrides: [{full: {}}]", "unknown ablation in .* {'full': {}}"),
        ("out: x\noverrides: {a: 3}", "overrides of a must be a mapping"),
        ("out: x\noverrides: {a: {1: 2}}", "names of parameters and settings must be text, got 1"),
        ("out: x\nparameters: {1: 2}", "names of parameters and settings must be text, got 1"),
        ("out: x\nrows: {a: 3}", "row a must be a mapping"),
        ("out: x\nrows: {}", "rows is empty"),
        ("out: x\nmethods: [cps, mgd]\nrows: {cps: {}}", "two rows are called 'cps'"),
        ("out: x\nmethods: [cps, cps]", "two rows are called 'cps'"),
        ("out: x\nsplits: ['1', 1]", "two rows are called '1'"),
        ("out: x\nsplits: ['1', '2']\nrows: {1: {}}", "two rows are called '1'"),
        ("out: x\nrows: {a: {seed: 1}, b: {}, a: {seed: 2}}", "is not YAML: 'a' is there twice"),
        ("out: x\nseeds: [!!int abc]", "is not YAML: invalid literal for int"),
        ("out: x\nparameters: {overrides: 3}", "overrides must be a mapping"),
        ("out: x\nnotebook: absent.ipynb", "no notebook absent.ipynb"),
        ("- a", "must be a mapping"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_is_no_grid_is_named(tmp_path, text, message):
    with pytest.raises(KitError, match=message):
        read_grid(write(tmp_path / "g.yaml", text))
    with pytest.raises(KitError, match="no file"):
        read_grid(tmp_path / "absent.yaml")


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_every_run_of_a_ready_made_grid_is_a_valid_configuration(path):
    runs = read_grid(path).runs()
    configurations = [run_config(run.cell) for run in runs]
    single = [(cfg, run) for cfg, run in zip(configurations, runs, strict=True) if cfg is not None]
    assert all(cfg.seed == run.seed for cfg, run in single) and (single or path.stem == "label_next")
    assert len({run.name for run in runs}) == len(runs)


def test_ready_made_grids_hold_what_they_are_for():
    grids = {path.stem: read_grid(path) for path in GRIDS}
    assert {"full", "without_low", "without_high", "without_cnn", "supervised"} <= grids["trikd_losses"].rows.keys()
    assert {"plain_laterals", "d0_inf", "official_filter_centre"} <= grids["trikd_decoder"].rows.keys()
    assert {f"without_{term}" for term in ("pixel", "image", "region")} <= grids["mgd_losses"].rows.keys()
    assert {"supervised 1_30", "mgd 1_2"} <= grids["label_share"].rows.keys()
    assert grids["trikd_losses"].rows["without_low"]["overrides"] == ABLATIONS["without_low"]


def test_teachers_come_first_and_are_asked_for_as_the_runs_want_them():
    grid = read_grid({"out": "runs/x", "methods": ["mgd", "distill", "cps"], "parameters": {"recipe": "tiny"}})
    teachers = teacher_runs(grid, grid.runs())
    assert len(teachers) == 2  # shared by mgd and distill
    cfg = run_config(grid.runs()[0].cell)
    for run, name in zip(teachers, ("deep", "wide"), strict=True):
        assert run_config(run.cell) == teacher_config(cfg, name) and run.row.startswith("teacher: ")


def test_a_grid_of_a_notebook_is_a_file_or_a_table(tmp_path):
    file = write(tmp_path / "g.yaml", yaml.safe_dump({"out": "a", "methods": ["cps"], "parameters": {"steps": 3}}))
    grid = compose(str(file), seeds=[7], common={"steps": 5}, out="b", retries=2, time_limit=0.0)
    assert (str(grid.out), grid.seeds, grid.retries, grid.time_limit) == ("b", (7,), 2, None)
    assert grid.rows == {"cps": {"method": "cps", "steps": 5}}
    assert list(compose("", ["cps", "mgd"], out="b").rows) == ["cps", "mgd"]
    with pytest.raises(KitError, match="already lists the runs; leave methods empty"):
        compose(str(file), ["cps"])
    with pytest.raises(KitError, match="label_next.ipynb have no scores .* python -m kit batch"):
        compose("notebooks/grids/label_next.yaml")


def test_unknown_settings_of_a_run_are_its_own_affair():
    (run,) = read_grid({"out": "x", "parameters": {"stpes": 3}}).runs()
    with pytest.raises(KitError, match="unknown parameter of train.ipynb 'stpes'"):
        run_config(run.cell)
