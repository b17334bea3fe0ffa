import numpy as np
import pytest
import torch

from kit.errors import KitError
from kit.methods.build import build_method
from kit.settings.recipes import configure
from kit.settings.run import OptimConfig
from kit.train.optim import make_optimizer, poly_lr, set_lr
from kit.types import Batch, Progress


def test_the_schedule_by_hand():
    assert poly_lr(0, 100) == 1.0 and poly_lr(100, 100) == 0.0 and poly_lr(120, 100) == 0.0
    assert poly_lr(50, 100) == pytest.approx(0.5**0.9)
    rates = [poly_lr(s, 100, warmup=10) for s in range(20)]
    assert rates[0] == pytest.approx(1 / 11) and rates[10] == pytest.approx(0.9**0.9) and max(rates) == rates[10]
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False))


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_every_parameter_is_in_one_group_and_norms_do_not_decay(name):
    method = build_method(configure(method="trikd", recipe="tiny"), 3)
    cfg = OptimConfig(name=name, lr=0.1, decoder_lr=10.0, weight_decay=0.3)
    optimizer = make_optimizer(cfg, method)
    listed = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(listed) == len({id(p) for p in listed}) == len(list(method.parameters()))
    where = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    for net in (method.student, method.cnn, method.vit):
        norm = next(m for m in net.encoder.modules() if isinstance(m, (torch.nn.BatchNorm2d, torch.nn.LayerNorm)))
        assert where[id(norm.weight)]["weight_decay"] == 0 and where[id(norm.weight)]["lr"] == 0.1
        assert where[id(net.classify.weight)]["weight_decay"] == 0.3 and where[id(net.classify.weight)]["lr"] == 1.0
    set_lr(optimizer, cfg, 50, 100)
    assert {round(group["lr"] / 0.5**0.9, 6) for group in optimizer.param_groups} == {0.1, 1.0}


def test_pretrained_layers_learn_the_slower_the_nearer_to_the_image():
    method = build_method(configure(method="trikd", recipe="tiny"), 3)
    cfg = OptimConfig(lr=1.0, encoder_lr=0.5, layer_decay=0.1, decoder_lr=2.0)
    where = {id(p): group["lr"] for group in make_optimizer(cfg, method).param_groups for p in group["params"]}

    def rate(module):
        found = {where[id(p)] for p in module.parameters()}
        assert len(found) == 1
        return found.pop()

    resnet, vit = method.cnn.encoder.net, method.vit.encoder
    stages = [rate(module) for module in (resnet.conv1, resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4)]
    assert stages == pytest.approx([0.5e-4, 0.5e-3, 0.5e-2, 0.05, 0.5])
    assert where[id(vit.pos_embed)] == rate(vit.patch_embed) == pytest.approx(0.5e-4)
    assert [rate(block) for block in vit.blocks] == pytest.approx([0.5e-3, 0.5e-2, 0.05, 0.5])
    assert rate(vit.reduce) == rate(vit.smooth) == rate(method.cnn.decoder) == 2.0  # new layers
    assert rate(method.student.encoder.patch_embed) == pytest.approx(0.5e-4)


def rates(cfg, method, step):
    """Rate of each network's classifier."""
    optimizer = make_optimizer(cfg, method)
    set_lr(optimizer, cfg, step, 100)
    where = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    return [where[id(net.classify.weight)] for net in (method.student, method.cnn, method.vit)]


def test_a_rate_may_come_late_or_stay_constant():
    method = build_method(configure(method="trikd", recipe="tiny"), 3)
    cfg = OptimConfig(lr=0.1, lag=1)
    assert rates(cfg, method, 0) == rates(cfg, method, 1) == [0.1] * 3
    assert rates(cfg, method, 50) == pytest.approx([0.1 * 0.51**0.9] * 3)
    assert rates(OptimConfig(lr=0.1, constant=("vit",)), method, 50) == pytest.approx([0.1 * 0.5**0.9] * 2 + [0.1])
    with pytest.raises(KitError, match="optim.constant 'deit'; choose one of: cnn, high, low, student, vit"):
        make_optimizer(OptimConfig(constant=("deit",)), method)


def test_everything_decays_if_asked():
    method = build_method(configure(method="supervised", recipe="tiny"), 3)
    decays = {group["weight_decay"] for group in make_optimizer(OptimConfig(decay_all=True), method).param_groups}
    assert decays == {1e-4}


def test_a_rate_of_0_freezes_pretrained_layers_with_their_statistics_and_nothing_else(tiny):
    method = build_method(tiny("trikd", {"optim.encoder_lr": 0.0}), 3).train()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    batch = Batch(torch.rand(2, 3, 64, 64), torch.randint(0, 3, (2, 64, 64)), torch.rand(2, 3, 64, 64),
                  torch.zeros(2, 0, 3, 64, 64), torch.ones(2, 64, 64, dtype=torch.bool))  # fmt: skip
    out = method(batch, Progress(1, 2, np.random.default_rng(0)))
    out.loss.backward()
    optimizer = make_optimizer(OptimConfig(name="adamw", encoder_lr=0.0), method)
    optimizer.step()
    new = {"vit": ("reduce", "smooth")}
    for name in before:
        net, part, child = (*name.split("."), "", "")[:3]
        if part == "encoder" and child not in new.get(net, ()):
            assert torch.equal(before[name], method.state_dict()[name]), name
    for net in (method.student, method.cnn, method.vit):
        assert not net(batch.images).maps[0].requires_grad or net is method.vit
        assert all(p.grad is not None for p in (*net.decoder.parameters(), *net.classify.parameters()))
        assert not torch.equal(before[f"{net_name(method, net)}.classify.weight"], net.classify.weight)
    assert all(p.grad is not None for p in method.vit.encoder.reduce.parameters())
    assert method.vit.encoder.smooth.training and not method.vit.encoder.blocks.training


def net_name(method, net):
    return next(name for name, child in method.named_children() if child is net)
