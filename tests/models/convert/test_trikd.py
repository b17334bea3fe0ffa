import re

import numpy as np
import pytest
import torch

import kit
from kit.__main__ import main
from kit.errors import KitError
from kit.models.build import build_model
from kit.models.convert import trikd
from kit.models.convert.families import convert
from kit.models.convert.imported import read_checkpoint
from kit.settings.run import ModelConfig

BACK = (  # this kit's names -> the authors', as their modules nest
    (r"encoder\.patch_embed\.conv(\d)\.(conv|bn)", lambda m: f"encoder.patch_embed.seq.{2 * int(m[1]) - 2}.{m[2]}"),
    (r"encoder\.stages\.(\d)\.downsample", lambda m: f"encoder.layers.{int(m[1]) - 1}.downsample"),
    (r"encoder\.stages\.", lambda m: "encoder.layers."),
    (r"(encoder\.(?:layers|patch_embed).*)\.conv\.(?=weight)", lambda m: f"{m[1]}.c."),
    (r"encoder\.net\.", lambda m: "encoder."),
    (r"encoder\.reduce\.(\d)", lambda m: f"neck.lateral_convs.{m[1]}"),
    (r"encoder\.smooth\.(\d)", lambda m: f"neck.convs.{m[1]}"),
    (r"decoder\.laterals\.(\d)\.attend", lambda m: f"decoder.lateral_convs.{m[1]}.conv_atten"),
    (r"decoder\.laterals\.(\d)\.project", lambda m: f"decoder.lateral_convs.{m[1]}.conv"),
    (r"decoder\.laterals\.3\.pools\.(\d)\.1\.([01])", lambda m: f"decoder.psp_module.features.{m[1]}.{int(m[2]) + 1}"),
    (r"decoder\.laterals\.3\.fuse", lambda m: "decoder.psp_bottleneck"),
    (r"decoder\.smooth", lambda m: "decoder.fpn_convs"),
    (r"decoder\.down", lambda m: "decoder.down_convs"),
    (r"decoder\.fuse", lambda m: "decoder.fpn_bottleneck"),
    (r"((?:neck|fpn_convs|psp_bottleneck|fpn_bottleneck).*)\.0\.(?=weight)", lambda m: f"{m[1]}.conv."),
    (r"((?:neck|fpn_convs|psp_bottleneck|fpn_bottleneck).*)\.1\.(?=[a-z_]+$)", lambda m: f"{m[1]}.bn."),
    (r"^classify", lambda m: "decoder.cls_seg.1"),
)


def theirs(net):
    """A state dict under the authors' names."""
    renamed = {}
    for name, value in net.state_dict().items():
        for pattern, replacement in BACK:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value.clone()
    return renamed


@pytest.fixture(scope="module")
def checkpoint():
    """What the authors save, with networks of the demo's sizes behind the published names."""
    patch = pytest.MonkeyPatch()
    small = {"tinyvit_11m": "tinyvit_demo", "resnet101": "resnet_demo", "deit_b": "deit_demo"}
    build = {name: convert_builder(demo) for name, demo in small.items()}
    patch.setattr("kit.models.build.MODELS", build)
    patch.setattr(trikd, "_STUDENTS", {64: "tinyvit_11m"})
    nets = [build_model(cfg, 19, False) for cfg in (ModelConfig(name=n, **o) for n, o in (
        ("tinyvit_11m", {"last_block": "global"}), ("resnet101", {}), ("deit_b", {"grid": (6, 6)})))]  # fmt: skip
    tiny, cnn, vit = (theirs(net) for net in nets)
    tiny |= {"low_head.weight": torch.randn(24, 24, 1, 1), "low_head.bias": torch.randn(24)}
    tiny |= {"high_head.weight": torch.randn(4, 4, 1, 1), "high_head.bias": torch.randn(4)}
    vit["encoder.cls_token"] = torch.randn(1, 1, 96)
    vit["encoder.pos_embed"] = torch.cat([torch.randn(1, 1, 96), vit["encoder.pos_embed"]], 1)
    parts = {"model_tiny": tiny, "model_cnn": cnn, "model_vit": vit}
    saved = {part: {f"module.{k}": v for k, v in weights.items()} for part, weights in parts.items()}
    yield saved | {"optimizer_tiny": {"state": {}}, "epoch": 7, "previous_best": np.float64(70.5)}, nets
    patch.undo()


def convert_builder(demo):
    from kit.models.build import MODELS

    return MODELS[demo]


