import copy

import numpy as np
import pytest
import torch

from kit.errors import KitError
from kit.figures.charts.curves import PARTS
from kit.methods.build import METHODS
from kit.settings.run import METHOD_CONFIGS, ModelConfig
from kit.train.memory import Kept
from kit.types import IGNORE


def test_every_method_has_settings_and_a_class():
    assert METHODS.keys() == METHOD_CONFIGS.keys()


@pytest.mark.parametrize("name", METHODS)
def test_finite_loss_that_falls_on_one_batch(make, batch, at, name):
    untrained = {"method.pixel_weight": 0.0, "method.pixel_labelled_weight": 0.0}  # its teachers contradict the masks
    method = make(name, **(untrained if name == "mgd" else {}))
    step = batch(method)
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], 3e-3)
    masks = (step.images[:, 0] > 0.5).long()  # something that can be learnt in a dozen steps
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
    assert out.parts.keys() <= PARTS.keys()  # titles in figures


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_is_trained_and_the_student_is_what_is_kept(make, batch, at, name):
    method = make(name)
    method(batch(method), at(0)).loss.backward()
    idle = [n for n, p in method.named_parameters() if p.grad is None and p.requires_grad]
    assert not idle and method.predictor() is method.student


@pytest.mark.parametrize("name", ["cps", "trikd"])
def test_the_ramp_raises_the_unlabelled_terms_and_nothing_else(make, batch, at, name):
    method = make(name, **{"method.ramp": 0.5})
    step = batch(method)
    method.eval()  # the same logits every time
    losses = [method(step, at(i)).loss.item() for i in (0, 2, 5, 9)]
    parts = method(step, at(0)).parts
    assert losses[0] == pytest.approx(sum(v.item() for k, v in parts.items() if k.startswith("sup")), rel=1e-5)
    assert losses[0] < losses[1] < losses[2] == pytest.approx(losses[3])


REACHES = {"sup": {"student"}, "sup_cnn": {"cnn"}, "sup_vit": {"vit"}, "cps": {"student", "cnn", "vit"},
           "low": {"student", "low"}, "high": {"student", "high"}}  # fmt: skip
SMALL_OFFICIAL = {"method.passes": "separate", "method.padding": "taught", "method.high_reduction": "elements",
                  "method.high_resize": "table", "student.last_block": "global", "method.vit.pyramid": "official",
                  "student.filter_centre": "official", "method.cnn.filter_centre": "official",
                  "method.vit.filter_centre": "official"}  # fmt: skip


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("term", REACHES)
def test_trikd_terms_reach_the_networks_they_should(make, batch, at, reached, term, official):
    alone = {f"method.{other}_weight": float(other == term) for other in REACHES}
    method = make("trikd", **alone, **(SMALL_OFFICIAL if official else {}))
    step = batch(method, side=64)  # the student's attention needs more than one token at stride 32
    out = method(step, at(0))
    assert set(out.parts) == {term}
    assert reached(out.loss, method) == REACHES[term]


def test_trikd_passes_differ_in_batch_norm_alone(make, batch, at):
    joint, separate = (make("trikd", **{"method.passes": passes}).double() for passes in ("joint", "separate"))
    separate.load_state_dict(joint.state_dict())
    step = batch(joint, side=64, unlabelled=3)
    step = step._replace(images=step.images.double(), weak=step.weak.double())
    outs = [method.eval()(step, at(0)) for method in (joint, separate)]
    for a, b in zip(*(out[1:] for out in outs), strict=True):
        assert a.keys() == b.keys()
        for name in a:
            torch.testing.assert_close(a[name], b[name], rtol=1e-6, atol=0)
    for out in outs:
        out.loss.backward()
    for (name, a), b in zip(joint.named_parameters(), separate.parameters(), strict=True):
        assert (a.grad - b.grad).norm() <= 1e-5 * a.grad.norm() + 1e-9, name
    one = step._replace(images=step.images[:1], masks=step.masks[:1], weak=step.weak[:1], valid=step.valid[:1])
    assert separate.train()(one, at(0)).loss.isfinite()


