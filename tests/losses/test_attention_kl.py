import pytest
import torch
import torch.nn.functional as F

from kit.losses import attention_kl
from kit.losses.attention_kl import table_kl


def plainly(student, teacher, resize=None):
    """The definition, with every table at once."""
    student = student if resize is None else resize @ student @ resize.T
    return F.kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction="sum")


def some(m=5, n=4, large=6):
    resize = torch.rand(large, n, dtype=torch.float64)
    return torch.randn(m, n, n, dtype=torch.float64), torch.randn(m, large, large, dtype=torch.float64), resize


@pytest.mark.parametrize("entries", [1, 72, 10_000])
def test_value_and_gradient_are_the_plain_ones_however_many_are_worked_on_together(entries, monkeypatch):
    monkeypatch.setitem(attention_kl.CHUNK, "cpu", entries)
    student, teacher, resize = some()
    student.requires_grad_()
    results = []
    for form in (table_kl, plainly):
        value = form(student, teacher, resize)
        results.append((value, *torch.autograd.grad(0.3 * value, student)))
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)


def test_tables_of_one_size_are_not_resized():
    _, teacher, _ = some()
    student = torch.randn_like(teacher).requires_grad_()
    torch.testing.assert_close(table_kl(student, teacher), plainly(student, teacher))
    assert torch.autograd.gradcheck(lambda x: table_kl(x, teacher), student)


def test_gradient_by_finite_differences():
    student, teacher, resize = some(m=2)
    assert torch.autograd.gradcheck(lambda x: table_kl(x, teacher, resize), student.requires_grad_())


def test_without_a_gradient_the_arguments_stay_as_they_are():
    student, teacher, resize = some()
    before = student.clone(), teacher.clone()
    with torch.no_grad():
        torch.testing.assert_close(table_kl(student, teacher, resize), plainly(student, teacher, resize))
    assert torch.equal(student, before[0]) and torch.equal(teacher, before[1])
