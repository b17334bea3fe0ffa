"""What a trained student sees: val images with predictions, and the frequency bands inside its decoder.

Everything here returns plain arrays; `kit.figures` draws them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kit.checks import require_positive
from kit.data.catalog import find_spec
from kit.data.files import SegFiles
from kit.errors import KitError
from kit.evaluate.load import Student
from kit.evaluate.predict import pad_to_multiple
from kit.models.frequency import FrequencySelect
from kit.models.segmenter import Segmenter
from kit.paths import from_project


class Level(NamedTuple):
    """One lateral connection of the dual-frequency decoder, for one image. C channels, maps of (h, w)."""

    level: int  # 0 is the finest
    stride: int  # pixels of the network's input per pixel of the map
    band: str  # which band the channel attention looks at, "low" or "high"
    low: np.ndarray  # (h, w) mean over channels of the low part's absolute value
    high: np.ndarray  # (h, w) the same of the high part
    spectrum: np.ndarray  # (h, w) log10 of the amplitude, mean over channels; frequency 0 in the middle (h//2, w//2)
    radius: tuple[float, float]  # of the Gaussian, in bins of the spectrum: vertical, horizontal
    attention: np.ndarray  # (C,) weight of each channel, 0..1
    covers: tuple[float, float]  # (height, width) in pixels of the image that the map spans; more where it was padded


class LevelInput(NamedTuple):
    """What enters one such connection."""

    level: int
    lateral: FrequencySelect
    x: Tensor  # (1, C, h, w)
    stride: int
    covers: tuple[float, float]


class Example(NamedTuple):
    """One val image with its truth."""

    name: str
    image: np.ndarray  # uint8 (H, W, 3)
    truth: np.ndarray  # uint8 (H, W), class ids or IGNORE


def val_files(student: Student, data_root: str | None = None, size: tuple[int, int] | None = None) -> SegFiles:
    """The val images a student was judged on.

    Args:
        data_root: the data set's folder, if it is not where it was in training.
        size: (height, width) to which images are resized, as the run did; None leaves the size they have on disk.
    Raises: KitError if it is not there.
    """
    data = student.config.data
    root = from_project(data_root or data.root)
    return SegFiles(find_spec(data.dataset, root), root, "val", size, keep_aspect=data.keep_aspect)


def choose(files: SegFiles, images: Sequence[str] = (), count: int = 4, seed: int = 0) -> list[Example]:
    """The images with these ids, or if there are none, `count` drawn at random from those with a mask.

    Nobody picks the ones that look best: the draw follows from `seed` alone.

    Raises: KitError for an id that has no image or no mask, or if no image has a mask.
    """
    require_positive(count=count)
    if not files.masked_ids:
        raise KitError(f"no {files.part} image in {files.root} has a mask")
    for name in images:
        if name not in files.masked_ids:
            raise KitError(
                f"no {files.part} image {name!r} with a mask in {files.root}; ids look like {files.masked_ids[0]!r}"
            )
    order = np.random.default_rng(seed).permutation(len(files.masked_ids))[:count]
    names = list(images) or sorted(files.masked_ids[i] for i in order)
    examples = []
    for name in names:
        image, truth = files.pair(name)
        examples.append(Example(name, image.permute(1, 2, 0).numpy(), truth.numpy()))
    return examples


def predictions(students: Sequence[Student], examples: Sequence[Example]) -> list[list[np.ndarray]]:
    """Class ids uint8 (H, W): one list per student, one entry per example. Raises KitError if classes differ."""
    if any(student.classes != students[0].classes for student in students):
        raise KitError("these runs have different classes; compare runs of one data set")
    with torch.no_grad():
        return [[student.predict(example.image) for example in examples] for student in students]


def has_bands(net: Segmenter) -> bool:
    """Whether the decoder selects channels by frequency, so that `frequency_levels` has something to say."""
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
    """What enters those lateral connections. Arguments and errors are those of `frequency_levels`."""
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
    """What a student's network sees of an image uint8 (H, W, 3), (1, 3, h, w), and the height and width in pixels of
    the image that this spans: more than the image's own where it was padded."""
    x = student.prepare(image)
    padded = pad_to_multiple(x, student.net.multiple)
    height, width = (
        side * whole / part for side, whole, part in zip(image.shape[:2], padded.shape[-2:], x.shape[-2:], strict=True)
    )
    return padded, (height, width)


def laterals(net: Segmenter) -> list[tuple[int, FrequencySelect]]:
    """Level and lateral connection of every one that selects channels by frequency."""
    connections = getattr(net.decoder, "laterals", ())
    return [(i, lateral) for i, lateral in enumerate(connections) if isinstance(lateral, FrequencySelect)]


def _level(index: int, lateral: FrequencySelect, x: Tensor, stride: int, covers: tuple[float, float]) -> Level:
    low, high = lateral.split(x)
    amplitude = torch.fft.fft2(x.float()).abs().mean(1)[0]
    # A map of one constant has amplitudes of 0; the floor keeps their logarithm finite.
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
