import copy

import pytest
import torch
from torch import nn

from kit.errors import KitError
from kit.models.build import build_model
from kit.models.followers import Averaged, Frozen
from kit.models.layers.fold_norm import fold_batch_norm
from kit.settings.run import ModelConfig


@pytest.fixture
def net():
    """A network whose batch norm does something, in float64."""
    net = build_model(ModelConfig(name="deeplab_wide_demo"), 3, pretrained=False).double()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.3)
            nn.init.uniform_(part.running_var, 0.5, 2.0)
    return net


IMAGES = torch.randn(2, 3, 64, 64, dtype=torch.float64)


class Pair(nn.Module):
    """A student and its teacher, as a method has them."""

    def __init__(self, teacher):
        super().__init__()
        student = build_model(ModelConfig(name="deeplab_demo", dropout=0.0), 3, False)
        self.student, self.teacher = student, teacher
        self.double()


@pytest.mark.parametrize("fused", [False, True])
def test_a_teacher_is_bit_identical_after_training(net, fused):
    pair = Pair(Frozen(net, fused=fused)).train()
    before = {name: value.clone() for name, value in pair.teacher.net.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in pair.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        told = pair.teacher(IMAGES)
        assert not told.logits.requires_grad and not pair.teacher.features(IMAGES).requires_grad
        (pair.student(IMAGES).logits - told.logits).square().mean().backward()
        optimiser.step()
    assert not any(part.training for part in pair.teacher.modules())
    after = pair.teacher.net.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_a_teacher_is_no_part_of_a_checkpoint(net):
    pair = Pair(Frozen(net))
    state = pair.state_dict()
    assert state and all(name.startswith("student.") for name in state)
    other = Pair(Frozen(copy.deepcopy(net).requires_grad_(False)))
    with torch.no_grad():
        other.teacher.net.classify.bias.add_(1.0)
    other.load_state_dict(state)  # strictly
    torch.testing.assert_close(other.teacher.net.classify.bias, net.classify.bias + 1.0)
    torch.testing.assert_close(other.student(IMAGES).logits, pair.student(IMAGES).logits)
    with pytest.raises(RuntimeError, match="student.classify.bias"):
        other.load_state_dict({name: value for name, value in state.items() if name != "student.classify.bias"})


def test_an_official_teacher_normalises_by_batch_drifts_and_is_saved(net):
    plain = copy.deepcopy(net).train()
    pair = Pair(Frozen(net, official=True)).train()
    mean = net.encoder.net.bn1.running_mean.clone()
    plain.dropout.eval()
    torch.testing.assert_close(pair.teacher(IMAGES).logits, plain.requires_grad_(False)(IMAGES).logits)
    assert not torch.equal(net.encoder.net.bn1.running_mean, mean)
    other = Pair(Frozen(copy.deepcopy(plain), official=True))
    other.load_state_dict(pair.state_dict())
    assert torch.equal(other.teacher.net.encoder.net.bn1.running_mean, net.encoder.net.bn1.running_mean)
    with pytest.raises(KitError, match="either fused or official"):
        Frozen(net, fused=True, official=True)


@pytest.mark.parametrize("name", ["deeplab_deep_demo", "deeplab/mobilenetv2_050", "resnet_demo"])
def test_folding_changes_nothing_but_rounding(name, net):
    net = build_model(ModelConfig(name=name), 3, pretrained=False).double().eval()
    norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm2d)]
    for part in norms:
        nn.init.normal_(part.running_mean, std=0.3)
        nn.init.uniform_(part.running_var, 0.5, 2.0)
    with torch.no_grad():
        want = net(IMAGES)
    got = Frozen(net, fused=True)(IMAGES)
    torch.testing.assert_close(got.logits, want.logits, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(got.features, want.features, rtol=1e-9, atol=1e-9)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in net.modules())


def test_what_cannot_be_folded_is_left():
    class Shared(nn.Module):
        """One convolution before two norms, and one norm that sees a sum."""

        def __init__(self):
            super().__init__()
            self.conv, self.other = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
            self.a, self.b, self.c = (nn.BatchNorm2d(3) for _ in range(3))

        def forward(self, x):
            return self.c(self.a(self.conv(x)) + self.b(self.conv(x)) + self.other(x))

    net = Shared().eval()
    for part in (net.a, net.b, net.c):
        nn.init.normal_(part.running_mean)
    x = torch.randn(1, 3, 4, 4)
    want = net(x)
    torch.testing.assert_close(fold_batch_norm(net, x)(x), want)
    assert all(isinstance(part, nn.BatchNorm2d) for part in (net.a, net.b, net.c))


def test_what_a_teacher_is_asked_for(net):
    teacher, valid = Frozen(net, fused=True), torch.rand(2, 64, 64) > 0.5
    out = teacher(IMAGES)
    assert torch.equal(teacher.labels(IMAGES), out.logits.argmax(1))
    torch.testing.assert_close(teacher.features(IMAGES), out.features)
    torch.testing.assert_close(teacher.mean_logits(IMAGES), out.logits.mean((2, 3)))
    torch.testing.assert_close(teacher.mean_logits(IMAGES, valid)[1], out.logits[1, :, valid[1]].mean(1))


def test_an_average_answers_with_the_weights_it_has_now():
    """TinyViT remembers in eval mode what it made of its attention biases."""
    net = build_model(ModelConfig(name="tinyvit_demo", d0_relative=True), 3, pretrained=False)
    average, images = Averaged(net, 0.0), torch.randn(2, 3, 64, 64)
    average(images)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter))
    average.update(net, 0)
    with torch.no_grad():
        torch.testing.assert_close(average(images).logits, net.eval()(images).logits)


@pytest.mark.parametrize("padded", [False, True])
def test_means_over_valid_pixels_need_no_logits_at_full_size(net, padded):
    valid = torch.ones(2, 64, 64, dtype=torch.bool)
    valid[:, 40:] = not padded
    teacher, images = Frozen(net), IMAGES
    logits = teacher(images).logits
    expected = torch.stack([x[:, v].mean(1) for x, v in zip(logits, valid, strict=True)])
    torch.testing.assert_close(teacher.mean_logits(images, valid), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = copy.deepcopy(teacher).float().mean_logits(images.float(), valid)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.double(), expected, rtol=0.2, atol=0.05)
