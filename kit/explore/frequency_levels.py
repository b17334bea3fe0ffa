"""The frequency bands inside a trained student's decoder, for one image, as plain arrays; `kit.figures` draws them."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kit.errors import KitError
from kit.evaluate.predict import pad_to_multiple
from kit.evaluate.student import Student
from kit.models.decoders.frequency import FrequencySelect
from kit.models.segmenter import Segmenter


class Level(NamedTuple):
    """One lateral connection of the dual-frequency decoder, for one image. C channels, maps of (h, w)."""

    level: int  # 0 is the finest
    stride: int  # pixels of the network's input per pixel of the map
    band: str  # input of the channel attention: "low" or "high" part
    low: np.ndarray  # (h, w) mean over channels of the low part's absolute value
    high: np.ndarray  # (h, w) the same of the high part
    spectrum: np.ndarray  # (h, w) log10 of the amplitude, mean over channels; frequency 0 in the middle (h//2, w//2)
    radius: tuple[float, float]  # of the Gaussian, in bins of the spectrum: vertical, horizontal
    attention: np.ndarray  # (C,) weight of each channel, 0..1
    covers: tuple[float, float]  # (height, width) of the map in image pixels; larger than the image if padded


class LevelInput(NamedTuple):
    """Input of one lateral connection that selects channels by frequency."""

    level: int
    lateral: FrequencySelect
    x: Tensor  # (1, C, h, w)
    stride: int
    covers: tuple[float, float]


def has_bands(net: Segmenter) -> bool:
    """Whether the decoder selects channels by frequency, as `frequency_levels` requires."""
    return bool(laterals(net))


@torch.no_grad()
def frequency_levels(student: Student, image: np.ndarray) -> list[Level]:
    """The bands of every lateral connection that selects channels by frequency, fine to coarse.

    Args:
        image: uint8 (H, W, 3).
    Raises: KitError if the decoder has none.
    """
    return [_level(*found) for found in level_inputs(student, image)]


def level_inputs(student: Student, image: np.ndarray) -> list[LevelInput]:
    """Inputs of these lateral connections, with the arguments and errors of `frequency_levels`."""
    net = student.net
    found = laterals(net)
    if not found:
        raise KitError(
            f"the decoder of this {student.config.student.name} has no frequency selection "
            f'(student.selection is "{student.config.student.selection}"), so there are no bands to show'
        )
    padded, covers = padded_input(student, image)
    maps = net.encode(padded).maps
    return [
        LevelInput(index, lateral, maps[index], padded.shape[-1] // maps[index].shape[-1], covers)
        for index, lateral in found
    ]


def padded_input(student: Student, image: np.ndarray) -> tuple[Tensor, tuple[float, float]]:
    """The network's input (1, 3, h, w) for an image uint8 (H, W, 3), and the input's (height, width) in image pixels,
    which is larger than the image if the input was padded."""
    x = student.prepare(image)
    padded = pad_to_multiple(x, student.net.multiple)
    height, width = (
        side * whole / part for side, whole, part in zip(image.shape[:2], padded.shape[-2:], x.shape[-2:], strict=True)
    )
    return padded, (height, width)


def laterals(net: Segmenter) -> list[tuple[int, FrequencySelect]]:
    """(level, connection) for every lateral connection that selects channels by frequency."""
    connections = getattr(net.decoder, "laterals", ())
    return [(i, lateral) for i, lateral in enumerate(connections) if isinstance(lateral, FrequencySelect)]


def _level(index: int, lateral: FrequencySelect, x: Tensor, stride: int, covers: tuple[float, float]) -> Level:
    low, high = lateral.split(x)
    amplitude = torch.fft.fft2(x.float()).abs().mean(1)[0]
    # A constant map has amplitudes of 0; the floor keeps their logarithm finite.
    spectrum = torch.fft.fftshift(amplitude).clamp_min(1e-6).log10()
    return Level(
        level=index,
        stride=stride,
        band=lateral.band,
        low=_array(low.abs().mean(1)[0]),
        high=_array(high.abs().mean(1)[0]),
        spectrum=_array(spectrum),
        radius=lateral.radius(*x.shape[-2:]),
        attention=_array(lateral.channel_attention(x).flatten()),
        covers=covers,
    )


def _array(x: Tensor) -> np.ndarray:
    return x.float().cpu().numpy()
