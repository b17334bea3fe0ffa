from dataclasses import replace

import numpy as np
import pytest
import torch

from kit.config import METHOD_CONFIGS, ModelConfig
from kit.errors import KitError
from kit.fields import replace_fields
from kit.losses.pseudo import cross_pseudo
from kit.methods.base import total
from kit.methods.build import METHODS, build_method
from kit.recipes import configure
from kit.types import IGNORE, Batch, Progress

CLASSES, SIDE = 3, 32


def batch(method, side=SIDE, pad=0):
    u = 2 if method.views.unlabelled else 0
    masks = torch.randint(0, CLASSES, (2, side, side))
    masks[:, :4] = IGNORE
    valid = torch.ones(u, side, side, dtype=torch.bool)
    valid[:, side - pad :] = False
    return Batch(
        torch.randn(2, 3, side, side), masks, torch.randn(u, 3, side, side), torch.zeros(u, 0, 3, side, side), valid
    )


def make(name, **changes):
    cfg = configure(method=name, recipe="demo", overrides={"method.ramp": 0.0} if name != "supervised" else None)
    return build_method(replace_fields(cfg, changes), CLASSES)


def at(step, total=10):
    return Progress(step, total, np.random.default_rng(0))


def gradients(loss, module):
    """Sum of absolute gradients that reach a module."""
    grads = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True, allow_unused=True)
    return sum(g.abs().sum().item() for g in grads if g is not None)


def test_every_method_has_settings_and_a_class():
    assert METHODS.keys() == METHOD_CONFIGS.keys()


@pytest.mark.parametrize("name", METHODS)
def test_finite_loss_that_falls_on_one_batch(name):
    method = make(name)
    step = batch(method)
    optimizer = torch.optim.AdamW(method.parameters(), 3e-3)
    masks = (step.images[:, 0] > 0).long()  # something that can be learnt in a dozen steps
    step = step._replace(masks=torch.where(step.masks == IGNORE, IGNORE, masks))
    losses = []
    for i in range(12):
        out = method(step, at(i))
        assert out.loss.dtype == torch.float32 and all(not part.requires_grad for part in out.parts.values())
        losses.append(out.parts["sup"].item())
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
    assert np.isfinite(losses).all() and losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_is_trained_and_the_student_is_what_is_kept(name):
    method = make(name)
    method(batch(method), at(0)).loss.backward()
    idle = [n for n, p in method.named_parameters() if p.grad is None]
    assert not idle and method.predictor() is method.student


@pytest.mark.parametrize("name", ["cps", "trikd"])
def test_the_ramp_raises_the_unlabelled_terms_and_nothing_else(name):
    method = make(name, **{"method.ramp": 0.5})
    step = batch(method)
    method.eval()  # the same logits every time
    losses = [method(step, at(i)).loss.item() for i in (0, 2, 5, 9)]
    parts = method(step, at(0)).parts
    assert losses[0] == pytest.approx(sum(v.item() for k, v in parts.items() if k.startswith("sup")), rel=1e-5)
    assert losses[0] < losses[1] < losses[2] == pytest.approx(losses[3])


def test_trikd_terms_reach_the_networks_they_should():
    method = make("trikd").eval()
    step = batch(method, side=64)  # the student's attention needs more than one token at stride 32
    images = torch.cat([step.images, step.weak])
    student, cnn, vit = method.student(images, True), method.cnn(images), method.vit(images, True)

    def reached(weight):
        """Networks whose gradient changes with the weight of one term."""
        found = set()
        for net in ("student", "cnn", "vit", "low", "high"):
            module = getattr(method, net)
            sizes = []
            for value in (0.1, 0.9):
                weights = {"cps_weight": 0.1, "low_weight": 0.1, "high_weight": 0.1}
                method.cfg = replace(method.cfg, **weights | {weight: value})
                sizes.append(gradients(method(step, at(0)).loss, module))
            if abs(sizes[1] - sizes[0]) > 1e-6 * max(sizes):
                found.add(net)
        return found

    assert reached("cps_weight") == {"student", "cnn", "vit"}
    assert reached("low_weight") == {"student", "low"}
    assert reached("high_weight") == {"student", "high"}
    torch.testing.assert_close(
        method(step, at(0)).parts["cps"],
        cross_pseudo([view.logits[2:] for view in (student, cnn, vit)], step.valid).detach(),
    )


@pytest.mark.parametrize(("weight", "part"), [("cps_weight", "cps"), ("low_weight", "low"), ("high_weight", "high")])
def test_trikd_terms_can_be_switched_off(weight, part):
    method = make("trikd", **{f"method.{weight}": 0.0})
    assert part not in method(batch(method), at(0)).parts


def test_trikd_needs_attention_on_both_sides_unless_the_term_is_off():
    with pytest.raises(KitError, match="resnet_demo has no attention.*high_weight"):
        make("trikd", **{"student.name": "resnet_demo"})
    method = make("trikd", **{"student.name": "resnet_demo", "method.high_weight": 0.0})
    assert set(method(batch(method), at(0)).parts) == {"sup", "sup_cnn", "sup_vit", "cps", "low"}


def test_padding_of_unlabelled_crops_is_not_taught():
    method = make("cps").eval()
    step = batch(method, pad=8)
    changed = step._replace(valid=torch.ones_like(step.valid))
    assert method(step, at(0)).parts["cps"] != method(changed, at(0)).parts["cps"]


def test_cps_starts_from_two_different_networks():
    method = make("cps")
    assert not torch.equal(method.student.classify.weight, method.partner.classify.weight)


def test_total_wants_a_weight_for_every_part():
    with pytest.raises(KitError, match="do not match"):
        total({"sup": torch.tensor(1.0)}, {"sup": 1.0, "cps": 0.1})
    out = total({"a": torch.tensor(2.0, requires_grad=True), "b": torch.tensor(3.0)}, {"a": 0.5, "b": 2.0})
    assert out.loss.item() == 7.0 and out.parts["a"].item() == 2.0


def test_networks_come_from_the_configuration():
    method = make("trikd", **{"method.cnn.selection": "plain"})
    assert isinstance(method.cfg.cnn, ModelConfig)
    kinds = [type(net.decoder.laterals[0]).__name__ for net in (method.student, method.cnn, method.vit)]
    assert kinds == ["FrequencySelect", "Sequential", "FrequencySelect"]
