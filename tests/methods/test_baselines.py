import copy
import math

import numpy as np
import pytest
import torch

from kit.errors import KitError
from kit.losses.supervised import cross_entropy
from kit.methods.build import METHODS
from kit.methods.unlabelled.cutmix import french_cutmix
from kit.settings.fields import replace_fields
from kit.settings.recipes import configure
from kit.settings.run import METHOD_CONFIGS
from kit.types import IGNORE, Batch, SegOutput

SMALL = {"student.name": "deeplab_demo", "student.d0_relative": False}
"""One-image batches and 32-pixel crops fit this student."""

TERMS = {  # weights that leave one term -> what gets a gradient
    "mean_teacher": {"sup": {"student"}, "consistency": {"student"}},
    "cps": {"cps": {"student", "partner"}},
    "fixmatch": {"sup": {"student"}, "strong": {"student"}},
    "unimatch": {"sup": {"student"}, "strong": {"student"}, "feature": {"student"}},
    "distill": {"sup": {"student"}, "deep": {"student"}, "wide": {"student"}},
    "mgd": {"sup": {"student"}, "pixel": {"student"}, "pixel_labelled": {"student"}, "image": {"student"},
            "region": {"student"}},
}  # fmt: skip
CUTMIX = {"mean_teacher": {"method.cutmix": True}, "cps": {"method.cutmix": True}}
SEMI = [name for name in METHODS if name not in ("supervised", "trikd")]
EASY = {"fixmatch": {"method.threshold": 0.3}, "unimatch": {"method.threshold": 0.3}}
"""Untrained networks are sure of nothing."""


@pytest.mark.parametrize(("name", "term"), [(name, term) for name in TERMS for term in TERMS[name]])
def test_a_term_reaches_the_networks_it_should(make, batch, at, reached, name, term):
    weights = [f for f in METHOD_CONFIGS[name].__slots__ if f.endswith("_weight") and f != "teacher_cps_weight"]
    alone = {f"method.{weight}": float(weight == f"{term}_weight") for weight in [*weights, "sup_weight"]}
    alone = {k: v for k, v in alone.items() if hasattr(METHOD_CONFIGS[name](), k.split(".")[1])}
    method = make(name, **SMALL, **alone, **EASY.get(name, {}))
    step = batch(method)
    if name == "cps":  # its supervised terms always count
        step = step._replace(masks=torch.full_like(step.masks, IGNORE))
    assert reached(method(step, at(5)).loss, method) == TERMS[name][term]


@pytest.mark.parametrize("cutmix", [False, True])
@pytest.mark.parametrize("name", SEMI)
def test_padded_pixels_weigh_nothing(make, batch, at, name, cutmix):
    """Labels taken from padding, and predictions there, change no term: both come from the same forwards."""
    method = make(name, **SMALL, **(CUTMIX.get(name, {}) if cutmix else {}), **EASY.get(name, {})).eval()
    step = batch(method, pad=8)
    parts = method(step, at(0)).parts
    whole = method(step._replace(valid=torch.ones_like(step.valid)), at(0)).parts
    nothing = method(step._replace(valid=torch.zeros_like(step.valid)), at(0)).parts
    unlabelled = [k for k in parts if not k.startswith("sup") and k != "pixel_labelled"]
    for term in unlabelled:
        assert parts[term] != whole[term], term
        if name not in ("mean_teacher", "distill") and (name != "cps" or cutmix):  # those count labelled pixels too
            assert nothing[term] == 0 or term == "image", term


@pytest.mark.parametrize("unlabelled", [1, 2])
@pytest.mark.parametrize("name", SEMI)
def test_one_unlabelled_image_is_enough(make, batch, at, name, unlabelled):
    for student in (SMALL, {}):
        method = make(name, **student, **CUTMIX.get(name, {}))
        out = method(batch(method, side=64, unlabelled=unlabelled), at(0))
        out.loss.backward()
        assert torch.isfinite(out.loss)


@pytest.mark.parametrize("name", [*SEMI, "trikd"])
def test_what_is_observed_can_be_counted(make, batch, at, name):
    method = make(name)
    step = batch(method, side=64, pad=16)
    hidden = torch.full((2, 64, 64), 1)
    out = method(step._replace(hidden=hidden), at(0))
    known = 2 * 64 * 48
    assert out.stats["accuracy"][1] == known == out.stats["agreement"][1] == out.stats["predicted"].sum()
    assert out.stats["accuracy"][0] == out.stats["predicted"][1]  # everything is of class 1
    assert out.stats["labelled"].sum() == (step.masks != IGNORE).sum()
    assert ("coverage" in out.stats) == (name in ("fixmatch", "unimatch"))
    assert "accuracy" not in method(step, at(0)).stats and not any(x.requires_grad for x in out.stats.values())


def certain(method, logits_of):
    """Let the student return what `logits_of(images)` says, with its gradient into one parameter."""
    scale = torch.nn.Parameter(torch.ones(()))
    method.student.register_parameter("scale", scale)
    method.student.forward = lambda images: method_output(scale * logits_of(images))


