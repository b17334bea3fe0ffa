"""Suspicious labels of a data set, found by runs that were not trained on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from kit.data.fingerprint import find_data
from kit.data.reading.decode import cut
from kit.data.reading.files import SegFiles
from kit.errors import KitError
from kit.evaluate.predict import Predictor
from kit.evaluate.student import Student
from kit.explore.networks import networks
from kit.label.suspicious import Census, Suspicion
from kit.runs.folder import RunFolder
from kit.settings.checks import require_share
from kit.system.console import bar
from kit.types import IGNORE

AROUND = 0.6
"""Margin around a region in a crop, on each side, as a share of the region's longer side."""

SMALLEST_CROP = 96
"""Smallest side of a crop in pixels, unless the image is smaller."""


class FoldRun(NamedTuple):
    """A run, and the ids of the labelled images it was trained on."""

    learnt: frozenset[str]
    members: list[tuple[Student, Predictor]]


class Found(NamedTuple):
    """Suspicious regions, and which images were examined."""

    suspicions: list[Suspicion]
    examined: int  # number of images with a mask that at least one run was not trained on
    passed_over: tuple[str, ...]  # ids of images that every run was trained on
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    parts: tuple[SegFiles, SegFiles]

    def files(self, name: str) -> SegFiles:
        """The part that an image belongs to."""
        return next(files for files in self.parts if name in files.masks)


class Crop(NamedTuple):
    """A suspicious region with its surroundings, for display."""

    image: np.ndarray  # uint8 (h, w, 3)
    mask: np.ndarray  # uint8 (h, w)
    region: np.ndarray  # bool (h, w)


def suspicious_labels(runs: Sequence[str | Path], sure: float = 0.7, parts: Sequence[str] = ("train", "val"),
                      data_root: str = "", device: str = "cpu", silent: bool = False) -> Found:  # fmt: skip
    """Mask regions where the networks of finished runs agree on another class, most suspicious first.

    Each image is predicted by the runs that were not trained on its mask: by all networks they kept, and again by their
    students on the mirrored image. Images that every run was trained on are skipped; `kit.train.folds` makes runs that
    leave them out.

    Args:
        runs: folders of finished runs on one data set.
        sure: 0..1, smallest mean probability of the networks' class.
        parts: of the data set to examine; in train, only masks that at least one of the runs was trained on.
        data_root: the data set's folder, if it is not where it was in training.
    Raises: KitError for a run that is not finished, runs of different data sets, or if no mask can be examined.
    """
    require_share(sure=sure)
    if not runs:
        raise KitError("name at least one finished run")
    used_runs, opened = [], None
    for run in runs:
        data = find_data(RunFolder(run).config(data_root).data)
        if opened and (data.train.root != opened[0].root or data.spec.classes != opened[0].spec.classes):
            raise KitError(f"{run} is a run on {data.train.root}, not on {opened[0].root} like the first")
        opened = opened or tuple(SegFiles(data.spec, data.train.root, part) for part in ("train", "val"))
        kept = [student.to(device) for student in networks(run).values()]
        members = [(student, Predictor(student.net, student.config.evaluate)) for student in kept]
        used_runs.append(FoldRun(frozenset(data.split.labelled), members))
    used = frozenset().union(*(run.learnt for run in used_runs))
    names = [(files, name) for files in opened if files.part in parts for name in files.masked_ids
             if files.part == "val" or name in used]  # fmt: skip
    return _examined(used_runs, opened, names, sure, silent)


def crops(found: Found, count: int) -> list[Crop]:
    """Crops around the first `count` regions."""
    shown = []
    for each in found.suspicions[:count]:
        files = found.files(each.name)
        image, mask = files.image(each.name).permute(1, 2, 0).numpy(), files.full_mask(each.name).numpy()
        region = np.zeros(mask.shape, bool)
        cut(region, each.box)[:] = each.region
        top, left, height, width = each.box
        side = max(SMALLEST_CROP, round(max(height, width) * (1 + 2 * AROUND)))
        side = min(side, *mask.shape)
        rows, columns = (_window(start + size // 2, side, whole) for start, size, whole in
                         zip((top, left), (height, width), mask.shape, strict=True))  # fmt: skip
        shown.append(Crop(image[rows, columns], mask[rows, columns], region[rows, columns]))
    return shown


def rows(found: Found, count: int) -> list[dict]:
    """The first `count` regions, a row each, for a table or JSON."""
    return [
        {"rank": rank, "image": each.name, "part": found.files(each.name).part, "label": found.classes[each.given],
         "networks": found.classes[each.expected], "pixels": each.pixels, "row": each.box[0], "column": each.box[1],
         "height": each.box[2], "width": each.box[3], "margin": round(each.margin, 3), "score": round(each.score, 2)}
        for rank, each in enumerate(found.suspicions[:count], 1)
    ]  # fmt: skip


def _examined(used_runs: list[FoldRun], parts: tuple[SegFiles, SegFiles], names: list[tuple[SegFiles, str]],
              sure: float, silent: bool) -> Found:  # fmt: skip
    spec = parts[0].spec
    fresh = [(files, name, [run for run in used_runs if name not in run.learnt]) for files, name in names]
    passed = tuple(name for _, name, able in fresh if not able)
    if len(passed) == len(names):
        raise KitError("these runs were trained on every mask to be examined; use --folds to train runs that leave "
                       "some out")  # fmt: skip
    census = Census(spec.num_classes)
    with bar(len(names) - len(passed), "predicting", "image", silent) as shown, torch.inference_mode():
        for files, name, able in fresh:
            if able:
                mask = files.full_mask(name).numpy()
                if (mask != IGNORE).any():
                    census.add(name, _predictions(able, files.image(name), mask.shape), mask, sure)
                shown.update()
    return Found(census.ranked(), len(names) - len(passed), passed, spec.classes, spec.palette, parts)


def _predictions(used_runs: list[FoldRun], image: torch.Tensor, size: tuple[int, int]) -> list[np.ndarray]:
    members = []
    for run in used_runs:
        for place, (student, predictor) in enumerate(run.members):
            pixels = student.prepare(image)
            members.append(predictor.probabilities(pixels, size)[0].cpu().numpy())
            if place == 0:
                members.append(predictor.probabilities(pixels.flip(-1), size)[0].flip(-1).cpu().numpy())
    return members


def _window(middle: int, side: int, whole: int) -> slice:
    start = min(max(0, middle - side // 2), whole - side)
    return slice(start, start + side)
