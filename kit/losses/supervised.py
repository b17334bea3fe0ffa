"""Cross entropy against ground truth, plain and over hard pixels only (OHEM)."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kit.losses.reduction import masked_mean, of_all_processes, require_pixels
from kit.system.precision import at_least_float32
from kit.types import IGNORE


def pixel_cross_entropy(logits: Tensor, *labels: Tensor) -> Tensor:
    """`-log p(label)` of every pixel, 0 where it is ignored; summed over labels if several are given. Can be
    differentiated once.

    Equals `F.cross_entropy(..., reduction="none")` in two thirds of its time: the backward pass builds the gradient,
    softmax minus 1 at the label, in a single tensor.

    Args:
        logits: (B, C, H, W).
        labels: one or more int64 (B, H, W), 0..C-1 or IGNORE.
    Returns: (B, H, W), float32 (float64 for float64 logits), in nats.
    """
    return _PixelCrossEntropy.apply(at_least_float32(logits), torch.stack(labels, 1))


class _PixelCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits: Tensor, labels: Tensor) -> Tensor:
        log_p = logits.log_softmax(1)
        ignored = labels == IGNORE
        labels = labels.masked_fill(ignored, 0)
        ctx.save_for_backward(log_p, labels, ignored)
        return log_p.gather(1, labels).neg_().masked_fill_(ignored, 0.0).sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx, outer: Tensor):
        log_p, labels, ignored = ctx.saved_tensors
        outer = outer[:, None].expand_as(labels).masked_fill(ignored, 0.0)
        return log_p.exp().mul_(outer.sum(1, keepdim=True)).scatter_add_(1, labels, -outer), None


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean of `-log p(label)` over labelled pixels.

    Args:
        logits: (B, C, H, W).
        labels: int64 (B, H, W), 0..C-1 or IGNORE.
    Returns: scalar, float32 (float64 for float64 logits), in nats per pixel; 0 if every pixel is ignored.
    """
    require_pixels(logits, labels)
    return masked_mean(pixel_cross_entropy(logits, labels), labels != IGNORE)


def kth_smallest(values: Tensor, k: int) -> Tensor:
    """The k-th smallest of `values` (N,), counted from 1; nan counts as largest. No gradient.

    On a CPU, numpy's selection is several times as fast as torch's. On a GPU, `kthvalue` of one row runs on one of
    about a hundred multiprocessors; `topk` and `sort` use all of them.
    """
    values = values.detach()
    if values.device.type == "cpu" and type(values) is Tensor:  # not in a traced step
        return torch.as_tensor(np.partition(values.numpy(), k - 1)[k - 1])
    return selected(values, k) if values.device.type == "cuda" else values.sort().values[k - 1]


def selected(values: Tensor, k: int) -> Tensor:
    """`kth_smallest` by an unsorted `topk` from the nearer end of the order; nan comes out as infinite."""
    above = len(values) - k + 1  # the k-th smallest is the least of this many largest
    if above <= k:
        return values.topk(above, largest=True, sorted=False).values.nan_to_num(math.inf, math.inf, -math.inf).min()
    return values.topk(k, largest=False, sorted=False).values.max()


def ohem_cross_entropy(logits: Tensor, labels: Tensor, threshold: float = 0.7, min_kept: int = 0) -> Tensor:
    """Cross entropy over hard pixels only: those whose true class has a probability of at most `threshold`, and at
    least the `min_kept` hardest of the batch over all processes.

    `p <= threshold` is `-log p >= -log threshold`, so the cross entropy alone decides which pixels are hard. The
    `min_kept`-th largest value is selected without sorting; nothing waits for the device.

    Args:
        logits: (B, C, H, W).
        labels: int64 (B, H, W), 0..C-1 or IGNORE.
        threshold: in 0..1.
        min_kept: pixels of the whole batch; 0 is plain cross entropy. If fewer are labelled, all of them are kept.
    Returns: scalar, float32 (float64 for float64 logits), in nats per kept pixel; 0 if every pixel is ignored.
    Source: Shrivastava et al. 2016; thresholded form as used for Cityscapes since OCNet.
    """
    require_pixels(logits, labels)
    if min_kept == 0:
        return cross_entropy(logits, labels)
    per_pixel = pixel_cross_entropy(logits, labels)
    valid = labels != IGNORE
    with torch.no_grad():
        ranked = of_all_processes(per_pixel.masked_fill(~valid, -1.0).flatten())  # ignored pixels rank below all
        kth = kth_smallest(ranked, ranked.numel() - min(min_kept, ranked.numel()) + 1)
        least = kth.clamp(max=-math.log(threshold) if threshold > 0 else math.inf)
    return masked_mean(per_pixel, valid & ~(per_pixel < least))  # negated, so that a nan loss is kept and noticed
