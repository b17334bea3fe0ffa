"""KL divergence between tables of attention scores, with little memory.

A table for a crop of 512 has a million entries for each image and head; its softmax, log-softmax and their gradients
are as large. Here a few heads are processed at a time, so that they fit the cache, and the forward pass also computes
the gradient with respect to the small table. No large table is kept for the backward pass.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = {"cpu": 2**20, "cuda": 2**25}
"""Entries of large tables that are processed at a time; on a CPU they should fit its cache."""


def table_kl(student: Tensor, teacher: Tensor, resize: Tensor | None = None) -> Tensor:
    """Sum over all tables and rows of KL(softmax teacher || softmax (R student R^T)).

    Args:
        student: scores (M, n, n).
        teacher: scores (M, N, N), perhaps of a smaller dtype; no gradient flows into it.
        resize: R (N, n); None for the identity.
    Returns: scalar, in nats.
    """
    return _TableKL.apply(student, teacher, resize)


class _TableKL(torch.autograd.Function):
    @staticmethod
    def forward(ctx, student: Tensor, teacher: Tensor, resize: Tensor | None) -> Tensor:
        together = max(1, CHUNK.get(student.device.type, 2**25) // teacher[0].numel())
        learns = ctx.needs_input_grad[0]
        gradient = torch.empty_like(student) if learns else student  # without a gradient it is a placeholder
        total = student.new_zeros(())
        for s, t, g in zip(*(x.split(together) for x in (student, teacher, gradient)), strict=True):
            log_q = (s if resize is None else resize @ s @ resize.T).log_softmax(-1)
            log_p = t.to(s.dtype).log_softmax(-1)
            p = log_p.exp()
            total += log_p.sub_(log_q).mul_(p).sum()
            if learns:
                outer = log_q.exp_().sub_(p)
                g.copy_(outer if resize is None else resize.T @ outer @ resize)
        if learns:
            ctx.save_for_backward(gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, outer: Tensor):
        (gradient,) = ctx.saved_tensors
        return gradient * outer, None, None
