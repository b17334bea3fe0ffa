"""Val images of a run's data set, and predictions of students on them, as plain arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kit.data.catalog import find_spec
from kit.data.reading.files import SegFiles
from kit.errors import KitError
from kit.evaluate.student import Student
from kit.settings.checks import require_positive
from kit.system.paths import from_project


class Example(NamedTuple):
    """One val image with its truth."""

    name: str
    image: np.ndarray  # uint8 (H, W, 3)
    truth: np.ndarray  # uint8 (H, W), class ids or IGNORE


def val_files(student: Student, data_root: str | None = None, size: tuple[int, int] | None = None) -> SegFiles:
    """The val images that a student was evaluated on.

    Args:
        data_root: the data set's folder, if it is not where it was in training.
        size: (height, width) to which images are resized, as in the run; None keeps their size on disk.
    Raises: KitError if the data set is missing.
    """
    data = student.config.data
    root = from_project(data_root or data.root)
    return SegFiles(find_spec(data.dataset, root), root, "val", size, keep_aspect=data.keep_aspect)


def choose(files: SegFiles, images: Sequence[str] = (), count: int = 4, seed: int = 0) -> list[Example]:
    """The images with these ids; without ids, `count` images with a mask drawn at random by `seed`.

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
    return [[student.predict(example.image) for example in examples] for student in students]
