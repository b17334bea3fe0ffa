"""MGD against a plain second opinion, written from its description alone."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kit.errors import KitError
from kit.methods.build import build_method
from kit.methods.unlabelled.class_paste import class_paste
from kit.methods.unlabelled.cutmix import french_cutmix
from kit.models.followers import Frozen
from kit.settings.recipes import configure
from kit.types import IGNORE

OFFICIAL = {"method.image_reduction": "sum", "method.overlap": "invert", "method.partner": "halves",
            "method.padding": "taught", "method.passes": "separate", "method.teacher_norm": "batch",
            "method.unmixed_passes": True, "method.image_weight": 0.004}  # fmt: skip
DEEPLAB = {"student.name": "deeplab_demo", "student.d0_relative": False, "method.ohem_min_kept": 0}


def reference_step(student, deep, wide, batch, mask, weights, teachers_train):
    """The student's loss of the published step, one line per sentence of the paper.

    Args:
        mask: 1.0 where the second half of the unlabelled images is seen.
        weights: of the image term (a sum) and of the region term.
        teachers_train: normalise the teachers by the statistics of each batch.
    """
    ce = torch.nn.CrossEntropyLoss(ignore_index=IGNORE)
    u0, u1 = batch.weak.chunk(2)
    x = u0 * (1 - mask) + u1 * mask
    for teacher in (deep, wide):
        teacher.train(teachers_train)
    with torch.no_grad():
        labels = {}
        for name, teacher in (("deep", deep), ("wide", wide)):
            mixed = teacher(u0).logits * (1 - mask) + teacher(u1).logits * mask
            labels[name] = mixed.argmax(1), teacher(batch.images).logits.argmax(1)
        deep_x, wide_x = deep(x), wide(x)
    labelled, unlabelled = student(batch.images), student(x)
    loss = ce(labelled.logits, batch.masks)
    for on_x, on_labelled in labels.values():
        loss = loss + ce(unlabelled.logits, on_x) + ce(labelled.logits, on_labelled)
    image = (unlabelled.logits.mean((2, 3)) - deep_x.logits.mean((2, 3))).abs().sum()
    tables = []
    for features in (unlabelled.features, wide_x.features):
        q = F.adaptive_avg_pool2d(features, 7).flatten(2)
        norms = q.norm(dim=1)
        tables.append(torch.einsum("bcm,bcn->bmn", q, q) / norms[:, :, None] / norms[:, None, :])
    return loss + weights[0] * image + weights[1] * F.mse_loss(*tables)


@pytest.mark.parametrize("teacher_norm", ["batch", "fixed"])
def test_the_students_gradient_is_the_published_one(make, batch, at, teacher_norm):
    norm = {"method.teacher_norm": teacher_norm, "method.fused": False}
    method = make("mgd", **DEEPLAB, **OFFICIAL | norm).double()
    step = batch(method, side=64, unlabelled=4, pad=8)
    step = step._replace(images=step.images.double(), weak=step.weak.double())
    mask = french_cutmix(step.weak, np.random.default_rng(0), "invert", "halves").inside[:, None].double()
    nets = [copy.deepcopy(net) for net in (method.student, method.deep.net, method.wide.net)]
    weights = 0.002, 100.0  # the first of a sum over both images of a process, ours of their mean
    expected = reference_step(*nets, step, mask, weights, teacher_norm == "batch")
    expected.backward()
    out = method(step, at(0))
    out.loss.backward()
    torch.testing.assert_close(out.loss, expected, rtol=1e-10, atol=1e-12)
    for (name, mine), theirs in zip(method.student.named_parameters(), nets[0].parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-7, atol=1e-10, msg=name)


def test_the_fixed_form_sees_every_unlabelled_image_mixed_and_takes_means(make, batch, at):
    """With halves and sums switched over, the same terms by hand."""
    method = make("mgd", **DEEPLAB, **{"method.fused": False}).double().eval()
    step = batch(method, side=64, unlabelled=3)
    step = step._replace(images=step.images.double(), weak=step.weak.double())
    mask = french_cutmix(step.weak, np.random.default_rng(0)).inside[:, None]
    x = torch.where(mask, step.weak.roll(1, 0), step.weak)
    parts = method(step, at(0)).parts
    with torch.no_grad():
        seen, known = method.student(x), method.student(step.images)
        image = (seen.logits.mean((2, 3)) - method.deep.net(x).logits.mean((2, 3))).abs().mean()
        pixel = labelled = 0
        for teacher in (method.deep.net, method.wide.net):
            labels = teacher(step.weak).logits.argmax(1)
            pixel += F.cross_entropy(seen.logits, torch.where(mask[:, 0], labels.roll(1, 0), labels))
            labels = teacher(step.images).logits.argmax(1).masked_fill(step.masks == IGNORE, IGNORE)
            labelled += F.cross_entropy(known.logits, labels, ignore_index=IGNORE)
    torch.testing.assert_close(parts["image"], image)
    torch.testing.assert_close(parts["pixel"], pixel)
    torch.testing.assert_close(parts["pixel_labelled"], labelled)


def test_on_strong_views_teachers_label_the_weak_crops_and_people_what_is_pasted(make, batch, at):
    method = make("mgd", **DEEPLAB, **{"method.fused": False, "method.unlabelled_view": "strong",
                                       "method.class_paste": "small"}).double().eval()  # fmt: skip
    assert method.views.strong == 1
    step = batch(method, side=64, unlabelled=3)
    step = step._replace(images=step.images.double(), weak=step.weak.double(), strong=step.strong.double())
    rng = np.random.default_rng(0)
    box = french_cutmix(step.weak, rng).inside
    over = class_paste(step, method.student.num_classes, "small", rng)
    assert over.inside.any()

    def mixed(x, pasted):
        inside, there = (m if x.ndim == 3 else m[:, None] for m in (box, over.inside))
        return torch.where(there, pasted, torch.where(inside, x.roll(1, 0), x))

    parts = method(step, at(0)).parts
    with torch.no_grad():
        seen, pixel = method.student(mixed(step.strong[:, 0], over.images)), 0
        for teacher in (method.deep.net, method.wide.net):
            pixel += F.cross_entropy(seen.logits, mixed(teacher(step.weak).logits.argmax(1), over.labels))
        wanted = method.deep.net(mixed(step.weak, over.images)).logits.mean((2, 3))
    torch.testing.assert_close(parts["pixel"], pixel)
    torch.testing.assert_close(parts["image"], (seen.logits.mean((2, 3)) - wanted).abs().mean())


def test_classes_cannot_be_pasted_over_halves():
    with pytest.raises(KitError, match='class_paste needs method.partner "roll"'):
        configure(method="mgd", recipe="tiny", overrides={"method.class_paste": "half", "method.partner": "halves"})


def trained(method, batch, at, steps=3):
    """Names of the tensors that a few steps of training change."""
    before = {k: v.clone() for k, v in torch.nn.Module.state_dict(method.deep.net).items()}
    before |= {f"wide.{k}": v.clone() for k, v in method.wide.net.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 0.01)
    method.train()
    for i in range(steps):
        out = method(batch(method, side=64), at(i))
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        method.after_step(at(i))
    after = {**method.deep.net.state_dict(), **{f"wide.{k}": v for k, v in method.wide.net.state_dict().items()}}
    return {k for k, v in after.items() if not torch.equal(v, before[k])}


@pytest.mark.parametrize("name", ["mgd", "distill"])
def test_teachers_are_bit_identical_after_training(make, batch, at, name):
    assert trained(make(name, **DEEPLAB), batch, at) == set()


def test_the_authors_teachers_drift_in_their_averages_alone(make, batch, at):
    changed = trained(make("mgd", **DEEPLAB, **{"method.teacher_norm": "batch"}), batch, at)
    assert changed and all(k.endswith(("running_mean", "running_var", "num_batches_tracked")) for k in changed)


def test_only_forwards_that_matter_are_run(make, batch, at, monkeypatch):
    runs = []
    for what in ("labels", "features", "mean_logits", "forward"):
        original = getattr(Frozen, what)
        monkeypatch.setattr(Frozen, what, lambda net, *a, _w=what, _o=original: runs.append(_w) or _o(net, *a))
    method = make("mgd", **DEEPLAB)
    step = batch(method, side=64)
    method(step, at(0))
    once = ["labels", "forward"] * 2  # labels are of a whole forward, a mean is of features
    assert runs == [*once, "mean_logits", "features", "features"]
    runs.clear()
    off = {f"method.{term}_weight": 0.0 for term in ("image", "region")}
    out = make("mgd", **DEEPLAB, **off)(step, at(0))
    assert runs == once and set(out.parts) == {"sup", "pixel", "pixel_labelled"}


def test_fused_teachers_teach_the_same(make, batch, at):
    plain, fused = (make("mgd", **DEEPLAB, **{"method.fused": fused}).eval() for fused in (False, True))
    weights = make("mgd", **DEEPLAB)  # same settings, other networks
    assert not torch.equal(weights.student.classify.weight, plain.student.classify.weight)
    fused.student.load_state_dict(plain.student.state_dict())
    fused.deep, fused.wide = (Frozen(copy.deepcopy(x.net), fused=True) for x in (plain.deep, plain.wide))
    step = batch(plain, side=64)
    a, b = (method(step, at(0)).parts for method in (plain, fused))
    assert {k: v.item() for k, v in a.items()} == pytest.approx({k: v.item() for k, v in b.items()}, rel=1e-3)


def test_the_student_may_be_shown_unmixed_images_for_its_averages(make, batch, at):
    torch.manual_seed(0)
    plain, shown = (
        make("mgd", **DEEPLAB, **{"method.unmixed_passes": on, "method.fused": False}) for on in (False, True)
    )
    shown.load_state_dict({**shown.state_dict(), **plain.state_dict()})
    shown.deep, shown.wide = plain.deep, plain.wide
    step = batch(plain, side=64)
    losses = [method(step, at(0)).loss for method in (plain, shown)]
    torch.testing.assert_close(*losses)
    a, b = (dict(method.student.named_buffers()) for method in (plain, shown))
    assert any(not torch.equal(a[k], b[k]) for k in a if k.endswith("running_mean"))


def test_separate_passes_leave_the_running_averages_of_the_authors_order(make, batch, at):
    """Their student sees both unmixed halves, then the mixed images, then the labelled ones."""
    method = make("mgd", **DEEPLAB, **{k: v for k, v in OFFICIAL.items() if k != "method.teacher_norm"},
                  **{"method.fused": False})  # fmt: skip
    step, theirs = batch(method, side=64, unlabelled=4), copy.deepcopy(method.student)
    mixed = french_cutmix(step.weak, np.random.default_rng(0), "invert", "halves")(step.weak)
    with torch.no_grad():
        for images in (*step.weak.chunk(2), mixed, step.images):
            theirs(images)
    method(step, at(0))
    for (name, mine), wanted in zip(method.student.named_buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(mine, wanted, msg=name)


def test_other_teachers_than_wanted_are_refused():
    with pytest.raises(KitError, match="mgd needs these teachers: deep, wide; got none"):
        build_method(configure(method="mgd", recipe="tiny"), 3)
    with pytest.raises(KitError, match="cps needs these teachers: none; got deep"):
        build_method(configure(method="cps", recipe="tiny"), 3, {"deep": torch.nn.Identity()})
