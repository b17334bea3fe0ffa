"""Distillation of feature maps and attention scores. No gradient flows into the teacher's side."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kit.errors import KitError
from kit.losses.attention_kl import table_kl
from kit.losses.reduction import require_same_shape
from kit.settings.checks import require_choice
from kit.system.precision import at_least_float32


def map_mse(student: Tensor, teacher: Tensor, unit: str = "map") -> Tensor:
    """Mean squared difference of two maps (B, C, H, W), over all elements (TriKD, low-level distillation).

    Args:
        unit: "map", the plain squared difference (published); or "variance", the difference divided by the variance of
            the teacher's map, so that the loss does not depend on the scale of an encoder's activations.
    Returns: scalar, float32 (float64 for float64 maps); with "variance", 1 if the student predicts the teacher's mean.
    Raises: KitError if the shapes differ, or for another unit.
    """
    require_same_shape(student, teacher)
    require_choice(("map", "variance"), unit=unit)
    teacher = at_least_float32(teacher.detach())
    loss = F.mse_loss(at_least_float32(student), teacher)
    return loss if unit == "map" else loss / teacher.var(correction=0).clamp(min=1e-12)


def attention_kl(student: Tensor, teacher: Tensor, resize: str = "grids", reduction: str = "queries") -> Tensor:
    """KL(teacher || student) between two attention tables, softmax over keys (TriKD, high-level distillation).

    If the sizes differ, the student's table is resized bilinearly (corners aligned) to the teacher's.

    Args:
        student: scores before softmax (B, heads, h, w, h, w).
        teacher: scores (B, heads, H, W, H, W).
        resize: "grids" resizes queries and keys as two-dimensional grids; "table" resizes the flattened h*w x h*w
            table to H*W x H*W, which interpolates across the ends of image rows (the authors' code).
        reduction: "queries" is the mean over images, heads and queries; "elements" the mean over all elements of the
            table (the authors' code), H*W times smaller.
    Returns: scalar, float32 (float64 for float64 scores), in nats per query for "queries".
    Raises: KitError if batch or heads differ, or for an unknown `resize` or `reduction`.
    """
    require_choice(("grids", "table"), resize=resize)
    require_choice(("queries", "elements"), reduction=reduction)
    if student.shape[:2] != teacher.shape[:2]:
        raise KitError(f"attention tables of {tuple(student.shape[:2])} and {tuple(teacher.shape[:2])} (batch, heads)")
    # autocast would run the matrix products in half precision
    with torch.autocast(student.device.type, enabled=False):
        s, t = at_least_float32(student), teacher.detach()
        to_teacher = None
        if s.shape != t.shape:
            to_teacher = _resize_matrix(tuple(s.shape[-2:]), tuple(t.shape[-2:]), resize, s)
        s, t = (x.flatten(4).flatten(2, 3).flatten(0, 1) for x in (s, t))  # (B * heads, n, n), (B * heads, N, N)
        nats = table_kl(s, t, to_teacher)
        return nats / t.shape[:2].numel() if reduction == "queries" else nats / t.numel()


def _resize_matrix(source: tuple[int, int], target: tuple[int, int], resize: str, like: Tensor) -> Tensor:
    """Matrix (target cells, source cells) of bilinear resizing (corners aligned) along one side of a table.

    "grids" treats each side of the table as a two-dimensional grid, "table" as a one-dimensional row.
    """
    if resize == "table":
        source, target = (source[0] * source[1], 1), (target[0] * target[1], 1)
    n = source[0] * source[1]
    units = torch.eye(n, device=like.device, dtype=like.dtype).reshape(n, 1, *source)
    return F.interpolate(units, size=target, mode="bilinear", align_corners=True).flatten(1).T