def method_output(logits):
    return SegOutput(logits, [], None, logits)


def test_fixmatch_by_hand(make, at):
    """Weak images say class 0 with probability 0.96 on the left and 0.94 on the right; strong views say 0.5."""
    method = make("fixmatch", **SMALL, **{"method.cutmix": 0.0, "method.ohem_min_kept": 0})
    sure, unsure = math.log(0.96 / 0.04), math.log(0.94 / 0.06)

    def logits_of(images):
        gap = torch.where(images[:, 0] > 0, sure, unsure).where(images[:, 1] == 0, 0.0)  # channel 1 marks strong views
        return torch.stack([gap, torch.zeros_like(gap)], 1)

    certain(method, logits_of)
    weak = torch.zeros(2, 3, 4, 8)
    weak[:, 0, :, :4] = 1.0
    strong = weak.clone()[:, None]
    strong[:, :, 1] = 1.0
    valid = torch.ones(2, 4, 8, dtype=torch.bool)
    valid[1, 2:] = False
    step = Batch(weak, torch.zeros(2, 4, 8, dtype=torch.int64), weak, strong, valid)
    out = method(step, at(0))
    assert out.parts["strong"].item() == pytest.approx(0.5 * math.log(2))  # half of what is not padded, at -log 0.5
    assert out.parts["sup"].item() == pytest.approx(-(math.log(0.96) + math.log(0.94)) / 2, rel=1e-5)
    assert out.loss.item() == pytest.approx((out.parts["sup"] + out.parts["strong"]).item() / 2)
    assert out.stats["coverage"].tolist() == [24.0, 48.0]


def test_unimatch_has_the_published_weights_and_drops_features(make, batch, at):
    method = make("unimatch", **EASY["unimatch"])
    out = method(batch(method), at(0))
    p = out.parts
    whole = (p["sup"] + 0.25 * p["strong_1"] + 0.25 * p["strong_2"] + 0.5 * p["feature"]) / 2
    assert out.loss.item() == pytest.approx(whole.item()) and p["strong_1"] != p["strong_2"]
    kept = make("unimatch", **EASY["unimatch"], **{"method.feature_dropout": 0.0}).eval()
    logits, feature = kept.decode_twice(torch.randn(4, 3, 32, 32), 2)
    torch.testing.assert_close(logits[2:], feature)
    for images in ("all", "unlabelled"):
        method = make("unimatch", **{"method.feature_images": images})
        logits, feature = method.decode_twice(torch.randn(5, 3, 32, 32), 2)
        assert len(logits) == 5 and len(feature) == 3 and not torch.allclose(logits[2:], feature)


@pytest.mark.parametrize("name", ["fixmatch", "unimatch"])
def test_pasted_labels_may_come_from_eval_mode_which_leaves_the_mode_alone(make, batch, at, name):
    same, own = (make(name, **EASY[name], **{"method.partner_pass": p, "method.cutmix": 1.0}) for p in ("same", "eval"))
    own.load_state_dict(same.state_dict())
    step = batch(same)
    torch.manual_seed(1)
    a = same(step, at(0)).parts
    torch.manual_seed(1)
    b = own(step, at(0)).parts
    strong = [k for k in a if k.startswith("strong")]
    assert own.student.training and all(a[k] != b[k] for k in strong)
    assert all(a[k] == b[k] for k in a if k not in strong)


def test_the_mean_teacher_follows_after_the_step_and_never_learns(make, batch, at):
    method = make("mean_teacher")
    before = {k: v.clone() for k, v in method.teacher.state_dict().items()}
    method(batch(method), at(0)).loss.backward()
    assert all(torch.equal(v, before[k]) for k, v in method.teacher.state_dict().items())
    assert not any(p.requires_grad for p in method.teacher.parameters()) and not method.teacher.net.training
    with torch.no_grad():
        method.student.classify.weight.add_(1.0)
    method.after_step(at(0))
    moved = method.teacher.net.classify.weight - before["net.classify.weight"]
    torch.testing.assert_close(moved, torch.full_like(moved, 0.9))  # 1 - min(0.99, 1 / 10)


def test_cps_with_cutmix_learns_from_labels_of_the_images_before_mixing(make, batch, at):
    method = make("cps", **{"method.cutmix": True}).eval()
    step = batch(method, side=64)
    paste = french_cutmix(step.weak, np.random.default_rng(0))
    with torch.no_grad():
        told = [paste(net(step.weak).logits.argmax(1)) for net in (method.student, method.partner)]
        seen = [net(paste(step.weak)).logits for net in (method.student, method.partner)]
    expected = cross_entropy(seen[0], told[1]) + cross_entropy(seen[1], told[0])
    torch.testing.assert_close(method(step, at(0)).parts["cps"], expected)


def test_cps_passes_differ_in_batch_norm_alone(make, batch, at):
    for cutmix in (False, True):
        both = [make("cps", **{"method.passes": p, "method.cutmix": cutmix}).eval() for p in ("joint", "separate")]
        both[1].load_state_dict(both[0].state_dict())
        step = batch(both[0], side=64)
        losses = [{k: v.item() for k, v in method(step, at(0)).parts.items()} for method in both]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("cutmix", [True, False])
