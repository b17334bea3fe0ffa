"""Graphs from pixels to class ids, in float and in 8 bits. Skipped where the extra "export" is not installed."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from example_run import on_turned_photo
from PIL import Image

import kit
from kit.__main__ import main
from kit.deploy.card import as_text, make_card
from kit.deploy.graphs import int8
from kit.deploy.graphs.onnx_graph import open_graph, require_packages
from kit.errors import KitError

try:
    require_packages()
except KitError as missing:
    pytest.skip(str(missing), allow_module_level=True)

from kit.deploy.graphs.bundle import bundle, check
from kit.deploy.graphs.example_check import example_module
from kit.deploy.graphs.picture_graph import PictureGraph, pictures_to_onnx, takes_any_size, trace_pictures
from kit.deploy.graphs.quantise import calibrate, changed, classes_of, find_layers, quantised


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """A run, and the folder of its export in both forms, whatever 8 bits gain here."""
    run, out = finished("deeplab_demo"), tmp_path_factory.mktemp("exports") / "deeplab"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8, "GAIN", 0.0)
        command = ["export", str(run), "--out", str(out), "--images", "2", "--int8", "--max-drop", "100"]
        assert main(command) == 0
    return run, out


def test_a_folder_segments_photographs_without_the_kit(exported, scenes, tmp_path):
    run, out = exported
    record = json.loads((out / "export.json").read_text())
    assert json.loads((run / "export.json").read_text()) == record
    assert record["size"] is None and record["check"]["images"] == 3  # and one of a size that no file has
    assert min(record["check"]["agreement"], record["check"]["program_agreement"]) >= 0.999
    labels = json.loads((out / "labels.json").read_text())
    student = kit.load(run)
    assert labels["classes"] == student.classes and labels["palette"] == student.palette

    printed = on_turned_photo(out, scenes, tmp_path, "over.png")
    assert "%" in printed and Image.open(tmp_path / "over.png").size == (70, 150)
    module = example_module(out)
    ours = student.predict(tmp_path / "turned.jpg")
    assert (module.predict(module.read(tmp_path / "turned.jpg")) == ours).mean() >= 0.999
    overlay = student.predict(tmp_path / "turned.jpg", overlay=True).astype(int)
    assert np.abs(np.asarray(Image.open(tmp_path / "over.png")).astype(int) - overlay).max() <= 1


def test_a_size_without_pixels_is_refused(exported, tmp_path):
    with pytest.raises(KitError, match="width must be above 0"):
        bundle(exported[0], tmp_path, size=(64, -64))


def test_a_check_on_noise_is_not_called_one_on_pictures(finished, tmp_path, capsys):
    run = finished("deeplab_demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kit.deploy.graphs.bundle.program_bytes", lambda program: b"")
        assert main(["export", str(run), "--out", str(tmp_path / "e"), "--images", "2", "--size", "33", "65"]) == 0
    assert "against predict on 2 images of noise" in capsys.readouterr().out  # no val image has this size
    assert json.loads((tmp_path / "e/export.json").read_text())["check"]["noise"]


def test_the_card_of_a_run_names_its_export(exported):
    run, out = exported
    check = json.loads((out / "export.json").read_text())["check"]
    text = as_text(make_card(run, (64, 64), repeats=2))
    assert f"{check['agreement']:.3%} of pixels agree, {check['worst']:.3%} on the worst" in text


@pytest.mark.parametrize("mode", ["L", "CMYK", "I;16", "P"])
def test_the_example_reads_every_kind_of_picture(exported, tmp_path, mode):
    pixels = np.random.default_rng(0).integers(0, 65536 if mode == "I;16" else 256, (40, 60), np.uint16)
    picture = Image.fromarray(pixels) if mode == "I;16" else Image.fromarray(pixels.astype(np.uint8)).convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    picture.save(path)
    module = example_module(exported[1])
    assert (module.predict(module.read(path)) == kit.load(exported[0]).predict(path)).mean() >= 0.999


def test_what_is_no_picture_is_named_and_nothing_written(exported, tmp_path):
    module = example_module(exported[1])
    whole = tmp_path / "whole.png"
    Image.effect_noise((90, 60), 50).convert("RGB").save(whole)
    (tmp_path / "half.png").write_bytes(whole.read_bytes()[:2000])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    Image.new("1", (60_000, 2)).save(tmp_path / "wide.png")
    for name in ("half", "text", "empty", "wide", "absent"):
        with pytest.raises(SystemExit, match=f"{name}.png cannot be read: "):
            module.main(tmp_path / f"{name}.png", tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_eight_bits_are_reported_and_compute_in_eight_bits(exported):
    import onnx

    run, out = exported
    record = json.loads((out / "export.json").read_text())["int8"]
    assert record["kept"] and record["float_layers"] == [] and record["bytes"]["int8"] < record["bytes"]["float"]
    assert record["drop"] == pytest.approx(100 * (record["miou"]["float"] - record["miou"]["int8"]))
    assert record["images"]["val"] == 3 and record["latency"]["int8"]["p50"] > 0
    nodes = onnx.load(out / "student_int8.onnx").graph.node
    convs = sum(node.op_type == "Conv" for node in nodes)
    assert sum(node.op_type == "DequantizeLinear" for node in nodes) > convs > 10
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 128, 3), np.uint8)
    ids = [classes_of(open_graph(out / name), [picture]) for name in ("student.onnx", "student_int8.onnx")]
    assert changed(*ids) < 0.5


def test_eight_bits_that_are_no_gain_or_lose_too_much_are_left(exported, finished, tmp_path, monkeypatch, capsys):
    run = finished("deeplab_demo")
    monkeypatch.setattr(int8, "GAIN", 1e9)
    out = tmp_path / "out"
    out.mkdir()
    (out / "student_int8.onnx").write_bytes(b"of an earlier export")
    assert main(["export", str(run), "--out", str(out), "--images", "0", "--int8"]) == 0
    assert "no graph in 8 bits, float is kept: with every layer in 8 bits" in capsys.readouterr().out
    assert (out / "student.onnx").is_file() and not (out / "student_int8.onnx").exists()

    train, val = [(np.zeros((1, 32, 64, 3), np.uint8), np.zeros((32, 64), np.uint8))] * 2, []
    monkeypatch.setattr(int8, "GAIN", 0.0)
    monkeypatch.setattr(int8, "sensitivity", lambda best, *_: {layer.name: i for i, layer in enumerate(best.layers)})
    made = int8.to_int8((exported[1] / "student.onnx").read_bytes(), train, val, ["a"] * 19, max_drop=-1)
    assert made.model is None and "layers in float it loses more than -1 points" in made.record["reason"]
    count, left = made.record["layers"], made.record["float_layers"]
    assert len(left) == int8.shares_left(count)[-1] and left[0] == find_last(exported[1])


def find_last(out):
    import onnx

    layers = find_layers(onnx.load(out / "student.onnx"))
    assert len({layer.name for layer in layers}) == len(layers)
    return layers[-1].name


def test_layers_left_in_float_compute_in_float(exported):
    model = (exported[1] / "student.onnx").read_bytes()
    pictures = [np.random.default_rng(i).integers(0, 256, (1, 64, 128, 3), np.uint8) for i in range(2)]
    calibrated = calibrate(model, pictures, "percentile")
    exact = classes_of(open_graph(model), pictures)
    assert changed(classes_of(open_graph(quantised(calibrated, [])), pictures), exact) < 1e-3
    assert quantised(calibrated, calibrated.layers[:2]).count(b"QuantizeLinear") < quantised(
        calibrated, calibrated.layers
    ).count(b"QuantizeLinear")


@pytest.mark.slow
def test_the_protocol_is_inside_the_graph(finished, scenes):
    student = kit.load(finished("deeplab_demo"))
    cfg = replace(student.config.evaluate, flip=True, mode="slide", window=(64, 64), combine="logits")
    student.config = replace(student.config, data=replace(student.config.data, base_size=None), evaluate=cfg)
    assert not takes_any_size(student)
    graph = PictureGraph(student, (60, 90), probabilities=True)
    session = open_graph(pictures_to_onnx(trace_pictures(graph, (60, 90)), True).SerializeToString())
    picture = np.asarray(Image.open(next((scenes / "leftImg8bit/val").rglob("*.png"))).convert("RGB"))[:60, 5:95]
    ids, probabilities = session.run(None, {"pictures": np.ascontiguousarray(picture[None])})
    assert ids.dtype == np.uint8 and (ids[0] == student.predict(picture)).mean() >= 0.999
    assert np.abs(probabilities[0] - student.probabilities(picture).numpy()).max() < 1e-3


def test_a_graph_that_disagrees_is_refused(exported):
    run, out = exported
    student, program = kit.load(run), torch.export.load(out / "student.pt2")
    model, pictures = (out / "student.onnx").read_bytes(), [np.zeros((64, 128, 3), np.uint8)]
    assert check(student, model, program, pictures)["agreement"] >= 0.999
    student.predict = lambda picture: np.full(picture.shape[:2], 18, np.uint8)
    with pytest.raises(KitError, match="nothing was written"):
        check(student, model, program, pictures)


def test_a_run_evaluated_in_bfloat16_is_exported_in_float32(exported):
    run, out = exported
    student, program = kit.load(run), torch.export.load(out / "student.pt2")
    student.config = replace(student.config, evaluate=replace(student.config.evaluate, precision="bf16"))
    picture = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    assert (student.predict(picture) != kit.load(run).predict(picture)).mean() > 0.001  # more than a check tolerates
    assert check(student, (out / "student.onnx").read_bytes(), program, [picture])["worst"] >= 0.999
    assert student.config.evaluate.precision == "bf16"


def test_a_graph_takes_several_pictures_at_once(exported):
    run, out = exported
    pictures = torch.randint(0, 256, (3, 70, 90, 3), dtype=torch.uint8)
    (ids,) = open_graph(out / "student.onnx").run(None, {"pictures": pictures.numpy()})
    student = kit.load(run)
    assert all((ids[i] == student.predict(pictures[i].numpy())).mean() > 0.998 for i in range(3))
