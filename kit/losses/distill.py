"""Learning from what is inside another network. No gradient ever flows into the teacher's side."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kit.errors import KitError
from kit.losses.reduce import require_same_shape


def map_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of two maps (B, C, H, W), over all elements (TriKD, low-level distillation).

    Returns: float32 scalar. Raises KitError if the shapes differ.
    """
    require_same_shape(student, teacher)
    return F.mse_loss(student.float(), teacher.detach().float())


def attention_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(teacher || student) between two attention tables, softmax over keys (TriKD, high-level distillation).

    The student's table is resized bilinearly to the teacher's token grid, queries and keys each as two-dimensional
    grids. The result is a mean over images, heads and queries. (The authors' code resizes the flattened N x N table,
    and takes the mean over every element, N times smaller.)

    Args:
        student: scores before softmax (B, heads, h, w, h, w).
        teacher: likewise (B, heads, H, W, H, W).
    Returns: float32 scalar in nats per query.
    Raises: KitError if batch or heads differ.
    """
    if student.shape[:2] != teacher.shape[:2]:
        raise KitError(f"attention tables of {tuple(student.shape[:2])} and {tuple(teacher.shape[:2])} (batch, heads)")
    grid = teacher.shape[-2:]
    # autocast would run the matrix products in half precision
    with torch.autocast(student.device.type, enabled=False):
        s = student.float().flatten(4).flatten(2, 3)  # (B, heads, n, n)
        t = teacher.detach().float().flatten(4).flatten(2, 3)  # (B, heads, N, N)
        if student.shape[-2:] != grid:
            to_grid = _resize_matrix(student.shape[-2:], grid).to(s)  # (N, n)
            s = to_grid @ s @ to_grid.T
        log_s, log_t = s.log_softmax(-1), t.log_softmax(-1)
        return F.kl_div(log_s, log_t, reduction="none", log_target=True).sum(-1).mean()


def _resize_matrix(source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """Bilinear resizing (corners aligned) of flattened grids as a matrix (target cells, source cells)."""
    n = source[0] * source[1]
    units = torch.eye(n).reshape(n, 1, *source)
    return F.interpolate(units, size=tuple(target), mode="bilinear", align_corners=True).flatten(1).T
