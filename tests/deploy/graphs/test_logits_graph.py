"""Students outside the kit. Skipped, with the reason, where the extra "export" is not installed."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from example_run import on_turned_photo
from PIL import Image
from shared import made_once

import kit
from kit.__main__ import main
from kit.data.reading.decode import read_image
from kit.deploy.graphs import logits_graph as ex
from kit.deploy.graphs import onnx_graph
from kit.deploy.graphs.example_check import graph_size
from kit.errors import KitError
from kit.models.build import build_model
from kit.settings.run import ModelConfig

try:
    onnx_graph.require_packages()
except KitError as missing:
    pytest.skip(str(missing), allow_module_level=True)

from kit.deploy.graphs import example_protocol  # it needs onnxruntime


@pytest.fixture
def exported(finished, tmp_path_factory):
    """Function (student) -> folder of its run and folder of its export, made once, by the command line."""

    def folders(student):
        def make(folder):
            shutil.copytree(finished(student), folder / "run")
            command = ["export", str(folder / "run"), "--out", str(folder / "export"), "--images", "2", "--logits"]
            assert main(command) == 0

        folder = made_once(tmp_path_factory, f"logits_{student}", make)
        return folder / "run", folder / "export"

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


@pytest.mark.slow
@pytest.mark.parametrize("student", ["deeplab_demo", "tinyvit_demo"])
def test_the_example_gives_the_masks_of_predict_from_any_folder(exported, scenes, tmp_path, student):
    run, out = exported(student)
    found = json.loads((out / "export.json").read_text())["check"]["example"]
    assert found["pictures"] == 2 and found["agreement"] >= found["worst"] >= 0.999 and found["remark"] == ""
    printed = on_turned_photo(out, scenes, tmp_path, "mask.png")
    assert printed.startswith("(150, 70) ") and "%" in printed
    mask, ours = Image.open(tmp_path / "mask.png"), kit.load(run).predict(tmp_path / "turned.jpg")
    assert mask.mode == "P" and (np.asarray(mask) == ours).mean() >= 0.999


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"mode": "slide", "window": (48, 64), "stride": (20, 40)},
        {"mode": "slide", "window": (96, 64), "flip": True},  # taller than the picture
        {"mode": "slide", "window": (96, 64), "pad": "centre", "combine": "logits"},
        {"scales": (0.5, 1.0), "flip": True},
        {"scales": (0.5, 1.0), "combine": "logits"},
    ],
)
def test_the_example_shows_pictures_as_the_protocol_says(exported, scenes, asked):
    run, out = exported("deeplab_demo")
    student = kit.load(run)
    cfg = replace(student.config.evaluate, **asked)
    student.config = replace(student.config, data=replace(student.config.data, base_size=None), evaluate=cfg)
    session, *_ = example_protocol.open_student(out / "student.onnx")
    settings = ex.settings_of(student, (64, 128), free=True)
    path = next((scenes / "leftImg8bit/val").rglob("*.png"))
    picture = example_protocol.read_picture(path).crop((3, 5, 120, 62))
    assert (example_protocol.predict(session, settings, picture) == student.predict(picture)).mean() >= 0.999


@pytest.mark.slow
def test_the_example_keeps_the_aspect_of_pictures_where_the_run_did(exported, scenes):
    run, out = exported("deeplab_demo")
    student = kit.load(run)
    student.config = replace(student.config, data=replace(student.config.data, base_size=(48, 80), keep_aspect=True))
    session, *_ = example_protocol.open_student(out / "student.onnx")
    settings = ex.settings_of(student, (64, 128), free=True)
    path = next((scenes / "leftImg8bit/val").rglob("*.png"))
    for picture in (example_protocol.read_picture(path), example_protocol.read_picture(path).resize((75, 131))):
        size = example_protocol.working_size(settings, picture.height, picture.width)
        assert min(size) == 48 and tuple(student.prepare(picture).shape[-2:]) == size
        assert (example_protocol.predict(session, settings, picture) == student.predict(picture)).mean() >= 0.999
    assert graph_size(student, [path]) == (48, 96) and ex.settings_of(student, (48, 96), free=False)["remark"]


@pytest.mark.slow
def test_a_graph_of_one_size_sees_other_pictures_in_windows_and_says_so(exported, scenes):
    run, out = exported("tinyvit_demo")
    student = kit.load(run)
    student.config = replace(student.config, data=replace(student.config.data, base_size=None))
    settings = ex.settings_of(student, (64, 128), free=False)
    assert settings["remark"].startswith("the exported network takes only 64 x 128: ")
    session, *_ = example_protocol.open_student(out / "student.onnx")
    path = next((scenes / "leftImg8bit/val").rglob("*.png"))
    assert graph_size(student, [path]) == (64, 128) and graph_size(student) == (64, 64)
    whole = example_protocol.read_picture(path)
    assert (example_protocol.predict(session, settings, whole) == student.predict(whole)).mean() >= 0.999
    wide = whole.resize((200, 90))
    cfg = replace(student.config.evaluate, mode="slide", window=(64, 128))
    student.config = replace(student.config, evaluate=cfg)
    assert (example_protocol.predict(session, settings, wide) == student.predict(wide)).mean() >= 0.999
    assert ex.settings_of(student, (64, 128), free=False)["remark"] == ""


def test_the_example_reads_pictures_as_the_kit_does(tmp_path):
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 65536, (6, 9), np.uint16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    Image.fromarray(rng.integers(0, 256, (6, 9, 4), np.uint8)).save(tmp_path / "clear.png")
    Image.fromarray(rng.integers(0, 256, (6, 9), np.uint8)).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(rng.integers(0, 256, (6, 9, 4), np.uint8), "CMYK").save(tmp_path / "print.jpg")
    for path in tmp_path.iterdir():
        assert np.array_equal(np.asarray(example_protocol.read_picture(path)), read_image(path)), path.name


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
        torch.testing.assert_close(onnx_graph.exportable(net)(images).logits, net(images).logits, rtol=1e-4, atol=1e-5)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(onnx_graph, "NEEDED", ("onnx", "surely_absent"))
    with pytest.raises(KitError, match=r"surely_absent; install the extra: pip install -e '.\[export\]'"):
        onnx_graph.require_packages()
