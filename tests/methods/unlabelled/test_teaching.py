import pytest
import torch

from kit.errors import KitError
from kit.losses.confidence import mean_belief, taught_cross_entropy
from kit.losses.pseudo import cross_pseudo
from kit.settings.run import TriKDConfig
from kit.types import IGNORE

STRONG = {"method.unlabelled_view": "strong", "method.cps_weight": 1.0}


def test_labels_of_the_others_are_cross_pseudo_supervision():
    views = [torch.randn(2, 3, 4, 5) for _ in range(3)]
    valid = torch.rand(2, 4, 5) > 0.3
    told = [view.argmax(1).masked_fill(~valid, IGNORE) for view in views]
    labels = [[told[1], told[2]], [told[0], told[2]], [told[0], told[1]]]
    torch.testing.assert_close(taught_cross_entropy(views, labels, valid), cross_pseudo(views, valid))


def test_the_mean_of_probabilities_decides_and_not_the_mean_of_logits():
    sure, unsure = torch.tensor([8.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
    belief = mean_belief([sure, unsure, unsure])
    expected = (sure.softmax(1) + 2 * unsure.softmax(1))[0, :, 0, 0] / 3
    assert belief.labels.item() == expected.argmax() and belief.confidence.item() == pytest.approx(
        expected.max().item()
    )
    assert belief.labels.item() == 0 and mean_belief([unsure, unsure]).labels.item() == 1


@pytest.mark.parametrize("labels", ["pairs", "mean"])
def test_strong_views_are_learnt_from_averaged_networks(make, batch, at, reached, labels):
    method = make("trikd", **STRONG, **{"method.cps_labels": labels})
    assert method.views.strong == 1
    step = batch(method, side=64, pad=8)._replace(hidden=torch.full((2, 64, 64), 1))
    before = {k: v.clone() for k, v in method.teaching.state_dict().items()}
    out = method(step, at(5))
    assert reached(out.loss, method) == {"student", "cnn", "vit", "low", "high"}
    assert all(torch.equal(v, before[k]) for k, v in method.teaching.state_dict().items())
    with torch.no_grad():
        for p in method.student.parameters():
            p.add_(1.0)
    method.after_step(at(5))
    moved = {k.split(".")[1] for k, v in method.teaching.state_dict().items() if not torch.equal(v, before[k])}
    assert "student" in moved and out.stats["accuracy"][1] == 2 * 64 * 56


def test_without_labels_of_the_others_the_networks_see_the_same_images(make, batch, at):
    """Else a row without this term would also have other unlabelled images in the two remaining ones."""
    with_labels, without = (
        make("trikd", **{"method.unlabelled_view": "strong", "method.class_paste": "half", "method.cps_weight": weight})
        for weight in (0.5, 0.0)
    )
    step, seen = batch(with_labels, side=64), []
    for method in (with_labels, without):
        method.student.register_forward_hook(lambda net, given, out: seen.append(given[0]))
        out = method(step, at(5))
    assert without.teaching is None and "cps" not in out.parts
    assert torch.equal(*seen) and not torch.equal(seen[1][2:], step.weak)


def test_unsure_labels_and_those_without_agreement_are_not_learnt(make, batch, at):
    step = None
    for changes, pixels in (({}, None), ({"method.cps_threshold": 1.0}, 0), ({"method.cps_agreement": True}, "fewer")):
        torch.manual_seed(0)
        method = make("trikd", **STRONG, **changes)
        step = step or batch(method, side=64)
        labels = method.teaching(step, *method.mixes(method.cfg, step, method.student.num_classes, at(5).rng))
        learnt = sum((x != IGNORE).sum().item() for own in labels.values() for x in own)
        if pixels is None:
            everything = learnt
            assert learnt == 6 * step.valid.numel()
        else:
            assert learnt == 0 if pixels == 0 else 0 < learnt < everything
    assert {name: len(own) for name, own in labels.items()} == {"student": 2, "cnn": 2, "vit": 2}


def test_filters_without_strong_views_are_refused():
    with pytest.raises(KitError, match='class_paste need method.unlabelled_view "strong"'):
        TriKDConfig(cps_threshold=0.5)
    assert TriKDConfig(unlabelled_view="strong", cps_threshold=0.5, class_paste="half").cps_agreement is False
