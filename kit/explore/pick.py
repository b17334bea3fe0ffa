"""Choice of val images for a figure: named, random, or the best or worst of a run."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kit.data.reading.files import SegFiles
from kit.errors import KitError
from kit.evaluate.scores.bootstrap import overlaps
from kit.evaluate.scores.counts import load_counts
from kit.evaluate.val_images import Example, choose
from kit.runs.folder import RunFolder
from kit.settings.checks import require_choice, require_positive

PICKS = ("random", "best", "worst")
"""Ways to pick images that are not named."""

LONG, ENDS = 26, (9, 15)
"""Longest id in a menu, and the characters kept at the two ends of a longer one."""


def short_ids(names: Sequence[str]) -> list[str]:
    """Unique names for a menu: the common prefix and suffix of all ids are left out, and long names are cut in the
    middle.

    Words and numbers stay whole: "munster_000173_000019" and "munster_000174_000019" become "…000173…" and "…000174…".
    """
    parts = [re.findall(r"\d+|[^\W\d_]+|[\W_]+", name) for name in names]
    if len(parts) < 2:
        return [_middle_out(name) for name in names]
    shortest = min(map(len, parts))
    start = min(len(os.path.commonprefix(parts)), shortest - 1)
    end = len(os.path.commonprefix([part[::-1] for part in parts]))
    first, last = parts[0][:start], parts[0][len(parts[0]) - end :]
    start = start if len("".join(first)) > 2 else 0  # an ellipsis must not replace one or two characters
    end = min(end, shortest - start - 1) if len("".join(last)) > 2 else 0
    short = [("…" if start else "") + "".join(part[start : len(part) - end]) + ("…" if end else "") for part in parts]
    cut = [_middle_out(name) for name in short]
    return cut if len(set(cut)) == len(cut) else short if len(set(short)) == len(short) else list(names)


def _middle_out(name: str) -> str:
    return name if len(name) <= LONG else f"{name[: ENDS[0]]}…{name[-ENDS[1] :]}"


def image_mious(matrices: np.ndarray) -> np.ndarray:
    """Mean IoU of every image over the classes in its truth, float64 (n,); nan if no pixel is counted.

    Classes that are only predicted lower the IoU of the true classes. These numbers rank images; their mean is not the
    mIoU of a data set.

    Args:
        matrices: int64 (n, C, C), true class by predicted class.
    """
    (hits, unions), true = overlaps(matrices), matrices.sum(2) > 0
    shares = hits / np.maximum(unions, 1)  # 0 for classes without a pixel
    return np.where(true.any(1), (shares * true).sum(1) / np.maximum(true.sum(1), 1), np.nan)


def ranked(run_dir: str | Path, weights: str = "last") -> list[tuple[str, float]]:
    """(id, mean IoU) of every val image with counted pixels, the best first; ties by id.

    Raises: KitError if the run has no counts of these weights.
    """
    counts = load_counts(RunFolder(run_dir).scores(weights))
    pairs = zip(counts.names, image_mious(counts.matrices).tolist(), strict=True)
    return sorted((pair for pair in pairs if not np.isnan(pair[1])), key=lambda pair: (-pair[1], pair[0]))


def pick(files: SegFiles, run_dir: str | Path, how: str = "random", images: Sequence[str] = (), count: int = 4,
         seed: int = 0, weights: str = "last") -> list[Example]:  # fmt: skip
    """Val images for a figure.

    Args:
        files: the val part.
        run_dir, weights: the run whose scores rank the images.
        how: one of PICKS; "worst" begins with the worst.
        images: ids to show instead.
        count: number of images.
        seed: of a random pick.
    Raises: KitError for ids without image or mask, or if a ranking needs scores that the run does not have.
    """
    require_choice(PICKS, pick=how)
    require_positive(count=count)
    if images or how == "random":
        return choose(files, images, count, seed)
    names = [name for name, _ in ranked(run_dir, weights)]
    if not names:
        raise KitError(f"{run_dir} has no score of any val image, so none is its {how}; pick random images")
    return choose(files, names[:count] if how == "best" else names[: -count - 1 : -1])
