import json

import pytest

from kit.batch.demo import StepBar, summarise
from kit.batch.study import as_markdown, equal_time_steps, paired, spread


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


def write(folder, content):
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "result.json").write_text(json.dumps(content))


def test_a_summary_is_in_percent_with_absent_classes_as_null():
    summary = summarise(run())
    assert summary["miou"] == 20.0 and summary["miou_average_weights"] == 25.0
    assert summary["iou"] == {"road": 70.0, "train": None} and summary["seconds"] == 30.0
    json.dumps(summary, allow_nan=False)


def test_spread_is_the_sample_deviation_over_seeds():
    three = spread([run(0.1), run(0.2), run(0.3)])
    assert three["miou"] == {"mean": 20.0, "sd": 10.0} and three["n"] == 3
    assert spread([run()])["miou"] == {"mean": 20.0, "sd": None}


def test_the_table_says_what_was_measured():
    rows = {"supervised_all_labels": [run(0.1), run(0.3)], "trikd": [run(0.2, seconds=60.0), run(0.3, seconds=60.0)]}
    summary = {
        "rows": {name: spread(runs) for name, runs in rows.items()},
        "trikd_minus": {"supervised_all_labels": paired(rows["trikd"], rows["supervised_all_labels"])},
    }
    table = as_markdown(summary)
    assert "| supervised, all labels | 12 | 100 | 20.0 ± 14.1 | 25.0 ± 0.0 | 30.0 ± 0.0 | +5.0 ± 7.1 |" in table
    assert "| trikd | 12 | 100 | 25.0 ± 7.1 | 25.0 ± 0.0 | 60.0 ± 0.0 |  |" in table


def test_equal_time_follows_from_measured_seconds_per_step(tmp_path):
    for seed, (short, long) in enumerate([(10.0, 45.0), (10.0, 55.0)]):
        write(tmp_path / f"supervised_{seed}", run(seconds=short))
        write(tmp_path / f"trikd_{seed}", run(seconds=long))
    assert equal_time_steps(tmp_path, seeds=2) == 500


def test_the_bar_follows_the_logs(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    folders[0].mkdir()
    (folders[0] / "log.jsonl").write_text('{"step": 30, "loss": 1.0}\n{"step": 40, "loss": 1.0}\n')
    with StepBar(folders, 100) as progress:
        progress.look()
        assert progress.bar.n == 40
    assert pytest.approx(progress.bar.total) == 100
