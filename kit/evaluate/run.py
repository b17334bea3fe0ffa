"""Judge a network on the val part of a data set."""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from kit.data.catalog import DatasetSpec
from kit.evaluate.metrics import Scores, confusion_matrix, scores_of
from kit.models.segmenter import Segmenter
from kit.models.upsampled import resize

PROTOCOL = "whole image, single scale, no flip, one confusion matrix"
"""What stands beside every number this file makes."""


@torch.no_grad()
def predict_logits(net: Segmenter, images: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Logits of whole images, padded on the right and below to what the network takes and cut again.

    Args:
        net: in eval mode.
        images: normalised (B, 3, H, W), any size.
        size: (height, width) of the result; None is (H, W).
    Returns: float32 (B, C, *size).
    """
    h, w = images.shape[-2:]
    logits = net(pad_to_multiple(images, net.multiple)).logits[..., :h, :w].float()
    return logits if size in (None, (h, w)) else resize(logits, size)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Images (B, 3, H, W) with zeros (ImageNet's mean) on the right and below, up to the next multiple."""
    h, w = images.shape[-2:]
    return F.pad(images, (0, -w % multiple, 0, -h % multiple))


def evaluate(net: Segmenter, items: Iterable[tuple[str, Tensor, Tensor]], spec: DatasetSpec, batch: int = 4) -> Scores:
    """Scores of `net` over (id, image (3, H, W), mask (H', W')) items, compared at the mask's size.

    The network is put in eval mode and stays there; it is used on the device it is on.
    """
    net.eval()  # also drops what TinyViT remembers of its position biases, which an average has changed since
    device = next(net.parameters()).device
    matrix = torch.zeros(spec.num_classes, spec.num_classes, dtype=torch.long, device=device)
    count = 0
    for images, masks in _batches(items, batch):
        images, masks = images.to(device), masks.to(device)
        prediction = predict_logits(net, images, tuple(masks.shape[-2:])).max(1).indices
        matrix += confusion_matrix(prediction, masks, spec.num_classes)
        count += len(images)
    return scores_of(matrix.cpu(), spec.classes, count)


def _batches(items: Iterable[tuple[str, Tensor, Tensor]], batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Neighbouring items of equal size, stacked."""
    held: list[tuple[Tensor, Tensor]] = []
    for _, image, mask in items:
        if held and (len(held) == batch or (image.shape, mask.shape) != (held[0][0].shape, held[0][1].shape)):
            yield _stacked(held)
            held = []
        held.append((image, mask))
    if held:
        yield _stacked(held)


def _stacked(held: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    images, masks = zip(*held, strict=True)
    return torch.stack(images), torch.stack(masks)