def test_separate_passes_of_cps_come_in_the_authors_order(make, batch, at, cutmix):
    """With CutMix each half of the unlabelled images, the mixed ones, the labelled ones; else labelled ones first."""
    switches = {"passes": "separate", "partner": "halves", "overlap": "invert", "cutmix": cutmix}
    method = make("cps", **SMALL, **{f"method.{name}": value for name, value in switches.items()})
    step, theirs = batch(method, side=64, unlabelled=4), copy.deepcopy(method.partner)
    mixed = french_cutmix(step.weak, np.random.default_rng(0), "invert", "halves")(step.weak)
    with torch.no_grad():
        for images in (*step.weak.chunk(2), mixed, step.images) if cutmix else (step.images, step.weak):
            theirs(images)
    method(step, at(0))
    for (name, mine), wanted in zip(method.partner.named_buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(mine, wanted, msg=name)


@pytest.mark.parametrize("name", SEMI)
def test_settings_are_refused_where_they_make_no_sense(name):
    cfg = configure(method=name, recipe="tiny")
    wrong = {
        "mean_teacher": ("view", "blue"),
        "cps": ("overlap", "xor"),
        "fixmatch": ("threshold", 1.5),
        "unimatch": ("feature_images", "some"),
        "distill": ("temperature", 0),
        "mgd": ("partner", "self"),
    }
    field, value = wrong[name]
    with pytest.raises(ValueError, match=field):
        replace_fields(cfg, {f"method.{field}": value})


@pytest.mark.parametrize("name", ["fixmatch", "unimatch"])
def test_labels_of_the_average_need_no_pass_of_the_student(make, batch, at, name):
    """FixMatch: two labelled and two strong images. UniMatch: both strong views; its first pass is not `forward`."""
    method = make(name, **SMALL, **EASY[name], **{"method.labels_from": "average", "method.partner_pass": "eval"})
    step, seen = batch(method), []
    method.student.register_forward_pre_hook(lambda net, given: seen.append(len(given[0])))
    before = copy.deepcopy(method.average.state_dict())
    out = method(step, at(5))
    assert seen == [4] and torch.isfinite(out.loss)
    assert all(torch.equal(v, before[k]) for k, v in method.average.state_dict().items())
    with torch.no_grad():
        next(method.student.parameters()).add_(1.0)
    method.after_step(at(5))
    assert any(not torch.equal(v, before[k]) for k, v in method.average.state_dict().items())


@pytest.mark.parametrize(
    ("name", "term", "changes"),
    [
        ("fixmatch", "strong", {"method.threshold": 1.0}),
        ("unimatch", "strong_2", {"method.threshold": 1.0}),
        ("mean_teacher", "consistency", {}),
        ("cps", "cps", {"method.cutmix": True}),
    ],
)
def test_pasted_classes_are_learnt_from_labels_of_people(make, batch, at, name, term, changes):
    """With nothing sure and nothing valid in unlabelled images, what remains are the pasted pixels."""
    parts = {}
    for which in ("none", "small"):
        torch.manual_seed(0)
        method = make(name, **SMALL, **changes, **{"method.class_paste": which}).eval()
        torch.manual_seed(1)
        step = batch(method)
        step = step._replace(valid=torch.zeros_like(step.valid), masks=step.masks.masked_fill(step.masks == 2, 1))
        parts[which] = method(step._replace(hidden=torch.zeros_like(step.valid, dtype=torch.long)), at(5))
    assert parts["small"].parts[term] > parts["none"].parts[term]
    assert parts["small"].stats["accuracy"][1] == 0  # hidden labels beneath pasted pixels are not counted


def test_unimatch_learns_the_surest_share_of_every_class(make, batch, at):
    """No label reaches the threshold, so all that is learnt is let through by a class's own level, which falls."""
    method = make("unimatch", **SMALL, **{"method.threshold": 1.0, "method.class_share": 0.5})
    step = batch(method)
    assert method(step, at(5)).parts["strong_1"] == 0
    for _ in range(60):
        parts = method(step, at(5)).parts
    assert method.thresholds.level.min() < 0.9 and all(parts[term] > 0 for term in ("strong_1", "strong_2", "feature"))


def test_unimatch_loads_a_checkpoint_from_before_it_had_thresholds(make):
    method = make("unimatch", **SMALL)
    before = {name: value for name, value in method.state_dict().items() if "thresholds" not in name}
    method.load_state_dict(before)
    assert (method.thresholds.level == method.cfg.threshold).all()


@pytest.mark.parametrize("change", [{}, {"method.cutmix": True, "method.partner": "halves"}])
def test_cps_pastes_classes_over_mixed_images_alone(change):
    with pytest.raises(KitError, match="class_paste needs method.cutmix"):
        configure(method="cps", recipe="tiny", overrides={"method.class_paste": "small", **change})
