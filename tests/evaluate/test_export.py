"""Students outside the kit. Skipped, with the reason, where the extra "export" is not installed."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import kit
from kit.__main__ import main
from kit.config import ModelConfig
from kit.errors import KitError
from kit.evaluate import export as ex
from kit.models.build import build_model

try:
    ex.require_packages()
except KitError as missing:
    pytest.skip(str(missing), allow_module_level=True)


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """Function (student) -> folder of its run and folder of its export, made once, by the command line."""
    made = {}

    def folders(student):
        if student not in made:
            run, out = finished(student), tmp_path_factory.mktemp("exports") / student
            assert main(["export", str(run), "--out", str(out), "--images", "2"]) == 0
            made[student] = run, out
        return made[student]

    return folders


@pytest.mark.slow
@pytest.mark.parametrize("student, free", [("deeplab_demo", True), ("tinyvit_demo", False)])
def test_a_student_leaves_the_kit(exported, scenes, student, free):
    run, out = exported(student)
    record = json.loads((out / "export.json").read_text())
    assert json.loads((run / "export.json").read_text()) == record
    found = record["check"]
    assert found["images"] == 2 and found["agreement"] >= 0.999 and found["difference"] < 1e-3
    assert record["free"] == (["batch", "height", "width"] if free else ["batch"])
    assert found["batches"][2] == [2, 3, 64, 128] and ([1, 3, 128, 256] in found["batches"]) == free

    import onnxruntime

    session = onnxruntime.InferenceSession(str(out / "student.onnx"))
    known = session.get_modelmeta().custom_metadata_map
    loaded = kit.load(run)
    assert json.loads(known["classes"]) == loaded.classes and json.loads(known["palette"]) == loaded.palette
    assert known["input"].startswith("RGB, value / 255") and known["network"] == student
    with torch.no_grad():
        images = torch.rand(3, 3, 64, 128)
        logits = loaded.net(images).logits
    got = session.run(["logits"], {"images": images.numpy()})[0]
    assert np.abs(got - logits.numpy()).max() < 1e-3

    picture = next((scenes / "leftImg8bit/val").rglob("*.png"))
    spy = "import sys, runpy; sys.argv = ['example.py', sys.argv[1]]; runpy.run_path('example.py'); "
    spy += "assert 'kit' not in sys.modules and 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", spy, str(picture)], cwd=out, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(64, 128) ")


@pytest.mark.slow
def test_maps_are_filtered_without_fourier_transforms(exported):
    program = torch.export.load(exported("tinyvit_demo")[1] / "student.pt2")
    graphs = [part.graph for part in program.graph_module.modules() if isinstance(part, torch.fx.GraphModule)]
    called = {str(node.target) for graph in graphs for node in graph.nodes}
    assert not any("fft" in name for name in called) and any("matmul" in name or "bmm" in name for name in called)


@pytest.mark.slow
def test_an_export_that_computes_something_else_is_refused(exported):
    run, out = exported("deeplab_demo")
    net = kit.load(run).net
    with torch.no_grad():
        next(net.parameters()).add_(0.5)
    with pytest.raises(KitError, match="differs from PyTorch's"):
        ex.check(net, out, [torch.randn(1, 3, 64, 128)], free=False)


def test_what_an_export_works_at(finished):
    student = kit.load(finished("tinyvit_demo"))
    assert ex.working_size(student) == (64, 128)
    with pytest.raises(KitError, match="multiples of 32"):
        ex.export(finished("tinyvit_demo"), "nowhere", size=(60, 64))


@pytest.mark.parametrize("network", ["deeplab_resnet18", "deeplab_mobilenetv2", "timm/resnet18", "deit_demo"])
def test_a_network_to_be_exported_computes_the_same(network):
    net = build_model(ModelConfig(name=network), 4, pretrained=False).eval()
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(ex.exportable(net)(images), net(images).logits, rtol=1e-4, atol=1e-5)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(ex, "NEEDED", ("onnx", "surely_absent"))
    with pytest.raises(KitError, match=r"surely_absent; install the extra: pip install -e '.\[export\]'"):
        ex.require_packages()
