import math

import pytest
import torch
import torch.nn.functional as F

from kit.errors import KitError
from kit.losses.supervised import cross_entropy, kth_smallest, ohem_cross_entropy, pixel_cross_entropy
from kit.types import IGNORE


def some(b=2, c=4, h=6, w=5):
    logits = torch.randn(b, c, h, w, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, c, (b, h, w))
    labels[0, :2] = IGNORE
    return logits, labels


def test_value_by_hand():
    logits = torch.tensor([0.0, math.log(3)]).view(1, 2, 1, 1)  # probabilities 1/4 and 3/4
    assert cross_entropy(logits, torch.tensor([[[1]]])).item() == pytest.approx(-math.log(0.75))


def test_equals_pytorch_where_there_are_labels():
    logits, labels = some()
    expected = F.cross_entropy(logits, labels, ignore_index=IGNORE)
    torch.testing.assert_close(cross_entropy(logits, labels), expected)


def test_ignored_pixels_get_no_gradient_and_an_ignored_batch_is_zero():
    logits, labels = some()
    cross_entropy(logits, labels).backward()
    assert logits.grad[0, :, :2].abs().sum() == 0 and logits.grad[0, :, 2:].abs().sum() > 0
    for loss in (cross_entropy, lambda x, y: ohem_cross_entropy(x, y, 0.7, 10)):
        logits.grad = None
        nothing = loss(logits, torch.full_like(labels, IGNORE))
        nothing.backward()
        assert nothing == 0 and logits.grad.abs().sum() == 0


def test_extreme_logits_stay_finite():
    logits = torch.tensor([1e4, -1e4]).view(1, 2, 1, 1).requires_grad_()
    label = torch.tensor([[[1]]])
    for loss in (cross_entropy(logits, label), ohem_cross_entropy(logits, label, 0.7, 1)):
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()


def ohem_by_sorting(logits, labels, threshold, min_kept):
    """The definition, word by word: sort all probabilities of the true class, keep those up to the threshold, or up
    to the k-th smallest if that is larger."""
    valid = labels != IGNORE
    p = logits.softmax(1).gather(1, labels.masked_fill(~valid, 0)[:, None])[:, 0][valid]
    limit = threshold if min_kept >= len(p) else max(threshold, p.sort().values[min_kept - 1].item())
    kept = p <= limit if min_kept < len(p) else torch.ones_like(p, dtype=torch.bool)
    return -p[kept].log().mean()


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("min_kept", [1, 5, 25, 48, 1000])
def test_ohem_agrees_with_sorting(threshold, min_kept):
    logits, labels = some()
    expected = ohem_by_sorting(logits, labels, threshold, min_kept)
    torch.testing.assert_close(ohem_cross_entropy(logits, labels, threshold, min_kept), expected, rtol=1e-5, atol=1e-6)


def test_ohem_keeps_the_hard_pixels_only():
    logits = torch.zeros(1, 2, 1, 3, requires_grad=True)
    with torch.no_grad():
        logits[0, 1] = torch.tensor([[5.0, 0.0, -5.0]])  # easy, undecided, wrong
    ohem_cross_entropy(logits, torch.ones(1, 1, 3, dtype=torch.long), 0.7, 1).backward()
    touched = logits.grad.abs().sum(1).flatten() > 0
    assert touched.tolist() == [False, True, True]


def test_switched_off_it_is_cross_entropy():
    logits, labels = some()
    assert ohem_cross_entropy(logits, labels, 0.7, 0) == cross_entropy(logits, labels)


def test_shapes_are_checked_at_the_door():
    with pytest.raises(KitError, match="same size"):
        cross_entropy(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 5, dtype=torch.long))


def test_gradients():
    logits = torch.randn(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[[0, 1], [2, IGNORE]]])
    weights = cross_entropy(logits, labels)
    (grad,) = torch.autograd.grad(weights, logits)
    expected = logits.detach().softmax(1)
    one_hot = F.one_hot(labels.clamp(max=2), 3).permute(0, 3, 1, 2)
    expected = (expected - one_hot) * (labels != IGNORE)[:, None] / 3
    torch.testing.assert_close(grad, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_pixels_and_their_gradients_are_pytorchs_in_either_layout(layout, dtype):
    logits, labels = some()
    logits = logits.detach().to(dtype).contiguous(memory_format=layout).requires_grad_()
    wide = logits.detach().to(torch.float64).requires_grad_()
    values = pixel_cross_entropy(logits, labels), F.cross_entropy(wide, labels, ignore_index=IGNORE, reduction="none")
    toward = torch.randn_like(values[1])
    got, wanted = (torch.autograd.grad(v, x, toward.to(v.dtype)) for v, x in zip(values, (logits, wide), strict=True))
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 1e-2}[dtype]
    assert values[0].dtype == (torch.float64 if dtype == torch.float64 else torch.float32) and got[0].dtype == dtype
    torch.testing.assert_close(values[0].double(), values[1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(got[0].double(), wanted[0], rtol=tolerance, atol=tolerance)
    assert not values[0][0, :2].any() and not got[0][0, :, :2].any()


def test_gradients_by_finite_differences():
    logits, labels = some(b=1, h=3, w=2)
    labels[0, 0] = IGNORE
    assert torch.autograd.gradcheck(lambda x: pixel_cross_entropy(x, labels), logits)


def test_labels_beyond_the_classes_are_refused():
    logits, labels = some()
    labels[0, 3, 0] = 4
    with pytest.raises((IndexError, RuntimeError), match="out of bounds|out of range"):
        pixel_cross_entropy(logits, labels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_kth_smallest_is_torchs(dtype):
    values = torch.randn(50, dtype=dtype, requires_grad=True)
    with torch.no_grad():
        values[3] = values[7] = -1.0
        values[5] = torch.nan
        for k in (1, 2, 20, 49, 50):
            found, wanted = kth_smallest(values, k), values.kthvalue(k).values
            assert found.dtype == dtype and torch.equal(found, wanted) or (found.isnan() and wanted.isnan())
