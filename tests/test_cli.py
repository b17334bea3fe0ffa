import json
import os
import re
import subprocess
import sys

import pytest

from kit.__main__ import main
from kit.commands import GROUPS, overview
from kit.commands.train import HELP
from kit.data.splits.split import read_list
from kit.errors import KitError
from kit.settings.fields import to_dict
from kit.settings.recipes import SHORT_NAMES
from kit.system.paths import PROJECT


def test_bad_input_is_one_line_and_an_exit_code(tmp_path, capsys):
    assert main(["train", str(tmp_path / "absent.json")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no file") and error.count("\n") == 1


def test_a_file_that_cannot_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["synthetic", str(tmp_path / "file/scenes"), "--train", "1", "--val", "1"]) == 2
    assert re.fullmatch(r"error: \S+ cannot be read or written: .+\n", capsys.readouterr().err)


def test_a_reader_that_ends_early_is_no_traceback():
    """As in `python -m kit splits show | head -1`."""
    end, pipe = os.pipe()
    os.close(end)
    command = [sys.executable, "-m", "kit", "splits", "show"]
    done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, cwd=PROJECT)
    os.close(pipe)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_interrupt_promises_no_more_than_is_true(monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("kit.data.splits.comparison.overview", interrupted)
    assert main(["splits", "show"]) == 130
    assert "checkpoint" not in capsys.readouterr().err


def test_folds_need_a_run(scenes, capsys):
    assert main(["doctor", "--dataset", "synthetic", "--root", str(scenes), "--folds", "3"]) == 2
    assert "--folds trains runs like one given run; name it with --run" in capsys.readouterr().err


def test_grids_of_one_name_are_not_collected_into_one(tmp_path, capsys):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "grid.yaml").write_text(f"out: {tmp_path / name}\n")
    grids = [str(tmp_path / name / "grid.yaml") for name in ("a", "b")]
    assert main(["collect", *grids, "--into", str(tmp_path / "study.json")]) == 2
    assert "two grids are called grid" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_named(tiny, tmp_path, capsys):
    (tmp_path / "config.json").write_text(json.dumps(to_dict(tiny())))
    assert main(["evaluate", str(tmp_path), "--device", "gpu9"]) == 2
    assert "error: --device gpu9 cannot be used: " in capsys.readouterr().err


@pytest.mark.parametrize(("given", "limit"), [([], 2), (["--limit", "0"], 0), (["--limit", "1"], 1)])
def test_all_images_can_be_evaluated_where_the_run_has_a_limit(given, limit, tiny, tmp_path, monkeypatch):
    def noted(run, weights, cfg, *others):
        found.append(cfg.limit)
        raise KitError("noted")

    found = []
    monkeypatch.setattr("kit.evaluate.reevaluate.evaluate_run", noted)
    (tmp_path / "config.json").write_text(json.dumps(to_dict(tiny(overrides={"evaluate.limit": 2}))))
    assert main(["evaluate", str(tmp_path), *given]) == 2 and found == [limit]


def test_presets_of_unknown_classes_fail_with_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("kit.system.paths.PROJECT", tmp_path)
    assert main(["presets", "folder"]) == 2
    assert capsys.readouterr().err.count("classes.yaml") == 1


