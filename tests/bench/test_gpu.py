"""The parts of `python -m kit bench gpu`, on a CPU with small networks; on a GPU, that all forms of a step agree."""

import json
import time

import forked
import pytest
import torch

from kit.__main__ import main
from kit.bench.gpu import run as gpu
from kit.bench.gpu.checks import device_tests, kill_and_resume
from kit.bench.gpu.steps import FORMS, MGDWork, TriKDWork, measure_step
from kit.errors import KitError
from kit.system.paths import PROJECT

CPU = torch.device("cpu")

WITHOUT = ("segmentation_models_pytorch", "papermill", "jupyterlab", "nbformat", "nbconvert", "ipywidgets", "anywidget",
           "IPython")  # fmt: skip
"""Packages that a machine with a GPU may lack."""


def test_without_a_gpu_it_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["bench", "gpu"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: there is no GPU that torch can use") and error.count("\n") == 1
    (tmp_path / "other.json").write_text("{}")
    assert main(["bench", "gpu", "--show", str(tmp_path / "other.json")]) == 2
    assert "other.json was not written by" in capsys.readouterr().err
    assert main(["bench", "gpu", "--parts", "stps"]) == 2 and "--parts must be one of steps" in capsys.readouterr().err


def test_the_command_measures_and_writes_it_down_without_packages_of_notebooks(tmp_path, capsys):
    out = tmp_path / "new/gpu.json"
    options = ["--device", "cpu", "--size", "demo", "--parts", "steps", "latency", "loader", "--out", str(out)]
    code = forked.command(["bench", "gpu", *options], tmp_path / "printed", WITHOUT)
    printed = (tmp_path / "printed").read_text()
    assert code == 0, printed
    record = json.loads(out.read_text())
    assert record["device"]["type"] == "cpu" and record["versions"]["torch"] and record["date"].startswith("20")
    assert record["commit"] or not (PROJECT / ".git").exists()
    assert not record["failed"] and not record["left_out"] and not record["out_of_memory"] and record["seconds"] > 0
    rows = {part: [row for row in record["parts"] if row["part"] == part] for part in ("steps", "latency", "loader")}
    assert [(row["network"], row["form"]) for row in rows["steps"]] == [
        (network, form) for network in ("TriKD demo", "MGD demo") for form in FORMS if form != "compiled"
    ]
    assert all(row["images_per_second"] > 0 for found in rows.values() for row in found)
    assert [row["precision"] for row in rows["latency"]] == ["float32", "bfloat16"]
    assert "| MGD demo, 2 + 2 | ours, float32 |" in printed and "keeps up with TriKD demo" in printed
    assert main(["bench", "gpu", "--show", str(out)]) == 0
    tables = capsys.readouterr().out
    assert tables and tables in printed


@pytest.mark.parametrize("work", [TriKDWork, MGDWork])
def test_a_compiled_step_compiles_every_network(monkeypatch, work):
    compiled = []
    monkeypatch.setattr("kit.models.segmenter.Segmenter.compile", lambda net: compiled.append(net))
    row = measure_step(work("demo", 32), "compiled", 2, CPU, 1)
    assert len(compiled) == 3 and row["form"] == "compiled" and row["peak_memory"] is None


def test_nothing_starts_that_would_end_too_late_and_no_part_costs_another(tmp_path, monkeypatch):
    def broken():
        raise RuntimeError("CUDA error: something\nand a long story")

    def full():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    part, ran = gpu.Part("steps", "good", 0.0, lambda: ran.append(1) or {"x": 1}), []
    tests = part._replace(kind="tests", name="tests", run=lambda: {"tests": 2, "passed": 1, "failed": ["test_x"]})
    parts = [part._replace(name="broken", run=broken), part._replace(name="full", run=full), part, tests]
    monkeypatch.setattr(gpu, "release", lambda device: None)
    record, now = {"parts": [], "out_of_memory": [], "failed": {}, "left_out": []}, time.monotonic()
    late = [part._replace(name="long", seconds=100.0), part._replace(name="short", seconds=1.0)]
    gpu.run_parts([*late, *parts], record, now + 50, now, torch.device("cuda"), tmp_path / "gpu.json")
    assert record["left_out"] == ["long"] and len(ran) == 2
    assert record["failed"] == {"broken": "RuntimeError: CUDA error: something", "tests": "1 failed: test_x"}
    assert record["out_of_memory"] == ["full"]
    assert json.loads((tmp_path / "gpu.json").read_text()) == record
    gpu.run_parts([part], record, now - 1, now, CPU, tmp_path / "gpu.json")
    assert record["left_out"] == ["long", "good"]


def test_all_parts_come_in_their_order_and_large_compiled_steps_before_small_ones():
    parts = gpu.make_parts(gpu.SIZES["full"], CPU)
    assert list(dict.fromkeys(part.kind for part in parts)) == list(gpu.PARTS)
    compiled = [part.name for part in parts if part.kind == "compiled"]
    assert compiled[:3] == [f"{name}, 8 + 8, compiled" for name in ("TriKD 11m", "MGD resnet18", "TriKD 21m")]
    assert sum(part.seconds for part in parts if part.kind != "compiled") < 540


def test_device_tests_are_counted_and_those_that_fail_named(tmp_path):
    marked = "import pytest\npytestmark = pytest.mark.gpu\ndef test_good(): pass\ndef test_bad(): assert 0\n"
    (tmp_path / "test_a.py").write_text(marked)
    (tmp_path / "test_b.py").write_text("import a_package_that_is_not_there\n")
    assert device_tests(60.0, tmp_path) == {"tests": 2, "passed": 1, "failed": ["test_bad"]}
    (tmp_path / "test_a.py").write_text("import time\n\ntime.sleep(60)  # mark.gpu\n")
    with pytest.raises(KitError, match="did not finish within 1 s"):
        device_tests(1.0, tmp_path)


@pytest.mark.slow
def test_a_run_is_killed_and_ends_with_the_same_weights():
    found = kill_and_resume(CPU, "supervised", steps=12)
    assert found["same_bits"] and found["largest_difference"] == 0 and 0 < found["killed_after"] <= 12


@pytest.mark.gpu
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("work", [TriKDWork, MGDWork])
def test_every_form_of_a_step_runs_on_a_gpu(work, form):
    row = measure_step(work("demo", 64), form, 2, torch.device("cuda"), 1)
    assert row["images_per_second"] > 0 and row["peak_memory"] > 0


@pytest.mark.gpu
def test_the_plain_step_is_ours_on_a_gpu():
    """Gradient of the student, with batch norm and everything that drops as in training but for its randomness."""
    gradients = []
    for plainly in (True, False):
        work = MGDWork("demo", 64)
        side = work.side(plainly, 2, torch.device("cuda"))
        side.loss().backward()
        student = side.trained if plainly else side.trained.student
        gradients.append(torch.nn.utils.parameters_to_vector(p.grad for p in student.parameters()))
    assert (gradients[0] - gradients[1]).norm() < 1e-2 * gradients[0].norm()
