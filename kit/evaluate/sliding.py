"""Windows over images too large to be shown whole: where they lie, and how what is said in them is put together."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from kit.types import PADDING

Place = tuple[int, int, int]
"""(image of the batch, top, left) of a window."""


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin along one axis: every `stride` pixels, and the last one flush with the edge."""
    last = max(length - window, 0)
    return [*range(0, last, stride), last]


def pad_images(images: Tensor, height: int, width: int, top: int = 0, left: int = 0) -> Tensor:
    """Images (B, 3, h, w) in 0..1 amid `kit.types.PADDING`, (B, 3, height, width), from row `top` and column `left`
    on."""
    h, w = images.shape[-2:]
    if (h, w) == (height, width):
        return images
    colour = images.new_tensor(PADDING)[:, None, None]
    padded = colour.expand(len(images), 3, height, width).contiguous()
    padded[..., top : top + h, left : left + w] = images
    return padded


def sliding_scores(predict: Callable[[Tensor], Tensor], images: Tensor, window: tuple[int, int],
                   stride: tuple[int, int], batch: int = 1, pad: str = "end") -> Tensor:  # fmt: skip
    """Scores of images, logits or probabilities, averaged over the windows that show a pixel.

    On a CPU with several threads each thread takes windows of its own: a network's small operations share badly among
    threads. Windows are added up in one order, so that numbers do not depend on which is ready first.

    Args:
        predict: images (N, 3, *window) -> scores (N, C, *window); called from several threads at once.
        images: float32 (B, 3, H, W) in 0..1; where a side is shorter than the window's, it is padded, and the padding
            is cut off again.
        batch: windows predicted together.
        pad: on the right and below, "end", or on all sides, "centre", with an odd pixel on the right and below.
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
    def ask(group: list[Place]) -> Tensor:
        return predict(torch.stack([_cut(images, place, window) for place in group]))

    total = None
    for group, scores in zip(groups, _in_turn(ask, groups, images.device), strict=True):
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
    """How many windows show each place along one axis."""
    times = torch.zeros(length)
    for start in starts:
        times[start : start + window] += 1
    return times


def _in_turn(ask: Callable, groups: Iterable, device: torch.device) -> Iterator[Tensor]:
    """`map(ask, groups)`, on a CPU by as many threads as torch has, with few results waiting at a time."""
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    groups = list(groups)
    if threads == 1 or len(groups) == 1:
        yield from map(ask, groups)
        return
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    waiting: deque = deque()
    try:
        for group in groups:
            waiting.append(pool.submit(ask, group))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown()
        torch.set_num_threads(threads)  # the pool's threads have set MKL's number for all
