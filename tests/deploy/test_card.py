import json
from dataclasses import replace

import pytest
import torch
from torch import nn

import kit
from kit.__main__ import main
from kit.deploy import card, cost
from kit.errors import KitError
from kit.models.build import build_model
from kit.settings.run import DistillConfig, MGDConfig, ModelConfig, RunConfig, TriKDConfig


def test_operations_of_a_convolution_by_hand():
    net = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    assert cost.flops(net, (10, 20)) == 2 * 10 * 20 * 3 * 8 * 9


def test_attention_is_counted():
    net = build_model(ModelConfig(name="tinyvit_demo"), 3, pretrained=False).eval()
    without = cost.flops(net, (64, 64))
    for part in net.modules():
        if hasattr(part, "fused_attn"):
            part.fused_attn = False  # plain products instead
    assert cost.flops(net, (64, 64)) == without


def test_times_are_quartiles_of_what_was_timed():
    found = cost.time_of(nn.Conv2d(3, 4, 3), torch.zeros(2, 3, 16, 16), repeats=5)
    assert 0 < found["low"] <= found["median"] <= found["high"] and found["repeats"] == 5
    assert found["throughput"] == pytest.approx(2 / found["median"])


def test_who_stands_beside_a_student():
    beside = card.beside(RunConfig(method=TriKDConfig()))
    assert {role: cfg.name for role, cfg in beside.items()} == {"cnn": "resnet101", "vit": "deit_b"}
    assert "vit" not in card.beside(RunConfig(method=TriKDConfig(views=("student", "cnn"))))
    for method in (MGDConfig(), DistillConfig(deep="no/such/run")):
        assert {role: cfg.name for role, cfg in card.beside(RunConfig(method=method)).items()} == {
            "deep": "deeplab_resnet101", "wide": "deeplab_wide_resnet50"}  # fmt: skip
    assert card.beside(RunConfig()) == {}


def test_the_size_of_a_card_fits_the_teachers_too(finished, monkeypatch, tmp_path):
    """A DeepLabv3+ takes multiples of 16, TriKD's CNN and ViT only of 32."""
    student = kit.load(finished("deeplab_demo"))
    student.config = replace(
        student.config,
        data=replace(student.config.data, base_size=(64, 80)),
        method=TriKDConfig(cnn=ModelConfig(name="resnet_demo"), vit=ModelConfig(name="deit_demo")),
    )
    monkeypatch.setattr(card, "load", lambda run: student)
    monkeypatch.setattr(card, "cost", lambda net, cfg, size, repeats: {"size": size})
    made = card.make_card(tmp_path, repeats=2)
    assert made["size"] == [64, 96] and [net["size"] for net in made["networks"]] == 3 * [(64, 96)]
    assert card.make_card(tmp_path, repeats=2, teachers=False)["size"] == [64, 80]


@pytest.mark.slow
def test_a_card_of_a_student_and_its_teachers(finished, monkeypatch, capsys):
    run = finished("tinyvit_demo", "trikd")
    monkeypatch.setattr(cost, "BATCHES", (1, 2))
    assert main(["card", str(run), "--size", "64", "64", "--repeats", "2", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "student tinyvit_demo" in out and "vit deit_demo" in out and "card.pdf" in out
    found = json.loads((run / "card.json").read_text())
    student, cnn, vit = found["networks"]
    assert [net["role"] for net in found["networks"]] == ["student", "cnn", "vit"] and cnn["miou"] is None
    assert student["miou"] == json.loads((run / "result.json").read_text())["last"]["miou"]
    assert student["parameters"] > student["encoder_parameters"] > 0 and vit["flops"] > 0
    assert found["size"] == [64, 64] and found["device"]["type"] == "cpu" and found["export"] is None
    assert student["timing"].keys() == {"1", "2"}
    one, two = (student["timing"][batch]["peak_memory"] for batch in ("1", "2"))
    assert two >= one > 2 * student["parameters"]
    assert all((run / f"figures/card.{kind}").is_file() for kind in ("png", "pdf"))


def test_a_size_that_does_not_fit_is_refused(finished):
    for size in ((60, 64), (0, 0)):
        with pytest.raises(KitError, match="multiples of"):
            card.make_card(finished(), size)
