"""Frames of short videos: animations by Pillow, everything else by PyAV, where it is installed."""

from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from kit.errors import KitError
from kit.system.first_use import optional

ANIMATIONS = frozenset({".gif", ".webp", ".apng"})
VIDEOS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg"})
"""File suffixes of videos, in lower case."""


def is_video(path: Path) -> bool:
    """Whether a file is a video or an animation of several frames."""
    suffix = Path(path).suffix.lower()
    if suffix not in ANIMATIONS:
        return suffix in VIDEOS
    try:
        with Image.open(path) as picture:
            return getattr(picture, "n_frames", 1) > 1
    except Exception:  # Pillow's readers raise any error; the caller reports what is wrong with the file
        return False


def read_frames(path: Path, most: int, largest: int) -> tuple[list[np.ndarray], float]:
    """The first frames of a video, uint8 (H, W, 3) each, and the number of frames per second.

    Args:
        most: largest number of frames to read; later frames are left out.
        largest: largest side in pixels.
    Raises: KitError naming the file if it cannot be read, is too large, or PyAV is missing.
    """
    path = Path(path)
    try:
        frames, rate = (_animation if path.suffix.lower() in ANIMATIONS else _video)(path, most, largest)
    except KitError:
        raise
    except Exception as error:  # both libraries raise errors of many kinds
        raise KitError(f"{path.name} cannot be read as a video: {str(error) or type(error).__name__}") from error
    if not frames:
        raise KitError(f"{path.name} has no frame that could be read")
    return frames, rate


def check_sides(name: str, width: int, height: int, largest: int) -> None:
    """Raise KitError if a picture has no pixels, or a side of more than `largest`."""
    if not 0 < min(width, height) <= max(width, height) <= largest:
        raise KitError(f"{name} has {width} x {height} pixels; a side may have 1 to {largest}")


def _animation(path: Path, most: int, largest: int) -> tuple[list[np.ndarray], float]:
    with Image.open(path) as picture:
        check_sides(path.name, *picture.size, largest)
        frames, lasts = [], []
        for frame in islice(ImageSequence.Iterator(picture), most):
            frames.append(np.asarray(frame.convert("RGB")))
            lasts.append(frame.info.get("duration") or 100)
    return frames, 1000 * len(lasts) / sum(lasts) if lasts else 10.0


def _video(path: Path, most: int, largest: int) -> tuple[list[np.ndarray], float]:
    av = optional("av", "videos need PyAV; install the extra: pip install -e '.[serve]'")
    with av.open(str(path)) as container:
        stream = next(iter(container.streams.video), None)
        if stream is None:
            raise KitError(f"{path.name} holds no video")
        check_sides(path.name, stream.codec_context.width, stream.codec_context.height, largest)
        frames = [_upright(frame) for frame in islice(container.decode(stream), most)]
        return frames, float(stream.average_rate or 25)


def _upright(frame) -> np.ndarray:
    """The pixels of a frame of PyAV, turned as telephones note it in their videos (older releases do not report it)."""
    turns = round(getattr(frame, "rotation", 0) / 90)
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))