def test_trikd_shows_batch_norm_the_labelled_images_first_in_effect(make, batch, at):
    method = make("trikd", **{"method.passes": "separate"}).double()
    step = batch(method, side=64)
    step = step._replace(images=step.images.double(), weak=step.weak.double())
    plain = copy.deepcopy(method).train()
    for images in (step.images, step.weak):
        for net in (plain.student, plain.cnn, plain.vit):
            net(images)
    method.train()(step, at(0))
    expected = dict(plain.named_buffers())
    for name, found in method.named_buffers():
        torch.testing.assert_close(found, expected[name], rtol=1e-9, atol=1e-12, msg=name)
    momenta = [[m.momentum for m in each.modules() if hasattr(m, "momentum")] for each in (method, plain)]
    assert momenta[0] == momenta[1]


def test_trikd_keeps_the_activations_of_one_of_two_passes(make, batch, at):
    most = []
    for passes in ("joint", "separate"):
        method = make("trikd", **{"method.passes": passes})
        kept = Kept([*method.parameters(), *method.buffers()])
        with torch.autograd.graph.saved_tensors_hooks(kept.pack, kept.unpack):
            method(batch(method, side=64), at(0))
        most.append(kept.most)
    assert most[1] < 0.6 * most[0]


def test_trikd_teaches_padding_only_if_asked(make, batch, at):
    masked, taught = (make("trikd", **{"method.padding": padding}).eval() for padding in ("masked", "taught"))
    taught.load_state_dict(masked.state_dict())
    padded, whole = batch(masked, pad=8), batch(masked)
    whole = padded._replace(valid=whole.valid)
    assert taught(padded, at(0)).parts["cps"] == masked(whole, at(0)).parts["cps"]
    assert taught(padded, at(0)).parts["cps"] != masked(padded, at(0)).parts["cps"]


def test_the_vit_may_learn_from_hard_pixels_alone(make, batch, at):
    ce, ohem = (
        make("trikd", **{"method.sup_vit_loss": loss, "method.ohem_min_kept": 9}).eval() for loss in ("ce", "ohem")
    )
    ohem.load_state_dict(ce.state_dict())
    with torch.no_grad():
        for method in (ce, ohem):
            method.vit.classify.weight.mul_(300)  # so that some pixels are easy
    step = batch(ce)
    a, b = (method(step, at(0)).parts for method in (ce, ohem))
    assert a["sup"] == b["sup"] and b["sup_vit"] > a["sup_vit"]


@pytest.mark.parametrize(
    ("views", "parts", "networks"),
    [
        (["student", "cnn"], {"sup", "sup_cnn", "cps", "low"}, {"student", "cnn", "low"}),
        (["student", "vit"], {"sup", "sup_vit", "cps", "high"}, {"student", "vit", "high"}),
    ],
)
def test_trikd_with_two_views(make, batch, at, reached, views, parts, networks):
    method = make("trikd", **{"method.views": views})
    out = method(batch(method, side=64), at(0))
    assert set(out.parts) == parts and {name for name, _ in method.named_children()} == networks
    assert reached(out.loss, method) == networks


@pytest.mark.parametrize("term", REACHES)
def test_trikd_terms_can_be_switched_off(make, batch, at, term):
    method = make("trikd", **{f"method.{term}_weight": 0.0})
    assert set(method(batch(method), at(0)).parts) == REACHES.keys() - {term}
    assert getattr(method, term, None) is None  # no projection without its term


def test_trikd_needs_attention_on_both_sides_unless_the_term_is_off(make, batch, at):
    with pytest.raises(KitError, match="resnet_demo has no attention.*high_weight"):
        make("trikd", **{"student.name": "resnet_demo"})
    method = make("trikd", **{"student.name": "resnet_demo", "method.high_weight": 0.0})
    assert set(method(batch(method), at(0)).parts) == {"sup", "sup_cnn", "sup_vit", "cps", "low"}


def test_padding_of_unlabelled_crops_is_not_taught(make, batch, at):
    method = make("cps").eval()
    step = batch(method, pad=8)
    changed = step._replace(valid=torch.ones_like(step.valid))
    assert method(step, at(0)).parts["cps"] != method(changed, at(0)).parts["cps"]


def test_cps_starts_from_two_different_networks(make):
    method = make("cps")
    assert not torch.equal(method.student.classify.weight, method.partner.classify.weight)


def test_networks_come_from_the_configuration(make):
    method = make("trikd", **{"method.cnn.selection": "plain"})
    assert isinstance(method.cfg.cnn, ModelConfig)
    kinds = [type(net.decoder.laterals[0]).__name__ for net in (method.student, method.cnn, method.vit)]
    assert kinds == ["FrequencySelect", "Sequential", "FrequencySelect"]