def test_unknown_commands_and_no_command(capsys):
    for arguments in ([], ["fly"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_train_from_a_file(tiny, tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(to_dict(tiny())))
    assert main(["train", str(tmp_path / "c.json"), "--run-dir", str(tmp_path / "other")]) == 0
    assert (tmp_path / "other/result.json").is_file() and not (tmp_path / "run").exists()


def test_train_from_the_folder_of_a_run(tiny, tmp_path, capsys):
    (tmp_path / "config.json").write_text(json.dumps(to_dict(tiny())))
    assert main(["train", str(tmp_path), "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "data.json").write_text("{}")  # a run that was begun, and moved since
    assert main(["train", str(tmp_path), "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["run_dir"] == str(tmp_path)
    assert main(["train", str(tmp_path), "--dry-run", "--run-dir", "other"]) == 0
    assert json.loads(capsys.readouterr().out)["run_dir"] == "other"
    (tmp_path / "config.json").unlink()
    assert main(["train", str(tmp_path), "--dry-run"]) == 2
    assert "config.json" in capsys.readouterr().err


def test_every_short_name_is_an_option_of_train_with_its_help():
    assert {*HELP, "num_processes", "run_dir"} == set(SHORT_NAMES)


def test_train_from_options(scenes, tmp_path, capsys):
    given = ["train", "--method", "cps", "--recipe", "tiny", "--data-root", str(scenes), "--split", "1_2",
             "--steps", "1", "--eval-every", "0", "--set", "method.cps_weight=0.5", "--set", "data.crop=[64, 64]",
             "--set", "train.precision=fp32", "--pretrained", "False", "--set", "student.weights=None",
             "--run-dir", str(tmp_path / "7")]  # fmt: skip
    assert main([*given, "--dry-run"]) == 0
    cfg = json.loads(capsys.readouterr().out)
    assert cfg["method"]["name"] == "cps" and cfg["method"]["cps_weight"] == 0.5 and cfg["data"]["crop"] == [64, 64]
    assert cfg["pretrained"] is False and cfg["student"]["weights"] is None  # as Python writes them
    assert cfg["train"]["eval_every"] == 0  # not the recipe's
    assert main(given) == 0
    assert json.loads((tmp_path / "7/config.json").read_text()) == cfg


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--set", "method.cps_wieght=0.5"], "cps_weight"),
        (["--set", "method.cps_weight"], "FIELD=VALUE"),
        (["--steps", "many"], "train.steps"),
        (["--steps", "0"], "train.steps must be above 0"),
        (["--method", "none"], "none"),
        (["config.json", "--method", "cps"], "leave out"),
    ],
)
def test_mistakes_in_options_of_train_are_one_line(arguments, named, capsys):
    assert main(["train", *arguments, "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and named in error and error.count("\n") == 1


def test_scenes_and_a_split_of_them(tmp_path, capsys):
    root = str(tmp_path / "scenes")
    assert main(["synthetic", root, "--train", "6", "--val", "1", "--size", "32", "64"]) == 0
    drawn = ["splits", "draw", "--dataset", "synthetic", "--root", root, "--split", "1_4"]
    assert main([*drawn, "--out", str(tmp_path / "s")]) == 0
    assert len(read_list(tmp_path / "s/labelled.txt")) == 2 and len(read_list(tmp_path / "s/unlabelled.txt")) == 4
    assert "2 labelled" in capsys.readouterr().out
    left_out = read_list(tmp_path / "s/labelled.txt")[0]
    assert main([*drawn, "--exclude", left_out, "--out", str(tmp_path / "gap")]) == 0
    lists = [read_list(tmp_path / f"gap/{name}.txt") for name in ("labelled", "unlabelled")]
    assert [len(names) for names in lists] == [2, 3] and left_out not in sum(lists, ())
    assert json.loads((tmp_path / "gap/split.json").read_text())["drawn"]["excluded"] == [left_out]
    for patterns, named in ((["none*"], "matches 'none*'"), (["*"], "leaves no train image")):
        capsys.readouterr()
        assert main([*drawn, "--exclude", *patterns, "--out", str(tmp_path / "no")]) == 2
        assert named in capsys.readouterr().err and not (tmp_path / "no").exists()


def test_splits_are_drawn_covering_imported_and_shown(scenes, tmp_path, capsys):
    data = ["--dataset", "synthetic", "--root", str(scenes)]
    drawn, loaded = tmp_path / "drawn", tmp_path / "loaded"
    assert main(["splits", "draw", *data, "--split", "1_4", "--seeds", "2", "--cover", "1", "--out", str(drawn)]) == 0
    assert "1_4 seed 1 cover 1: 2 labelled" in capsys.readouterr().out
    lists = [str(drawn / f"seed_1/{name}.txt") for name in ("labelled", "unlabelled")]
    assert main(["splits", "import", *lists, *data, "--out", str(loaded)]) == 0
    assert "lists loaded: 2 labelled" in capsys.readouterr().out
    assert main(["splits", "show", str(drawn / "seed_0"), str(loaded), *data]) == 0
    shown = capsys.readouterr().out
    assert "shared with 2" in shown and "1_4 seed 0 cover 1" in shown and "bicycle" in shown
    assert main(["splits", "show"]) == 0 and "cps 1/16" in capsys.readouterr().out
    assert main(["splits", "import", lists[0], lists[0], "--out", str(loaded)]) == 2
    assert main(["splits", "show", str(loaded), "--root", str(scenes)]) == 2
    assert "--root needs --dataset" in capsys.readouterr().err
    assert main(["splits", "import", *lists, "--dataset", "folder", "--out", str(tmp_path / "own")]) == 2
    assert "--dataset folder needs --root" in capsys.readouterr().err  # not: no classes.yaml; write one


def test_help_as_a_process():
    done = subprocess.run([sys.executable, "-m", "kit", "--help"], capture_output=True, text=True, check=True)
    assert "demo" in done.stdout and "study" in done.stdout


def test_help_begins_with_what_most_people_want_and_groups_the_rest(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith((" ", "options"))]
    assert headings[0] == "most used:" and len(headings) == len(set(headings)) == len(GROUPS)  # no command left over
    first = lines.index("most used:")
    assert [line.split()[0] for line in lines[first + 1 : first + 5]] == ["train", "evaluate", "predict", "export"]
    listed = [line.split()[0] for line in lines if re.match(r"  \S", line) and not line.startswith("  -")]
    assert sorted(listed) == sorted(name for names in GROUPS.values() for name in names)


def test_a_command_of_no_group_is_listed_at_the_end():
    assert overview({"train": "one run", "new": "something"}).endswith("more:\n  new             something")
