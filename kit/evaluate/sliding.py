"""Sliding windows: their positions, and the average of their scores."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from kit.types import PADDING

Place = tuple[int, int, int]
"""(image of the batch, top, left) of a window."""


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """Starts of windows along one axis: every `stride` pixels, and the last one flush with the edge."""
    last = max(length - window, 0)
    return [*range(0, last, stride), last]


def pad_images(images: Tensor, height: int, width: int, top: int = 0, left: int = 0) -> Tensor:
    """Images (B, 3, h, w) in 0..1 padded with `kit.types.PADDING` to (B, 3, height, width); they start at row `top` and
    column `left`."""
    h, w = images.shape[-2:]
    if (h, w) == (height, width):
        return images
    colour = images.new_tensor(PADDING)[:, None, None]
    padded = colour.expand(len(images), 3, height, width).contiguous()
    padded[..., top : top + h, left : left + w] = images
    return padded


def sliding_scores(predict: Callable[[Tensor], Tensor], images: Tensor, window: tuple[int, int],
                   stride: tuple[int, int], batch: int = 1, pad: str = "end") -> Tensor:  # fmt: skip
    """Scores of images, logits or probabilities, averaged over the windows that contain a pixel.

    On a CPU with several threads each thread takes its own windows, because small operations of a network do not scale
    over threads. Windows are summed in a fixed order, so that results do not depend on timing.

    Args:
        predict: images (N, 3, *window) -> scores (N, C, *window); called from several threads at once.
        images: float32 (B, 3, H, W) in 0..1; a side shorter than the window is padded, and the padding is cut off.
        batch: windows predicted together.
        pad: "end", on the right and below, or "centre", on all sides, with an odd pixel on the right and below.
    Returns: float32 (B, C, H, W).
    """
    height, width = images.shape[-2:]
    full = max(height, window[0]), max(width, window[1])
    top, left = ((full[0] - height) // 2, (full[1] - width) // 2) if pad == "centre" else (0, 0)
    images = pad_images(images, *full, top, left)
    rows, columns = (window_starts(*axis) for axis in zip(images.shape[-2:], window, stride, strict=True))
    places = [(i, top, left) for i in range(len(images)) for top in rows for left in columns]
    groups = [places[i : i + batch] for i in range(0, len(places), batch)]

    @torch.no_grad()
    def scores_of(group: list[Place]) -> Tensor:
        return predict(torch.stack([_cut(images, place, window) for place in group]))

    total = None
    for group, scores in zip(groups, _in_turn(scores_of, groups, images.device), strict=True):
        if total is None:
            total = scores.new_zeros(len(images), scores.shape[1], *images.shape[-2:])
        for place, values in zip(group, scores, strict=True):
            _cut(total, place, window).add_(values)
    seen = [_times_seen(side, starts, size) for side, starts, size in
            zip(total.shape[-2:], (rows, columns), window, strict=True)]  # fmt: skip
    total /= torch.outer(*seen).to(total)
    return total[..., top : top + height, left : left + width]


def _cut(images: Tensor, place: Place, window: tuple[int, int]) -> Tensor:
    i, top, left = place
    return images[i, :, top : top + window[0], left : left + window[1]]


def _times_seen(length: int, starts: list[int], window: int) -> Tensor:
    """Number of windows that contain each place along one axis."""
    times = torch.zeros(length)
    for start in starts:
        times[start : start + window] += 1
    return times


def _in_turn(function: Callable, groups: list, device: torch.device) -> Iterator[Tensor]:
    """`map(function, groups)`, on a CPU with as many threads as torch has and a bounded number of waiting results."""
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1 or len(groups) == 1:
        yield from map(function, groups)
        return
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    waiting: deque = deque()
    try:
        for group in groups:
            waiting.append(pool.submit(function, group))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown()
        torch.set_num_threads(threads)  # the pool's threads changed MKL's number for the whole process
