import json

import pytest

from kit.__main__ import main
from kit.deploy.graphs import int8
from kit.deploy.graphs.onnx_graph import require_packages
from kit.errors import KitError

try:
    require_packages()
except KitError as missing:
    pytest.skip(str(missing), allow_module_level=True)


@pytest.mark.slow
def test_runs_and_names_are_timed_in_every_form(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(int8, "GAIN", 0.0)
    run = finished("deeplab_demo")
    command = ["bench", "deploy", str(run), "--repeats", "2", "--threads", "1", "--max-drop", "100", "--onnx-only",
               "--out", str(tmp_path)]  # fmt: skip
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "ONNX, 8 bits" in out and "64 x 128" in out and out.splitlines()[-1].startswith("fps=")
    (row,) = json.loads((tmp_path / "deploy.json").read_text())["rows"]
    assert set(row["forms"]) == {"onnx", "int8"} and 0 <= row["scores"]["int8"] <= 1
    assert (tmp_path / "pareto.pdf").is_file()


def test_a_name_that_is_no_student_is_refused():
    assert main(["bench", "deploy", "nobody", "--onnx-only"]) == 2
