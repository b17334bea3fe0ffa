import json

import pytest

from kit.errors import KitError
from kit.evaluate.student import load
from kit.runs.collect import NEEDED, find_runs
from kit.runs.folder import SCHEMA


def test_finished_runs_are_found_and_others_named(tmp_path):
    for name, result in (
        ("a/one", {"schema": SCHEMA, **dict.fromkeys(NEEDED)}),
        ("four", {"schema": SCHEMA}),
        ("a/b/two", {"schema": 99}),
        ("three", None),
    ):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        if result:
            (folder / "result.json").write_text(json.dumps(result))
    (tmp_path / "three/log.jsonl").write_bytes(b'{"step": 7, "loss": 1.0}\n{"st\xff\n')
    (tmp_path / "a/one/model").mkdir()  # of `pack`: a model folder, not a run
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "a/one/model" / name).write_text("{}")
    (tmp_path / "report").mkdir()
    (tmp_path / "report/result.json").write_text("{}")  # of a notebook, not of a run
    runs, others = find_runs(tmp_path)
    assert [run["path"] for run in runs] == [str(tmp_path / "a/one")]
    assert len(others) == 3 and "schema 99" in others[0] and "lacks average, commit" in others[1]
    assert others[2].endswith("three: not finished, at step 7")
    with pytest.raises(KitError, match="no folder"):
        find_runs(tmp_path / "absent")


def test_a_result_that_is_not_whole_is_named(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.json").write_text("{}")
    (tmp_path / "run/result.json").write_text("[]")
    assert find_runs(tmp_path) == ([], [f"{tmp_path / 'run/result.json'} holds no result of a run"])
    (tmp_path / "run/result.json").write_text(json.dumps({"schema": SCHEMA}))
    with pytest.raises(KitError, match="run holds a record without the data set of the run; it is not whole"):
        load(tmp_path / "run")
