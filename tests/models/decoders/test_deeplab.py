import sys

import pytest
import timm
import torch
from torch import nn

from kit.errors import KitError
from kit.models.build import build_model
from kit.models.decoders.aspp import OfficialASPP, smp_aspp
from kit.models.layers.norm import PooledBatchNorm2d
from kit.settings.run import ModelConfig


def network(name, classes=3, **settings):
    return build_model(ModelConfig(name=name, **settings), classes, pretrained=False)


def shake(net):
    """Batch norm as if it had been trained."""
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.3)
            nn.init.normal_(part.running_mean, std=0.3)
            nn.init.uniform_(part.running_var, 0.5, 2.0)
    return net


@pytest.mark.parametrize("head", ["smp", "official"])
@pytest.mark.parametrize(
    ("name", "encoder", "whole"),  # millions, of the authors' networks
    [("resnet18", 11.20, 16.63), ("resnet101", 42.62, 59.47), ("wide_resnet50", 68.88, 85.73)],
)
def test_the_published_networks_have_the_published_size(name, encoder, whole, head):
    with torch.device("meta"):
        net = network(f"deeplab_{name}", 21, head=head, encoder=head.replace("smp", "timm"))
    unused = 2.049 if name == "wide_resnet50" else 0  # the authors carry its ImageNet classifier along
    counted = [sum(p.numel() for p in part.parameters()) / 1e6 + unused for part in (net.encoder, net)]
    assert counted == pytest.approx([encoder, whole], abs=0.01)
    assert net.encoder.strides == [4, 8, 16, 16] and net.multiple == 16


def test_both_heads_bear_the_same_names_and_differ_in_their_activation_alone():
    ours, theirs = smp_aspp(6, 4), OfficialASPP(6, 4)
    shake(theirs)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 6, 20, 24)
    assert not torch.allclose(ours.eval()(x), theirs.eval()(x))
    for part in theirs.modules():
        if isinstance(part, nn.LeakyReLU):
            assert part.negative_slope == 0.01
            part.negative_slope = 0.0
    for mode in (True, False):
        torch.testing.assert_close(ours.train(mode)(x), theirs.train(mode)(x))
    assert [conv[0].dilation[0] for conv in theirs.convs[:4]] == [1, 6, 12, 18]


def dilations(blocks):
    return [sorted({p.dilation[0] for p in b.modules() if isinstance(p, nn.Conv2d) and p.kernel_size == (3, 3)})
            for b in blocks]  # fmt: skip


def test_encoders_are_dilated_as_asked():
    even, official = (network("deeplab_resnet18", encoder=e).encoder.net for e in ("timm", "official"))
    assert dilations(even.layer4) == [[1, 2], [2]] and dilations(official.layer4) == [[2], [4]]
    assert [len(net.layer4[0].downsample) for net in (even, official)] == [3, 2]  # the pooling is gone
    mobile = network("deeplab_mobilenetv2", encoder="official", head="official")
    assert mobile.encoder.strides == [4, 8, 16, 32]
    assert dilations([*mobile.encoder.net.blocks[5], *mobile.encoder.net.blocks[6]]) == [[1], [2], [4], [8]]
    assert mobile.decoder.reduce[0].out_channels == 24
    assert network("deeplab_mobilenetv2").decoder.reduce[0].out_channels == 48


def test_an_official_resnet18_takes_torchvisions_weights_for_all_but_its_stem(tmp_path):
    source = timm.create_model("resnet18", num_classes=1000)
    torch.save(source.state_dict(), tmp_path / "resnet18.pth")
    cfg = ModelConfig(name="deeplab_resnet18", encoder="official", weights=str(tmp_path / "resnet18.pth"))
    net = build_model(cfg, 3, pretrained=True).encoder.net
    torch.testing.assert_close(net.layer4[1].conv2.weight, source.layer4[1].conv2.weight)
    torch.testing.assert_close(net.layer2[0].downsample[0].weight, source.layer2[0].downsample[0].weight)
    assert net.conv1[0].weight.shape == (32, 3, 3, 3)
    torch.save({"conv1.weight": source.conv1.weight}, tmp_path / "resnet18.pth")  # another network's file
    with pytest.raises(KitError, match="resnet18.pth does not fit resnet18.tv_in1k: .*Missing key"):
        build_model(cfg, 3, pretrained=True)