def test_every_weight_arrives_and_every_key_is_accounted_for(checkpoint):
    saved, nets = checkpoint
    imported = convert("trikd", saved)
    assert imported.num_classes == 19 and list(imported.nets) == ["student", "teacher_cnn", "teacher_vit"]
    for mine, net in zip(imported.nets.values(), nets, strict=True):
        for name, value in net.state_dict().items():
            assert torch.equal(mine.state_dict()[name], value), name
    assert {k: list(v.shape) for k, v in imported.projections.items()} == {
        "low.weight": [24, 24, 1, 1], "low.bias": [24], "high.weight": [4, 4, 1, 1], "high.bias": [4]}  # fmt: skip
    left_out = {key["source"]: key["note"] for key in imported.keys if key["target"] is None}
    assert left_out.keys() == {"encoder.cls_token", "optimizer_tiny", "epoch", "previous_best"}
    assert all(left_out.values()) and len(imported.keys) == sum(len(saved[p]) for p in saved if "model" in p) + 3


def test_the_networks_are_set_to_compute_what_the_authors_do(checkpoint):
    student, cnn, vit = convert("trikd", checkpoint[0]).configs.values()
    assert {c.filter_centre for c in (student, cnn, vit)} == {"official"} and student.last_block == "global"
    assert vit.pyramid == "official" and vit.grid == (6, 6)


def test_a_bare_student(checkpoint):
    bare = {k.removeprefix("module."): v for k, v in checkpoint[0]["model_tiny"].items()}
    assert list(convert("trikd", bare).nets) == ["student"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("module.decoder.down_convs.1.bias"), "student: the checkpoint lacks .*'decoder.down.1.bias'"),
        (lambda w: w.update({"module.decoder.extra.weight": torch.ones(1)}), "unknown key 'decoder.extra.weight'"),
        (lambda w: w.update({"module.low_head.scale": torch.ones(1)}), "unknown key 'low_head.scale'"),
        (lambda w: w.update({"module.decoder.down_convs.1.bias": torch.ones(2)}), r"'decoder.down.1.bias'.* \(2,\)"),
        (lambda w: w.update({"module.encoder.layers.0.blocks.9.conv1.c.weight": torch.ones(1)}), "has no place"),
        (lambda w: w.update({"module.decoder.lateral_convs.2.conv_atten.weight": torch.ones(9, 9)}), "9 channels"),
        (lambda w: w.clear(), "lacks 'decoder.lateral_convs"),
    ],
)
def test_what_does_not_fit_is_named(checkpoint, change, message):
    broken = {**checkpoint[0], "model_tiny": dict(checkpoint[0]["model_tiny"])}
    change(broken["model_tiny"])
    with pytest.raises(KitError, match=message):
        convert("trikd", broken)


def test_foreign_files_and_names_are_refused(checkpoint, tmp_path):
    with pytest.raises(KitError, match="unknown family of weights 'tri'; choose one of: .*trikd"):
        convert("tri", {})
    with pytest.raises(KitError, match="no model_tiny among epoch"):
        convert("trikd", {"epoch": 3})
    with pytest.raises(KitError, match="unknown key 'model_ema' beside"):
        convert("trikd", {**checkpoint[0], "model_ema": {}})
    with pytest.raises(KitError, match="no file"):
        read_checkpoint(tmp_path / "absent.pth")
    torch.save({"model_tiny": print}, tmp_path / "code.pth")
    (tmp_path / "picture.pth").write_bytes(b"\x89PNG\r\n")
    for name in ("code.pth", "picture.pth"):
        with pytest.raises(KitError, match=f"{name} is not a checkpoint of tensors") as raised:
            read_checkpoint(tmp_path / name)
        assert "weights_only" not in str(raised.value)  # no advice to run what the file holds


def test_from_the_command_line_to_a_student_that_predicts(checkpoint, tmp_path, capsys):
    saved, nets = checkpoint
    torch.save(saved, tmp_path / "latest.pth")
    out = tmp_path / "imported"
    command = ["import-weights", "trikd", str(tmp_path / "latest.pth"), "--out", str(out)]
    assert main([*command, "--dataset", "camvid"]) == 2 and not out.exists()
    assert "predicts 19 classes, but camvid has 11" in capsys.readouterr().err
    assert main(command) == 0
    assert "encoder.cls_token -> left out" in capsys.readouterr().out
    written = {path.stem for path in out.glob("*.safetensors")}
    assert written == {"student", "teacher_cnn", "teacher_vit", "projections"}
    student = kit.load(out)
    assert str(student).splitlines()[2].endswith(f" into {out}")
    image = torch.randint(0, 255, (3, 64, 96), dtype=torch.uint8)
    assert student.classes[0] == "road" and student.predict(image).shape == (64, 96)
    assert student.config.student.last_block == "global" and student.config.method.vit.pyramid == "official"
    assert main(command) == 2 and "already holds a run" in capsys.readouterr().err
