import pytest
import torch
import torch.nn.functional as F

from kit.errors import KitError
from kit.losses.granularity import image_l1, pixel_kl, pixel_labels, region_mse
from kit.losses.supervised import cross_entropy
from kit.types import IGNORE

B, C, H, W = 2, 3, 14, 21


def logits(grad=True):
    return torch.randn(B, C, H, W, dtype=torch.float64, requires_grad=grad)


def everything():
    return torch.ones(B, H, W, dtype=torch.bool)


def upper():
    valid = everything()
    valid[:, H // 2 :] = False
    return valid


def test_pixel_labels_are_cross_entropies_summed_over_teachers():
    student, teachers, valid = logits(), [torch.randint(0, C, (B, H, W)) for _ in range(2)], upper()
    expected = sum(cross_entropy(student, labels.masked_fill(~valid, IGNORE)) for labels in teachers)
    torch.testing.assert_close(pixel_labels(student, teachers, valid), expected)


def test_pixel_kl_by_hand():
    student, teacher, valid, t = logits(), logits(), upper(), 2.0
    p, q = (teacher / t).softmax(1), (student / t).softmax(1)
    expected = ((p * (p / q).log()).sum(1)[valid]).mean() * t**2
    torch.testing.assert_close(pixel_kl(student, teacher, valid, t), expected)
    assert pixel_kl(teacher, teacher, valid).abs() < 1e-12
    with pytest.raises(KitError, match="temperature"):
        pixel_kl(student, teacher, valid, 0.0)


def test_image_l1_by_hand_as_sum_and_as_mean():
    student, teacher = logits(), torch.randn(B, C, dtype=torch.float64)
    total = (student.mean((2, 3)) - teacher).abs().sum()
    torch.testing.assert_close(image_l1(student, teacher, everything(), "sum"), total / B)
    torch.testing.assert_close(image_l1(student, teacher, everything()), total / (B * C))
    upper_half = (student[:, :, : H // 2].mean((2, 3)) - teacher).abs().mean()
    torch.testing.assert_close(image_l1(student, teacher, upper()), upper_half)


def similarity(features):
    q = F.adaptive_avg_pool2d(features, 7).flatten(2)
    norm = q.norm(dim=1)
    return q.transpose(1, 2) @ q / norm[:, :, None] / norm[:, None, :]


def test_region_mse_by_hand_for_maps_of_any_channels_and_size():
    student, teacher = torch.randn(B, 5, 9, 8, dtype=torch.float64), torch.randn(B, 4, 14, 7, dtype=torch.float64)
    expected = (similarity(student) - similarity(teacher)).square().mean()
    torch.testing.assert_close(region_mse(student, teacher, everything()), expected)
    assert region_mse(student, 3 * student, everything()) < 1e-12  # cosines do not know lengths


def test_regions_without_a_valid_pixel_are_left_out():
    student, teacher = torch.randn(B, 5, 14, 14, requires_grad=True), torch.randn(B, 4, 14, 14)
    region_mse(student, teacher, upper()).backward()
    assert student.grad[:, :, 8:].abs().sum() == 0 < student.grad[:, :, :6].abs().sum()
    changed = student.detach().clone()
    changed[:, :, 8:] = 7.0
    assert region_mse(changed, teacher, upper()) == region_mse(student, teacher, upper())


@pytest.mark.parametrize("loss", ["labels", "kl", "image", "region"])
def test_padding_weighs_nothing_and_teachers_get_no_gradient(loss):
    student, teacher, valid = logits(), logits(), upper()
    terms = {
        "labels": lambda s, t, v: pixel_labels(s, [t.argmax(1)], v),
        "kl": pixel_kl,
        "image": lambda s, t, v: image_l1(s, (t * v[:, None]).sum((2, 3)), v),
        "region": region_mse,
    }
    terms[loss](student, teacher, valid).backward()
    assert (
        teacher.grad is None
        and student.grad[:, :, : H // 2].abs().sum() > 0 == student.grad[:, :, H // 2 :].abs().sum()
    )
    nothing = terms[loss](student, teacher, torch.zeros_like(valid))
    assert torch.isfinite(nothing) and nothing == 0


def test_extreme_values_stay_finite():
    student, teacher = (1e4 * logits(False)).float().requires_grad_(), (1e4 * logits(False)).float()
    flat = torch.zeros(B, 4, 7, 7, requires_grad=True)
    losses = [pixel_kl(student, teacher, everything()), region_mse(flat, teacher, everything())]
    sum(losses).backward()
    assert all(torch.isfinite(x).all() for x in (*losses, student.grad, flat.grad))
