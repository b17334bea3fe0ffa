import numpy as np
import pytest
import torch

from kit.errors import KitError
from kit.methods.build import METHODS
from kit.methods.unlabelled.class_paste import Mix, class_paste
from kit.methods.unlabelled.cutmix import Paste, french_cutmix, single_cutmix
from kit.types import IGNORE, Batch


def rng(seed=0):
    return np.random.default_rng(seed)


def numbered(count, h=40, w=60):
    """Images that show their own number."""
    return torch.arange(float(count)).reshape(count, 1, 1, 1).expand(count, 3, h, w)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_partner_is_another_image_and_everything_is_pasted_alike(count):
    images = numbered(count)
    for seed in range(20):
        paste = french_cutmix(images, rng(seed))
        mixed, labels = paste(images), paste(images[:, 0].long())
        assert torch.equal(mixed[:, 0].long(), labels) and mixed.shape == images.shape
        for i in range(count):
            assert set(labels[i].unique().tolist()) == {i, (i - 1) % count} and (i - 1) % count != i
            assert torch.equal(labels[i] != i, paste.inside[i])


def test_halves_mix_one_half_with_the_other_and_want_an_even_number():
    paste = french_cutmix(numbered(6), rng(), partner="halves")
    mixed = paste(numbered(6))
    assert len(mixed) == 3
    assert [set(x.unique().tolist()) for x in mixed] == [{0.0, 3.0}, {1.0, 4.0}, {2.0, 5.0}]
    with pytest.raises(KitError, match="even number .* got 3"):
        french_cutmix(numbered(3), rng(), partner="halves")


def test_a_batch_of_one_stays_as_it_is_and_nothing_stays_nothing():
    image = torch.randn(1, 3, 16, 16)
    for paste in (french_cutmix(image, rng()), single_cutmix(image, rng(), 1.0)):
        assert torch.equal(paste(image), image)
    paste = french_cutmix(numbered(2), rng())
    assert paste(None) is None and paste(torch.zeros(0, 40, 60)).shape == (0, 40, 60)


def test_what_is_pasted_may_come_from_elsewhere():
    paste = Paste(torch.tensor([[[True, False]], [[True, False]]]), "roll")
    own, other = torch.tensor([[[1, 1]], [[2, 2]]]), torch.tensor([[[10, 10]], [[20, 20]]])
    assert paste(own, other).tolist() == [[[20, 1]], [[10, 2]]]


def test_boxes_are_drawn_as_in_the_papers():
    images = torch.zeros(400, 3, 64, 96)
    union, odd = (french_cutmix(images, rng(), overlap).inside.float().mean((1, 2)) for overlap in ("union", "invert"))
    assert (union >= odd).all() and (union > odd).any() and union.min() > 0.08 and union.max() < 0.53
    assert 0.24 < union.mean() < 0.37  # 0.25..0.5 less what overlaps
    single = single_cutmix(images, rng()).inside.float().mean((1, 2))
    assert 0.4 < (single > 0).float().mean() < 0.6 and single.max() < 0.41 and single[single > 0].min() > 0.01
    assert not single_cutmix(images, rng(), 0.0).inside.any()
    boxes = [x.nonzero() for x in single_cutmix(images[:50], rng(1), 1.0).inside]
    for box in boxes:  # one full rectangle each
        sides = box.max(0).values - box.min(0).values + 1
        assert len(box) == sides.prod() and 0.25 < (sides[0] / 64) / (sides[1] / 96) < 4


def test_narrow_crops_have_boxes_too():
    assert single_cutmix(torch.zeros(8, 3, 16, 512), rng(), 1.0).inside.flatten(1).any(1).all()


def test_the_same_step_draws_the_same_boxes():
    images = numbered(4)
    for draw in (french_cutmix, single_cutmix):
        assert torch.equal(draw(images, rng(3)).inside, draw(images, rng(3)).inside)
        assert not torch.equal(draw(images, rng(3)).inside, draw(images, rng(4)).inside)


@pytest.mark.parametrize("name", METHODS)
def test_the_student_sees_what_pastes_says(name, make, batch, at):
    method, given = make(name, **({"method.cutmix": True} if name in ("cps", "mean_teacher") else {})), []
    one = batch(method, unlabelled=4)
    student = method.predictor()
    student.encoder.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0] * student.std + student.mean))
    method(one, at(0))
    seen, pastes = torch.cat(given), METHODS[name].pastes(method.cfg, one.weak, np.random.default_rng(0))
    assert METHODS[name].views_of(method.cfg) == method.views
    assert len(pastes) == {"unimatch": 2, "supervised": 0, "trikd": 0, "distill": 0}.get(name, 1)
    for i, paste in enumerate(pastes):
        for image in paste(one.strong[:, i] if method.views.strong else one.weak):
            assert any(torch.allclose(image, other, atol=1e-5) for other in seen)


def labelled(masks, unlabelled=2):
    """A batch whose labelled images show their labels, and whose unlabelled ones are -1."""
    masks = torch.tensor(masks)
    weak = -torch.ones(unlabelled, 3, *masks.shape[1:])
    valid = torch.ones(unlabelled, *masks.shape[1:], dtype=torch.bool)
    return Batch(masks[:, None].expand(-1, 3, -1, -1).float(), masks, weak, weak[:, None], valid)


def test_the_small_half_of_the_classes_is_pasted_with_its_labels():
    batch = labelled([[[0, 0, 0, 0], [1, 1, 1, 2], [3, 3, IGNORE, IGNORE]]])  # sizes 4, 3, 1, 2
    over = class_paste(batch, 5, "small", rng())
    assert over.inside.tolist() == [[[False] * 4, [False, False, False, True], [True, True, False, False]]] * 2
    mix = Mix(None, over)
    image, labels = mix.images(batch.weak), mix.labels(torch.full((2, 3, 4), 4))
    assert torch.equal(image[:, 0] == -1, ~over.inside) and torch.equal(labels == 4, ~over.inside)
    assert torch.equal(labels[over.inside].float(), image[:, 0][over.inside])
    assert mix.fill(None, 1) is None and mix.fill(torch.zeros(2, 3, 4), 7).sum() == 7 * 6
    assert mix.fill(torch.zeros(0, 3, 4), 7).shape == (0, 3, 4) and class_paste(batch, 5, "none", rng()) is None
    logits = mix.logits(torch.zeros(2, 5, 3, 4))
    assert torch.equal(logits.argmax(1)[over.inside], labels[over.inside]) and (logits == 0).any(1).sum() == 2 * 9


def test_a_drawn_half_follows_the_random_numbers_and_nothing_is_pasted_of_a_single_class():
    batch = labelled([[[0, 1, 2, 3]], [[0, 0, 1, 1]]], unlabelled=3)
    drawn = {str(class_paste(batch, 4, "half", rng(seed)).inside.tolist()) for seed in range(8)}
    assert len(drawn) > 2
    for seed in range(8):
        over = class_paste(batch, 4, "half", rng(seed))
        assert (over.inside.sum((1, 2)) == 2).all() and len(over.images) == 3  # two of four pixels, one of two classes
    assert not class_paste(labelled([[[1, 1, IGNORE, 1]]]), 4, "half", rng()).inside.any()
