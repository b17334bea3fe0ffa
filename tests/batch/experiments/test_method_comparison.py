import json

import numpy as np
import pytest
from PIL import Image

from kit.__main__ import main
from kit.batch.experiments.demo import StepBar, summarise
from kit.batch.experiments.method_comparison import (
    METHODS,
    equal_time_steps,
    measured_costs,
    plan,
    prepare_data,
    study,
)
from kit.errors import KitError
from kit.runs.folder import RunFolder
from kit.settings.recipes import configure
from kit.settings.run import RunConfig


def run(miou=0.2, average=0.25, seconds=30.0, steps=100, labelled=12):
    return {
        "schema": 1,
        "method": "cps",
        "last": {"miou": miou, "iou": {"road": 0.7, "train": None}},
        "average": {"miou": average},
        "dataset": {"rare": ["train"]},
        "student_parameters": 7,
        "seconds": {"train": seconds},
        "steps": steps,
        "seed": 0,
        "split": {"name": "1_16", "labelled": labelled, "labelled_sha256": "abc"},
        "protocol": "whole image",
    }


def test_a_summary_is_in_percent_with_absent_classes_as_null():
    summary = summarise(run())
    assert summary["miou"] == 20.0 and summary["miou_average_weights"] == 25.0
    assert summary["iou"] == {"road": 70.0, "train": None} and summary["seconds"] == 30.0
    json.dumps(summary, allow_nan=False)


@pytest.mark.parametrize("recipe", ["demo", "camvid"])
def test_every_run_of_the_plan_is_one_that_can_be_configured(tmp_path, recipe):
    grid = plan(tmp_path, {"recipe": recipe, "steps": 7}, 2, {"trikd": 40, "fixmatch": 15})
    runs = {(run.row, run.seed): run.cell.parameters for run in grid.runs()}
    assert len(runs) == 2 * (2 + 2 * len(METHODS))
    asked = {row: configure(**runs[row, 1]) for row in grid.rows}
    assert all(isinstance(cfg, RunConfig) and cfg.seed == 1 for cfg in asked.values())
    assert asked["trikd"].method.unlabelled_view == "strong" and asked["trikd"].train.steps == 7
    assert asked["supervised, time of trikd"].train.steps == 40 and asked["supervised, all labels"].data.split == "all"


def test_equal_time_follows_from_measured_time_of_a_step(tmp_path):
    grid = plan(tmp_path, {"recipe": "demo", "steps": 100}, 2)
    seconds = {"supervised": (10.0, 30.0), "fixmatch": (35.0, 45.0), "trikd": (100.0, 140.0)}
    for each in grid.runs():
        if each.row in seconds:
            folder = RunFolder(each.cell.run_dir)
            folder.path.mkdir(parents=True)
            folder.result_file.write_text(json.dumps(run(seconds=seconds[each.row][each.seed])))
    assert equal_time_steps(grid, {}) == {"fixmatch": 200, "trikd": 600}
    costs = {f"study: {row}": {"cpu_seconds_per_step": cost}
             for row, cost in (("supervised", 0.5), ("fixmatch", 1.5), ("trikd", 4.0))}  # fmt: skip
    assert equal_time_steps(grid, costs) == {"fixmatch": 300, "trikd": 800}


def test_a_study_that_goes_on_keeps_the_costs_it_has_measured(tmp_path, monkeypatch):
    measured = iter([1.0, 2.0, 3.0])

    def costs(name, grid):
        second = next(measured)
        return {f"{name}: {row}": {"cpu_seconds_per_step": second} for row in grid.rows}

    monkeypatch.setattr("kit.batch.experiments.method_comparison.step_costs", costs)
    first = measured_costs(tmp_path, plan(tmp_path, {"recipe": "demo"}, 1))
    assert first == measured_costs(tmp_path, plan(tmp_path, {"recipe": "demo"}, 2))
    whole = measured_costs(tmp_path, plan(tmp_path, {"recipe": "demo"}, 1, {"trikd": 9}))
    assert whole["study: supervised, time of trikd"]["cpu_seconds_per_step"] == 2.0
    assert whole | first == whole


def test_a_study_without_seeds_is_refused_before_scenes_are_drawn(tmp_path):
    with pytest.raises(KitError, match="seeds must be above 0, got 0"):
        study(tmp_path / "out", seeds=0)
    assert not (tmp_path / "out").exists()


def test_no_image_next_to_val_in_its_video_is_used(tmp_path):
    root, rng = tmp_path / "camvid", np.random.default_rng(0)
    names = {"train": [f"{video}_{i:05}" for video in ("0001TP", "0016E5") for i in range(0, 9000, 150)],
             "val": ["0016E5_07959", "0016E5_07961"]}  # fmt: skip
    for part, ids in names.items():
        for what in ("images", "labels"):
            (root / what / part).mkdir(parents=True)
        for name in ids:
            Image.fromarray(rng.integers(0, 255, (8, 12, 3), np.uint8)).save(root / f"images/{part}/{name}.jpg")
            Image.fromarray(rng.integers(0, 11, (8, 12), np.uint8)).save(root / f"labels/{part}/{name}.png")
    common = prepare_data(tmp_path / "out", root)
    every = (tmp_path / "out/split_all/labelled.txt").read_text().split()
    some, others = ((tmp_path / f"out/split/{name}.txt").read_text().split() for name in ("labelled", "unlabelled"))
    assert sorted(some + others) == sorted(every) and len(every) == 120 - 13  # from 7050 to 8850
    assert not [name for name in every if "0016E5_07" in name or "0016E5_08" in name]
    rows = {run.row: run.cell.parameters["split"] for run in plan(tmp_path / "out", common, 1).runs()}
    assert rows["supervised"] == rows["trikd"] == str(tmp_path / "out/split")
    assert rows["supervised, all labels"] == str(tmp_path / "out/split_all")


def test_a_folder_without_camvid_is_named_and_nothing_is_left(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    assert main(["study", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 2
    assert str(tmp_path / "data") in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_bar_follows_the_logs(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    folders[0].mkdir()
    (folders[0] / "log.jsonl").write_text('{"step": 30, "loss": 1.0}\n{"step": 40, "loss": 1.0}\n')
    with StepBar(folders, 100) as progress:
        progress.look()
        assert progress.bar.n == 40
    assert pytest.approx(progress.bar.total) == 100
