"""Pictures with masks, for the calibration and evaluation of graphs."""

from dataclasses import replace

import numpy as np

from kit.data.fingerprint import find_data
from kit.data.reading.files import SegFiles
from kit.data.reading.sizes import Size
from kit.deploy.graphs.int8 import CALIBRATION, TUNING, Pair
from kit.errors import KitError
from kit.evaluate.student import Student
from kit.system.paths import from_project


def labelled_pairs(student: Student, size: Size | None, data_root: str | None = None,
                   limit: int = 0) -> tuple[list[Pair], list[Pair]]:  # fmt: skip
    """Pictures and masks at their own size: labelled training images of the run's split, drawn by seed, and val images.

    Args:
        size: only pictures of this size; None is any.
        limit: number of val images; 0 is all.
    Raises: KitError if the data set is not there, or no picture has this size.
    """
    data = student.config.data
    data = replace(data, base_size=None, cache=False, root=data_root or data.root)
    found = find_data(data)
    order = np.random.default_rng(0).permutation(len(found.split.labelled))[: CALIBRATION + TUNING]
    train = [_pair(found.train, found.split.labelled[i]) for i in order]
    val = [_pair(found.val, name) for name in found.evaluated[: limit or None]]
    fitting = [[pair for pair in part if size is None or pair[1].shape == tuple(size)] for part in (train, val)]
    if not all(fitting):
        raise KitError(f"no labelled picture in {from_project(data.root)} has the graph's size, {size[0]} x {size[1]}")
    return tuple(fitting)


def _pair(files: SegFiles, name: str) -> Pair:
    image, mask = files.pair(name)
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())[None], mask.numpy()
