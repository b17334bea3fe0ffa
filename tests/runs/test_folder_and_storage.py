import json
import os
import subprocess
import sys
import threading
import time

import pytest

from kit.errors import KitError
from kit.runs.folder import RunFolder, identity, load_run, provenance
from kit.settings.fields import from_dict, replace_fields, to_dict
from kit.settings.recipes import configure
from kit.settings.run import MGDConfig, RunConfig
from kit.system.lock import locked
from kit.system.storage import read_json, write_bytes, write_json


def test_a_file_is_whole_or_the_previous_one(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})

    def full_disk(*args):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_bytes(path, b"half")
    assert read_json(path) == {"a": 1} and list(tmp_path.iterdir()) == [path]


def test_json_that_is_missing_or_damaged_is_named(tmp_path):
    with pytest.raises(KitError, match="no file .*x.json"):
        read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{"a": ')
    with pytest.raises(KitError, match="x.json is not JSON"):
        read_json(tmp_path / "x.json")
    with pytest.raises(KitError, match="no file .*x.json/y.json"):
        read_json(tmp_path / "x.json/y.json")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"miou": float("nan")})


def test_fields_that_came_later_leave_runs_of_before_their_digest():
    """Checkpoints are bound to these digests, and finished teachers are found by them."""
    before = "09d7a33755effc427160d40f2ac25459b34cabf4a700a7dc18db0bbe1c24caef"
    cfg = RunConfig(method=MGDConfig())
    assert identity(cfg) == before and identity(replace_fields(cfg, {"run_dir": "elsewhere"})) == before
    changes = {"data.discrete_scales": [0.5, 1.0], "evaluate.combine": "logits", "student.classifier": "kaiming",
               "method.wide_net.classifier": "kaiming", "method.teacher_batch": 8, "method.deep_lr": 0.1,
               "method.wide_lr": 0.1, "evaluate.scales": [0.5], "data.keep_aspect": True,
               "train.deterministic": True, "evaluate.precision": "bf16", "train.precision": "fp32"}  # fmt: skip
    digests = {identity(replace_fields(cfg, {name: value})) for name, value in changes.items()}
    assert len(digests | {before}) == len(changes) + 1
    old = to_dict(cfg)
    for name in changes:
        *parents, last = name.split(".")
        place = old
        for parent in parents:
            place = place[parent]
        place.pop(last)
    assert from_dict(old) == cfg  # a config.json of before


def test_a_log_is_cut_where_a_run_goes_on(tmp_path):
    folder = RunFolder(tmp_path)
    evaluation = {"step": 4, "miou": 0.1}
    for record in ({"step": 2, "loss": 1.0}, {"step": 4, "loss": 1.0}, evaluation, {"step": 6, "loss": 1.0}):
        folder.append_log(record)
    folder.log_file.write_text(folder.log_file.read_text() + '{"step": 8, "lo')  # cut off by a kill
    assert [r["step"] for r in folder.log()] == [2, 4, 4, 6]
    folder.cut_log(4, evaluated=True)
    assert folder.log() == [{"step": 2, "loss": 1.0}, {"step": 4, "loss": 1.0}, {"step": 4, "miou": 0.1}]
    folder.cut_log(4, evaluated=False)  # it is made again
    assert folder.log()[-1] == {"step": 4, "loss": 1.0}


def test_a_folder_knows_its_run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(KitError, match="holds no run"):
        load_run(folder.path)
    cfg = configure(method="cps", run_dir=str(folder.path))
    folder.path.mkdir()
    folder.open(cfg, {"classes": ["road"]})
    folder.check_free(cfg)
    assert folder.config() == cfg and folder.data() == {"classes": ["road"]}
    with pytest.raises(KitError, match="is not finished"):
        load_run(folder.path)
    with pytest.raises(KitError, match="another run .*method.name"):
        folder.check_free(configure(method="trikd", run_dir=str(folder.path)))
    folder.result_file.write_text(json.dumps({"schema": 99}))
    with pytest.raises(KitError, match="schema 99"):
        folder.result()


def test_provenance_names_versions():
    record = provenance()
    assert record["versions"]["torch"] and record["date"].startswith("20") and record["python"]


def test_a_lock_that_its_holder_deletes_is_taken_again(tmp_path):
    """The next holder is to hold the file that is there, not the one that was."""
    path, order = tmp_path / "folder/.lock", []
    held = subprocess.Popen(
        [sys.executable, "-c", "import shutil, sys, time; from pathlib import Path\n"
         "from kit.system.lock import locked\n"
         "with locked(Path(sys.argv[1]), 'it'):\n"
         "    print('held', flush=True); sys.stdin.readline(); shutil.rmtree(Path(sys.argv[1]).parent)", str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert held.stdout.readline() == "held\n"
    waiting = threading.Thread(target=lambda: order.append(_lock_and_compare(path)))
    waiting.start()
    time.sleep(0.3)  # it waits for the lock of the file that is about to go
    held.communicate("now\n")
    waiting.join()
    assert order == [True]


def _lock_and_compare(path):
    with locked(path, "it"):
        return path.read_text() == str(os.getpid())