def test_the_classifier_starts_as_torchs_or_as_the_authors():
    """Of 256 channels: uniform in +- 1 / 16, or normal of variance 2 / 256."""
    torch.manual_seed(0)
    for start, deviation in (("torch", 1 / 16 / 3**0.5), ("kaiming", (2 / 256) ** 0.5)):
        weight = network("deeplab_resnet18", 21, classifier=start).classify.weight
        assert weight.std().item() == pytest.approx(deviation, rel=0.05) and abs(weight.mean().item()) < 0.005
        assert (weight.abs().max() <= 1 / 16) == (start == "torch")
    with pytest.raises(KitError, match="resnet_demo has no setting 'classifier'"):
        network("resnet_demo", classifier="kaiming")
    with pytest.raises(KitError, match="torch, kaiming"):
        ModelConfig(classifier="zeros")


def test_crops_of_one_pixel_more_than_a_multiple_are_taken_as_they_are():
    """As UniMatch's crops of 321 and 801; what the coarsest map does not see of 33 pixels is nothing."""
    net = network("deeplab_demo").train()
    out = net(torch.randn(2, 3, 33, 49))
    assert out.logits.shape == (2, 3, 33, 49) and [m.shape[-2:] for m in (out.maps[0], out.maps[-1])] == [
        (9, 13),
        (3, 4),
    ]
    out.logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    for size in ((34, 33), (47, 48)):
        with pytest.raises(KitError, match="multiples of 16"):
            net(torch.zeros(2, 3, *size))
    for name in ("resnet_demo", "tinyvit_demo", "deit_demo"):
        with pytest.raises(KitError, match="multiples of 32"):
            network(name).check_size(33, 33)


@pytest.mark.parametrize("name", ["deeplab_demo", "resnet_demo", "tinyvit_demo"])
@pytest.mark.parametrize("head", ["smp", "official"])
def test_one_image_trains(name, head):
    net = network(name, **({"head": head} if name.startswith("deeplab") else {}))
    pooled = [part for part in net.modules() if isinstance(part, PooledBatchNorm2d)]
    before = pooled[0].running_mean.clone()
    net.train()(torch.randn(1, 3, 64, 64)).logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert len(pooled) == 1 and torch.equal(pooled[0].running_mean, before)
    net(torch.randn(2, 3, 64, 64))
    assert not torch.equal(pooled[0].running_mean, before)


def test_pooled_batch_norm_is_plain_wherever_that_works():
    pooled, plain = shake(PooledBatchNorm2d(4)), nn.BatchNorm2d(4)
    plain.load_state_dict(pooled.state_dict())
    for x in (torch.randn(2, 4, 1, 1), torch.randn(1, 4, 2, 1)):
        assert torch.equal(pooled(x), plain(x)) and torch.equal(pooled.running_var, plain.running_var)
    one = torch.randn(1, 4, 1, 1)
    assert torch.equal(pooled.train()(one), plain.eval()(one))


def test_the_mean_of_all_logits_without_making_them():
    net = network("deeplab_demo").double().eval()
    images, valid = torch.randn(2, 3, 64, 48).double(), torch.rand(2, 64, 48) > 0.4
    valid[1] = False
    out = net(images)
    torch.testing.assert_close(net.predict_mean(out.features, (64, 48)), out.logits.mean((2, 3)))
    counted = net.predict_mean(out.features, (64, 48), valid)
    torch.testing.assert_close(counted[0], out.logits[0, :, valid[0]].mean(1))
    torch.testing.assert_close(counted[1], net.classify.bias)  # nothing to average


def test_any_timm_network_that_can_be_dilated_will_do_and_others_say_why_not():
    net = network("deeplab/mobilenetv2_050")
    assert net.encoder.strides == [4, 8, 16, 16] and net(torch.zeros(2, 3, 48, 32)).logits.shape == (2, 3, 48, 32)
    with pytest.raises(KitError, match="vit_tiny_patch16_224 has no form at output stride 16"):
        network("deeplab/vit_tiny_patch16_224")
    with pytest.raises(KitError, match="'official' is known for ResNets and MobileNetV2, not for efficientnet_b0"):
        network("deeplab/efficientnet_b0", encoder="official")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("deeplab_demo", {"selection": "plain"}, "no setting 'selection' .* only a network with the UPer decoder"),
        ("deeplab_demo", {"last_block": "global"}, "no setting 'last_block' .* only a TinyViTEncoder"),
        ("resnet_demo", {"head": "official"}, "no setting 'head' .* only a DeepLabv3"),
        ("deeplab_demo", {"head": "mine"}, "head must be one of smp, official"),
    ],
)
def test_settings_of_other_networks_are_refused(name, settings, message):
    with pytest.raises(KitError, match=message):
        network(name, **settings)


def test_without_segmentation_models_pytorch_the_official_head_still_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch.decoders.deeplabv3.decoder", None)
    with pytest.raises(KitError, match="needs segmentation_models_pytorch.* head to 'official'"):
        network("deeplab_demo")
    network("deeplab_demo", head="official")
