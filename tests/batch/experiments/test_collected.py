import json

import numpy as np
import pytest

from kit.batch.experiments.collected import collect, load_study, rows_of
from kit.batch.experiments.step_cost import step_costs
from kit.batch.grid import read_grid
from kit.batch.summary import difference, summarise
from kit.errors import KitError
from kit.evaluate.scores.counts import Counts
from kit.runs.folder import RunFolder

CLASSES = ["road", "sky", "train"]


@pytest.fixture
def finished(tmp_path):
    """Function (right, date, classes) -> a grid file of two rows and two seeds whose first row is finished.

    Each image holds 100 pixels of road and of sky, of which `right` and 5 more per seed are found.
    """
    grid = tmp_path / "grid.yaml"
    grid.write_text(f"out: {tmp_path / 'runs'}\nmethods: [supervised, cps]\nseeds: [0, 1]\n")

    def make(right=60, date="2026-01-01", classes=CLASSES):
        for run in read_grid(grid).runs():
            if run.row != "supervised":
                continue
            matrices = np.zeros((4, 3, 3), np.int64)
            hits = right + 5 * run.seed + np.array([0, 0, 20, 20])
            for i in range(2):
                matrices[:, i, i], matrices[:, i, 1 - i] = hits, 100 - hits
            folder = RunFolder(run.cell.run_dir)
            folder.path.mkdir(parents=True, exist_ok=True)
            for which in ("last", "average"):
                Counts(tuple("abcd"), matrices, masks=tuple("1234")).save(folder.scores(which))
            result = {
                "schema": 1, "method": "supervised", "seed": run.seed, "steps": 9, "student_parameters": 7,
                "date": date, "seconds": {"train": 3.0}, "dataset": {"name": "camvid", "classes": classes},
                "split": {"name": "x", "labelled": 2, "unlabelled": 4, "labelled_sha256": "0",
                          "unlabelled_sha256": "1"},
            }  # fmt: skip
            folder.result_file.write_text(json.dumps(result))
            line = {
                "step": 9,
                "loss": 1.0,
                "parts": {"sup": 1.0},
                "pseudo": {"accuracy": 0.123456789, "predicted": [1]},
            }
            folder.log_file.write_text(json.dumps(line) + "\n")
        return grid

    return make


def test_scores_of_any_images_follow_from_what_is_collected(finished, tmp_path):
    into = tmp_path / "new/study.json"
    content, missing = collect({"grid": read_grid(finished())}, into)
    assert missing == ["grid: cps, seed 0", "grid: cps, seed 1"] and content == load_study(into)
    assert content["images"] == list("abcd") and content["runs"][0]["log"][0]["pseudo"]["accuracy"] == 0.12346
    halves = {name: rows_of(content, ["grid"], part)["supervised"][0] for name, part in
              {"a": slice(0, 2), "b": slice(2, 4), "all": slice(None)}.items()}  # fmt: skip
    assert halves["a"]["average"]["miou"] == pytest.approx(60 / 140)  # 60 of 100 found, 40 of the other class on top
    assert halves["b"]["last"]["iou"] == pytest.approx({"road": 80 / 120, "sky": 80 / 120, "train": None})
    assert halves["all"]["average"]["miou"] == pytest.approx(content["runs"][0]["average"]["miou"])
    summary = summarise(rows_of(content, ["grid"]), weights="average", resamples=20)
    assert summary["rows"][0]["n"] == 2 and summary["rows"][0]["labelled"] == 2
    with pytest.raises(KitError, match="no collected run is of other; collected grids: grid"):
        rows_of(content, ["other"])


def test_intervals_are_those_of_the_run_folders(finished, tmp_path):
    from kit.batch.summary import load_rows

    content, _ = collect({"grid": read_grid(grid := finished())}, tmp_path / "study.json")
    kept, folders = rows_of(content, ["grid"])["supervised"], load_rows(read_grid(grid))["supervised"]
    folders = [{**run, "last": {"miou": kept[i]["last"]["miou"]}} for i, run in enumerate(folders)]
    swapped = [{**run, "seed": 1 - run["seed"]} for run in kept], [{**run, "seed": 1 - run["seed"]} for run in folders]
    found, expected = difference(kept, swapped[0]), difference(folders, swapped[1])
    assert found == expected and found["over"] == "images and seeds"


def test_runs_of_several_machines_come_together_and_the_newer_one_stays(finished, tmp_path):
    into = tmp_path / "study.json"
    collect({"grid": read_grid(finished())}, into)
    collect({"grid": read_grid(finished(right=70, date="2025-01-01"))}, into)
    assert rows_of(load_study(into), ["grid"], slice(0, 2))["supervised"][0]["last"]["miou"] == pytest.approx(60 / 140)
    content, _ = collect(
        {"grid": read_grid(finished(right=70, date="2027-01-01"))}, into, {"grid: cps": {"cpu_seconds_per_step": 1.0}}
    )
    assert rows_of(content, ["grid"], slice(0, 2))["supervised"][0]["last"]["miou"] == pytest.approx(70 / 130)
    assert len(content["runs"]) == 2 and load_study(into)["costs"] == {"grid: cps": {"cpu_seconds_per_step": 1.0}}
    assert into.read_text().count('"grid":"grid"') == 2 and len(into.read_text().splitlines()) < 15


def test_other_classes_and_missing_runs_are_refused_and_nothing_is_written(finished, tmp_path):
    into = tmp_path / "study.json"
    collect({"grid": read_grid(finished())}, into)
    before = into.read_bytes()
    with pytest.raises(KitError, match="differ in classes; collect into another file"):
        collect({"grid": read_grid(finished(classes=["a", "b", "c"], date="2028-01-01"))}, into)
    empty = tmp_path / "empty.yaml"
    empty.write_text(f"out: {tmp_path / 'nothing'}\nmethods: [cps]\n")
    with pytest.raises(KitError, match="no run of empty is finished; run them with: python -m kit batch"):
        collect({"empty": read_grid(empty)}, tmp_path / "new.json")
    assert into.read_bytes() == before and not (tmp_path / "new.json").exists()


def test_steps_of_every_row_are_timed(scenes, tmp_path):
    grid = tmp_path / "costs.yaml"
    small = "{data.crop: [32, 32], data.base_size: null, data.labelled: 2, data.unlabelled: 2}"
    grid.write_text(f"out: {tmp_path / 'out'}\nmethods: [supervised, cps]\nparameters: {{recipe: tiny, steps: 1, "
                    f"split: '1_2', data_root: '{scenes}', overrides: {small}}}\n")  # fmt: skip
    costs = step_costs("costs", read_grid(grid), steps=2)
    assert set(costs) == {"costs: supervised", "costs: cps"}
    assert costs["costs: cps"]["cpu_seconds_per_step"] > costs["costs: supervised"]["cpu_seconds_per_step"] > 0
    assert not (tmp_path / "out").exists()
