"""Distillation losses of a student against frozen teachers at three levels: pixels, regions and whole images.

No gradient flows into a teacher's side. Invalid pixels have no weight at any level.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from kit.losses.reduction import masked_mean, require_pixels, require_same_shape
from kit.settings.checks import require_choice, require_positive
from kit.system.precision import at_least_float32
from kit.types import IGNORE

REGIONS = 7
"""Regions along each side (MGD)."""


def pixel_labels(student: Tensor, labels: list[Tensor], valid: Tensor) -> Tensor:
    """Cross entropy against each teacher's most likely classes, summed over teachers (MGD, pixel level).

    Args:
        student: logits (B, C, H, W).
        labels: int64 (B, H, W) of each teacher, 0..C-1.
        valid: bool (B, H, W).
    Returns: scalar, a sum of means over valid pixels; 0 if nothing is valid.
    """
    log_p = at_least_float32(student).log_softmax(1)  # once for all teachers
    terms = []
    for label in labels:
        require_pixels(student, label)
        taught = label.masked_fill(~valid, IGNORE)
        terms.append(F.nll_loss(log_p, taught, ignore_index=IGNORE, reduction="none"))
    return masked_mean(torch.stack(terms).sum(0), valid)


def pixel_kl(student: Tensor, teacher: Tensor, valid: Tensor, temperature: float = 1.0) -> Tensor:
    """KL(teacher || student) at every pixel, times the squared temperature (Hinton et al. 2015, section 2).

    Args:
        student: logits (B, C, H, W).
        teacher: logits (B, C, H, W).
        valid: bool (B, H, W).
        temperature: divides both logits.
    Returns: scalar in nats per valid pixel; 0 if nothing is valid.
    """
    require_same_shape(student, teacher)
    require_positive(temperature=temperature)
    log_s = (at_least_float32(student) / temperature).log_softmax(1)
    log_t = (at_least_float32(teacher.detach()) / temperature).log_softmax(1)
    per_pixel = F.kl_div(log_s, log_t, reduction="none", log_target=True).sum(1)  # (B, H, W)
    return masked_mean(per_pixel, valid) * temperature**2


def image_l1(student: Tensor, teacher: Tensor, valid: Tensor, reduction: str = "mean") -> Tensor:
    """Absolute difference between student and teacher of the logits averaged over each image (MGD, image level).

    Args:
        student: logits (B, C, H, W).
        teacher: logits averaged over the valid pixels of each image (B, C), from `Frozen.mean_logits`.
        valid: bool (B, H, W).
        reduction: "mean" over images and classes, or "sum" over classes and mean over images, C times larger. (The
            authors also sum over the images of one process, so their loss depends on that number; the recipes of
            their settings include it in the weight.)
    Returns: scalar, in units of logits.
    """
    require_same_shape(student[:, :, 0, 0], teacher)
    require_choice(("mean", "sum"), reduction=reduction)
    difference = (_pool(student, valid, 1).flatten(1) - at_least_float32(teacher.detach())).abs()
    return difference.mean() if reduction == "mean" else difference.sum(1).mean()


def region_mse(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    """Mean squared difference of student's and teacher's self-similarity tables (MGD, region level).

    Features are averaged over 7 x 7 regions. A table holds the cosine similarity of every pair of regions, so student
    and teacher may differ in channels and in size.

    Args:
        student: features (B, Cs, hs, ws).
        teacher: features (B, Ct, ht, wt).
        valid: bool (B, H, W) at the size of the image; regions without a valid pixel are left out.
    Returns: scalar, a mean over pairs of regions.
    """
    tables = [_self_similarity(_pool(x, valid, REGIONS)) for x in (student, teacher.detach())]
    seen = F.adaptive_avg_pool2d(valid[:, None].float(), REGIONS).flatten(1) > 0  # (B, 49)
    return masked_mean((tables[0] - tables[1]).square(), seen[:, :, None] & seen[:, None, :])


def _self_similarity(pooled: Tensor) -> Tensor:
    """(B, C, n, n) -> cosines (B, n*n, n*n)."""
    with torch.autocast(pooled.device.type, enabled=False):  # autocast would run the product in half precision
        unit = F.normalize(pooled.flatten(2), dim=1)
        return unit.transpose(1, 2) @ unit


def _pool(x: Tensor, valid: Tensor, regions: int) -> Tensor:
    """Means of (B, C, h, w) over the valid pixels of each of `regions` x `regions` regions; 0 if a region has none."""
    x = at_least_float32(x)
    weight = F.adaptive_avg_pool2d(valid[:, None].to(x.dtype), x.shape[-2:])
    # divided by the pooled weight: where every pixel is valid, this equals the plain mean bit for bit
    return F.adaptive_avg_pool2d(x * weight, regions) / F.adaptive_avg_pool2d(weight, regions).clamp(min=1e-6)
