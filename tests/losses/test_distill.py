import pytest
import torch

from kit.errors import KitError
from kit.losses.distill import attention_kl, map_mse


def test_mse_by_hand_and_no_gradient_into_the_teacher():
    student = torch.tensor([1.0, 3.0]).view(1, 1, 1, 2).requires_grad_()
    teacher = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).requires_grad_()
    loss = map_mse(student, teacher)
    loss.backward()
    assert loss.item() == pytest.approx(2.5) and teacher.grad is None
    assert student.grad.flatten().tolist() == pytest.approx([1.0, 2.0])
    assert map_mse(student, teacher, "variance").item() == pytest.approx(2.5 / 0.25)
    assert map_mse(5 * student, 5 * teacher, "variance").item() == pytest.approx(10)  # whatever the scale
    with pytest.raises(KitError, match="unit must be one of map, variance"):
        map_mse(student, teacher, "std")
    with pytest.raises(KitError, match="shapes differ"):
        map_mse(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, 2))


def kl_by_hand(student, teacher):
    """KL(teacher || student) over keys, of tables on the same grid, as a mean over images, heads and queries."""
    p, q = (x.flatten(4).flatten(2, 3).double().softmax(-1) for x in (teacher, student))
    return (p * (p / q).log()).sum(-1).mean()


def test_kl_by_hand_on_equal_grids():
    student, teacher = torch.randn(2, 3, 2, 4, 2, 4), torch.randn(2, 3, 2, 4, 2, 4)
    torch.testing.assert_close(attention_kl(student, teacher).double(), kl_by_hand(student, teacher))
    assert attention_kl(teacher, teacher).abs() < 1e-6


def test_grids_are_resized_in_space_for_queries_and_keys():
    # A table that is a product of a bilinear function of the query's and of the key's place is resized exactly.
    def table(h, w):
        y, x = torch.linspace(0, 1, h)[:, None], torch.linspace(0, 1, w)
        place = 1 + 2 * y - 3 * x + x * y
        return (place[:, :, None, None] * place).expand(1, 2, h, w, h, w)

    assert attention_kl(table(2, 3), table(4, 6)).abs() < 1e-6
    assert attention_kl(table(2, 3), table(4, 6).flip(2)) > 0.1


def test_only_the_student_learns_and_extremes_stay_finite():
    student = (1e4 * torch.randn(1, 1, 2, 2, 2, 2)).requires_grad_()
    teacher = (1e4 * torch.randn(1, 1, 2, 2, 2, 2)).requires_grad_()
    loss = attention_kl(student, teacher)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(student.grad).all() and student.grad.abs().sum() > 0
    assert teacher.grad is None


def test_heads_must_agree():
    with pytest.raises(KitError, match="batch, heads"):
        attention_kl(torch.zeros(1, 2, 2, 2, 2, 2), torch.zeros(1, 3, 2, 2, 2, 2))


def test_the_official_reduction_counts_every_element():
    student, teacher = torch.randn(2, 3, 2, 3, 2, 3), torch.randn(2, 3, 4, 4, 4, 4)
    per_query = attention_kl(student, teacher)
    torch.testing.assert_close(attention_kl(student, teacher, reduction="elements"), per_query / 16)
    with pytest.raises(KitError, match="reduction must be one of queries, elements"):
        attention_kl(student, teacher, reduction="mean")


def test_the_official_resizing_takes_the_table_as_an_image():
    student, teacher = torch.randn(2, 3, 2, 3, 2, 3), torch.randn(2, 3, 4, 4, 4, 4)
    flat = student.flatten(4).flatten(2, 3)
    flat = torch.nn.functional.interpolate(flat, size=(16, 16), mode="bilinear", align_corners=True)
    expected = kl_by_hand(flat[:, :, :, None, :, None], teacher.flatten(4).flatten(2, 3)[:, :, :, None, :, None])
    table = attention_kl(student, teacher, resize="table")
    torch.testing.assert_close(table.double(), expected)
    assert (table - attention_kl(student, teacher)).abs() > 1e-3
    same = torch.randn(2, 3, 4, 4, 4, 4)
    assert attention_kl(same, teacher, resize="table") == attention_kl(same, teacher)
