import re

import pytest
import torch
import torch.nn.functional as F

import kit
from kit.__main__ import main
from kit.errors import KitError
from kit.models.build import MODELS, build_model
from kit.models.convert.families import convert
from kit.settings.run import ModelConfig

BACK = (  # this kit's names -> the authors', as their modules nest
    (r"encoder\.net\.", "backbone."),
    (r"decoder\.aspp\.convs\.([0-3])\.0", r"head.aspp.map_convs.\1"),
    (r"decoder\.aspp\.convs\.4\.1", "head.aspp.global_pooling_conv"),
    (r"decoder\.aspp\.convs\.4\.2", "head.aspp.global_pooling_bn"),
    (r"decoder\.aspp\.project\.1", "head.aspp.red_bn"),
    (r"decoder\.reduce", "head.reduce"),
    (r"decoder\.fuse\.([01])", r"head.last_conv.\1"),
    (r"decoder\.refine\.0", "head.last_conv.3"),
    (r"decoder\.refine\.1", "head.last_conv.4"),
    (r"^classify", "classifier"),
)


def theirs(net):
    """A state dict under the authors' names: one batch norm for four convolutions, the projection in two."""
    state = {name: value.clone() for name, value in net.state_dict().items()}
    project = state.pop("decoder.aspp.project.0.weight")
    width = len(project)
    split = {
        "head.aspp.red_conv.weight": project[:, : 4 * width],
        "head.aspp.pool_red_conv.weight": project[:, 4 * width :],
    }
    for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        parts = [state.pop(f"decoder.aspp.convs.{i}.1.{name}") for i in range(4)]
        split[f"head.aspp.map_bn.{name}"] = torch.cat(parts) if parts[0].ndim else parts[0]
    for name, value in state.items():
        for pattern, replacement in BACK:
            name = re.sub(pattern, replacement, name)
        split[name] = value
    return split


def mobile(index):
    """Where the kit keeps what torchvision's MobileNetV2 has under features.index."""
    first = [0, 1, 3, 6, 10, 13, 16]
    stage = max(i for i in range(7) if first[i] < index)
    return f"encoder.net.blocks.{stage}.{index - 1 - first[stage]}"


def trained(net):
    """Batch norm as if it had been trained."""
    for name, value in net.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif name.endswith("running_mean"):
            value.normal_(0.0, 0.3)
        elif name.endswith("num_batches_tracked"):
            value.fill_(7)
        elif value.ndim == 1:
            value.uniform_(0.5, 1.5)
    return net.eval()


def network(name):
    return trained(build_model(ModelConfig(name=name, head="official", encoder="official", dropout=0.0), 19, False))


@pytest.fixture
def checkpoint(monkeypatch):
    """What the authors save for a student, with networks of the demo's sizes behind the published names."""
    small = {"deeplab_resnet18": "deeplab_demo", "deeplab_wide_resnet50": "deeplab_wide_demo",
             "deeplab_resnet101": "deeplab_deep_demo"}  # fmt: skip
    monkeypatch.setattr("kit.models.build.MODELS", {name: MODELS[demo] for name, demo in small.items()})
    nets = [network(name) for name in small]
    saved = {}
    for i, net in enumerate(nets, 1):
        saved |= {f"branch{i}.{name}": value for name, value in theirs(net).items()}
    saved |= {"branch2.backbone.fc.weight": torch.ones(10, 4), "branch2.backbone.fc.bias": torch.ones(10)}
    return {"model": saved, "optimizer_l": {"state": {}}, "epoch": 3, "iteration": 70}, nets


@pytest.mark.parametrize("prefix", ["", "module."])
def test_every_weight_arrives_and_every_key_is_accounted_for(checkpoint, prefix):
    saved, nets = checkpoint
    imported = convert("mgd", saved | {"model": {prefix + name: value for name, value in saved["model"].items()}})
    assert list(imported.nets) == ["student", "teacher_wide", "teacher_deep"] and imported.num_classes == 19
    for mine, net in zip(imported.nets.values(), nets, strict=True):
        assert not mine.training
        for name, value in net.state_dict().items():
            assert torch.equal(mine.state_dict()[name], value), name
    assert {(c.head, c.encoder, c.dropout) for c in imported.configs.values()} == {("official", "official", 0.0)}
    left_out = {key["source"]: key["note"] for key in imported.keys if key["target"] is None}
    assert left_out.keys() == {"branch2.backbone.fc.weight", "branch2.backbone.fc.bias", "optimizer_l", "epoch",
                               "iteration"}  # fmt: skip
    assert all(left_out.values())
    assert {key["source"] for key in imported.keys} == {*saved["model"], "optimizer_l", "epoch", "iteration"}


