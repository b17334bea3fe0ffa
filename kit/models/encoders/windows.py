"""Cutting maps into windows, and joining them again. Windows that overhang the map are cut to their part on the map."""

import torch
from torch import Tensor


def cut(x: Tensor, window: tuple[int, int]) -> list[Tensor]:
    """Windows of a map (B, H, W, C), starting at its top left: a tensor (M, a, b, C) for each window size.

    There are up to four sizes: whole windows, the rest on the right, the rest below, and the corner.
    """
    parts = []
    for rows, n, a in _spans(x.shape[1], window[0]):
        for columns, m, b in _spans(x.shape[2], window[1]):
            blocks = x[:, rows, columns].unflatten(2, (m, b)).unflatten(1, (n, a))  # (B, n, a, m, b, C)
            parts.append(blocks.transpose(2, 3).flatten(0, 2))
    return parts


def joined(windows: list[Tensor], size: tuple[int, int], window: tuple[int, int]) -> Tensor:
    """Undo `cut`: the map (B, *size, C) from its windows, in the order of `cut`."""
    parts, rows = iter(windows), []
    for _, n, a in _spans(size[0], window[0]):
        row = []
        for _, m, b in _spans(size[1], window[1]):
            blocks = next(parts).unflatten(0, (-1, n, m)).transpose(2, 3)  # (B, n, a, m, b, C)
            row.append(blocks.reshape(-1, n * a, m * b, blocks.shape[-1]))
        rows.append(concatenated(row, 2))
    return concatenated(rows, 1)


def concatenated(parts: list[Tensor], dim: int) -> Tensor:
    """`torch.cat` that does not copy a single tensor."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)


def _spans(length: int, window: int) -> list[tuple[slice, int, int]]:
    """Along one axis, (range, number of windows, their side) of the part that whole windows cover, and of the rest."""
    whole = length // window
    spans = [(slice(0, whole * window), whole, window), (slice(whole * window, length), 1, length % window)]
    return [span for span in spans if span[1] * span[2]]