def test_their_aspp_written_out_gives_the_same(checkpoint):
    """One batch norm over the concatenation, and two projections added: as the authors' module computes."""
    net = convert("mgd", checkpoint[0]).nets["student"].double()
    w = {
        name: value.double() for name, value in checkpoint[0]["model"].items() if name.startswith("branch1.head.aspp.")
    }
    w = {name.removeprefix("branch1.head.aspp."): value for name, value in w.items()}

    def norm(x, name):
        parts = (w[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.leaky_relu(F.batch_norm(x, *parts))

    x = torch.randn(2, net.encoder.channels[-1], 7, 9).double()
    dilations = (1, 1, 2, 3)  # the demo's
    maps = [F.conv2d(x, w[f"map_convs.{i}.weight"], padding=d * (i > 0), dilation=d) for i, d in enumerate(dilations)]
    pooled = F.conv2d(x.mean((2, 3), keepdim=True), w["global_pooling_conv.weight"])
    mixed = F.conv2d(norm(torch.cat(maps, 1), "map_bn"), w["red_conv.weight"])
    mixed = mixed + F.conv2d(norm(pooled, "global_pooling_bn"), w["pool_red_conv.weight"])
    torch.testing.assert_close(net.decoder.aspp(x), norm(mixed, "red_bn"))


def test_a_teacher_file_and_a_bare_dict_of_weights(checkpoint):
    weights = {name: value for name, value in checkpoint[0]["model"].items() if name.startswith("branch2")}
    copies = weights | {name.replace("branch2", "branch1"): value for name, value in weights.items()}
    imported = convert("mgd", copies)
    assert list(imported.nets) == ["student", "partner"]
    assert imported.configs["student"].name == "deeplab_wide_resnet50"


def test_mobilenet_goes_by_torchvisions_names():
    net = network("deeplab_mobilenetv2")
    within = [("conv_pwl", "conv.2"), ("bn3", "conv.3"), ("conv_dw", "conv.1.0"), ("bn2", "conv.1.1"),
              ("conv_pw", "conv.0.0"), ("bn1", "conv.0.1")]  # fmt: skip
    first = [("conv_dw", "conv.0.0"), ("bn1", "conv.0.1"), ("conv_pw", "conv.1"), ("bn2", "conv.2")]
    names = {"encoder.net.conv_stem": "backbone.features.0.0", "encoder.net.bn1": "backbone.features.0.1"}
    for index in range(1, 18):
        for mine, its in first if index == 1 else within:
            names[f"{mobile(index)}.{mine}"] = f"backbone.features.{index}.{its}"
    source = {}
    for name, value in theirs(net).items():
        name = name.replace("backbone.", "encoder.net.")
        place, _, leaf = name.rpartition(".")
        source[f"branch1.{names.get(place, place)}.{leaf}"] = value
    assert not any("encoder" in name for name in source)
    imported = convert("mgd", source | {"branch1.backbone.classifier.1.weight": torch.ones(1000, 1280)})
    images = torch.randn(1, 3, 64, 64)
    assert torch.equal(imported.nets["student"](images).logits, net(images).logits)
    with pytest.raises(KitError, match="unknown key 'backbone.features.18.0.weight'.*MobileNet"):
        convert("mgd", source | {"branch1.backbone.features.18.0.weight": torch.ones(1)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("branch1.head.reduce.0.weight"), "student: the checkpoint lacks .*'decoder.reduce.0.weight'"),
        (lambda w: w.pop("branch3.head.aspp.red_conv.weight"), "lacks 'head.aspp.red_conv.weight'"),
        (lambda w: w.pop("branch2.classifier.weight"), "lacks 'branch2.classifier.weight'"),
        (lambda w: w.update({"branch1.head.extra.weight": torch.ones(1)}), "unknown key 'head.extra.weight'"),
        (lambda w: w.update({"branch4.head.weight": torch.ones(1)}), "unknown key 'branch4.head.weight'"),
        (lambda w: w.update({"branch1.classifier.bias": torch.ones(2)}), r"'classify.bias'.* \(2,\)"),
        (lambda w: w.update({"branch1.backbone.layer9.0.conv1.weight": torch.ones(1)}), "unknown key 'backbone.layer9"),
        (lambda w: w.update({"branch1.backbone.layer1.9.conv1.weight": torch.ones(1)}), "has no place"),
    ],
)
def test_what_does_not_fit_is_named(checkpoint, change, message):
    broken = {**checkpoint[0], "model": dict(checkpoint[0]["model"])}
    change(broken["model"])
    with pytest.raises(KitError, match=message):
        convert("mgd", broken)


def test_foreign_files_are_refused(checkpoint):
    with pytest.raises(KitError, match="no branch1"):
        convert("mgd", {"model": {}})
    with pytest.raises(KitError, match="unknown key 'previous_best' beside the model"):
        convert("mgd", {**checkpoint[0], "previous_best": 1.0})


def test_from_the_command_line_to_teachers_that_can_be_named(checkpoint, tmp_path, capsys):
    saved, nets = checkpoint
    torch.save(saved, tmp_path / "epoch-last.pth")
    assert main(["import-weights", "mgd", str(tmp_path / "epoch-last.pth"), "--out", str(tmp_path / "mgd")]) == 0
    told = capsys.readouterr().out
    assert "branch2.backbone.fc.weight -> left out [10 x 4] classifier of ImageNet" in told
    images = torch.randn(1, 3, 64, 64)
    for folder, net in zip((".", "teacher_wide", "teacher_deep"), nets, strict=True):
        loaded = kit.load(tmp_path / "mgd" / folder)
        assert len(loaded.classes) == 19
        torch.testing.assert_close(loaded.net(images).logits, net(images).logits)
