"""A draw in which as few images as possible are exchanged so that every class is labelled.

A hash draw of a few images may hold no train or no rider at all, or a few pixels of one. The images to exchange are the
solution of a small integer program. It is solved exactly, so a draw that already shows every class stays unchanged.
This also applies to draws by sequence, but exchanged images may be closer in time.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from kit.data.reading.files import THREADS, SegFiles
from kit.data.splits.sequences import spread
from kit.data.splits.split import (
    BY_SEQUENCE,
    Split,
    check_complete,
    check_split,
    draw_split,
    drawing_order,
    labelled_count,
    look_for_classes,
    pixels_in,
    summary,
    write_lists,
)
from kit.errors import KitError
from kit.system.console import bar


def class_pixels(files: SegFiles, names: Sequence[str]) -> np.ndarray:
    """int64 (N, C): pixels of each class in the mask of each image. Raises KitError for one that cannot be read."""
    rows = np.zeros((len(names), files.spec.num_classes), np.int64)
    with ThreadPoolExecutor(THREADS) as pool, bar(len(names), "masks", "mask") as shown:
        for i, pixels in enumerate(pool.map(partial(pixels_in, files), names)):
            rows[i] = pixels
            shown.update()
    return rows


def class_presence(train: SegFiles, pixels: float | None = None) -> np.ndarray:
    """bool (N, C): classes that each of `train.masked_ids` shows, with `pixels` as in `shows`; None is one pixel."""
    return shows(class_pixels(train, train.masked_ids), 1 if pixels is None else pixels)


def shows(counts: np.ndarray, pixels: float, usual: np.ndarray | None = None) -> np.ndarray:
    """bool (N, C): where an image holds enough of a class to count as showing it.

    Args:
        counts: int64 (N, C), pixels of each class in each image.
        pixels: above 0. From 1 on, the least number of pixels; below 1, a share of the class's usual size, which is
            its mean over the images that hold a pixel of it.
        usual: the usual sizes, float64 (C,); None: those of `counts`.
    """
    usual = usual_size(counts) if usual is None else usual
    enough = pixels if pixels >= 1 else np.maximum(pixels * usual, 1)
    return counts >= enough


def usual_size(counts: np.ndarray) -> np.ndarray:
    """float64 (C,): mean pixels of each class over the images (N, C) that hold any; 0 where none does."""
    return counts.sum(0) / np.maximum((counts > 0).sum(0), 1)


def write_draws(folders: dict[int, Path], share: str, least: int | None, train: SegFiles, val: SegFiles,
                pixels: float | None = None, origin: dict | None = None) -> list[str]:  # fmt: skip
    """Draw with each seed in `folders` and write the lists to its folder; return a description in lines.

    Args:
        folders: seed -> folder.
        share, least, pixels: as in `draw_covering`; with `least` None nothing is exchanged.
        origin: further entries of the record of the draw in split.json.
    """
    if not folders:
        raise KitError("no seed to draw with; set --seeds to 1 or more")
    check_complete(train, val)
    count = labelled_count(share, len(train.masked_ids))
    if least is not None and not 1 <= least <= count:  # before any mask is read
        raise KitError(f"--cover is {least}; give 1 to {count}, the number of images that {share} labels")
    if pixels is not None and (least is None or not 0 < pixels < math.inf):
        raise KitError(f"--pixels is {pixels:g}; with --cover give a share of a class's mean size (below 1) or pixels")
    drawing_order(share, 0, train)  # raises for a draw by sequence without sequences
    present = class_presence(train, pixels) if least is not None else None
    lines = []
    for seed, folder in folders.items():
        about = {"dataset": train.spec.name, "split": share, "seed": seed, **(origin or {})}
        if least is None:
            split = look_for_classes(draw_split(share, seed, train), train)
            notes = [split.warning] if split.warning else []
        else:
            split, exchanged, notes = draw_covering(share, seed, least, train, present, pixels)
            about |= {"cover": least, "pixels": pixels, "exchanged": exchanged}
            notes = [f"{exchanged} image(s) exchanged to cover the classes", *notes]
        if share.endswith(BY_SEQUENCE):
            about["sequences"] = spread(split.labelled, train.masked_ids, train.spec.frames)
            notes.append(_spread_line(about["sequences"]))
        check_split(split, train, val)
        write_lists(split, folder, {"drawn": about})
        lines += [f"{summary(split)}, written to {folder}", *(f"  {note}" for note in notes)]
    return lines


def draw_covering(share: str, seed: int, least: int, train: SegFiles, present: np.ndarray,
                  pixels: float | None = None) -> tuple[Split, int, list[str]]:  # fmt: skip
    """The smallest change to a draw after which every class is in at least `least` labelled images.

    Unlike with plain draws, the split of a smaller share is not always a subset of the split of a larger one.

    Args:
        share, seed: as in `draw_split`.
        least: 1 or more images per class.
        present: bool (N, C), `class_presence` of `train` with `pixels`.
        pixels: for the name and protocol of the split.
    Returns: the split, how many images were exchanged, and lines on the classes that stay below `least`.
    """
    drawn = draw_split(share, seed, train)
    order = drawing_order(share, seed, train)
    row = {name: i for i, name in enumerate(train.masked_ids)}
    present = present[[row[name] for name in order]]
    chosen = covering(present, len(drawn.labelled), least)
    labelled = tuple(order[i] for i in chosen)
    exchanged = len(set(labelled) - set(drawn.labelled))
    of, enough = ("", "a pixel") if pixels is None else _enough(pixels)
    split = replace(
        drawn, name=f"{share} seed {seed} cover {least}{of}", labelled=labelled,
        unlabelled=tuple(sorted(set(train.ids) - set(labelled))),
        protocol=f"{drawn.protocol}; then as few images exchanged as bring every class into {least} labelled ones, "
        f"where {enough} counts",
    )  # fmt: skip
    return split, exchanged, _below(present, chosen, least, train.spec.classes)


def _enough(pixels: float) -> tuple[str, str]:
    """A threshold in words, for the name and for the protocol of a split."""
    if pixels >= 1:
        return f" with {pixels:g} pixels", f"a class with {pixels:g} pixels or more"
    return f" with {pixels:g} of usual", f"a class with {pixels:g} or more of its mean size in the masks that hold it"


def _spread_line(sequences: dict[str, dict]) -> str:
    apart = [found["closest"] for found in sequences.values() if found["closest"] is not None]
    shown = [f"{name or 'unnamed'} {found['labelled']} of {found['images']}" for name, found in sequences.items()]
    more = f" and {len(shown) - 20} more" if len(shown) > 20 else ""
    closest = f"; the closest two of one sequence are {min(apart)} frame numbers apart" if apart else ""
    return f"{', '.join(shown[:20])}{more}{closest}"


def covering(present: np.ndarray, count: int, least: int) -> np.ndarray:
    """Rows to label, ascending: the first `count`, changed as little as possible so that classes are covered.

    It minimises, in this order: the number of rows that classes lack to reach `least` (or all rows with the class, if
    those are fewer), the number of exchanged rows, and the sum of the chosen row numbers.

    Args:
        present: bool (N, C), which classes each image shows, in the order of the draw.
        count: images to label, at most N.
        least: images per class.
    Raises: KitError if the solver fails.
    """
    wanted = np.minimum(least, present.sum(0))
    if (present[:count].sum(0) >= wanted).all():
        return np.arange(count)
    # Of the rows with the same set of classes, the solver may only add the first and remove the last ones, at most as
    # many as all classes together need. All other rows stay.
    free = _candidates(present, count, int(wanted.sum()))
    kept = np.setdiff1d(np.arange(count), free)
    size, classes = len(free), len(wanted)
    entering = (free >= count).astype(float)
    # Unknowns: 0 or 1 per free row, then the missing rows of each class.
    cover = np.hstack([present[free].T.astype(float), np.eye(classes)])
    at_least = np.maximum(wanted - present[kept].sum(0), 0)
    number = np.concatenate([np.ones(size), np.zeros(classes)])
    limits = [(cover, at_least, np.inf), (number, count - len(kept), count - len(kept))]
    # One missing image of one class costs more than all exchanges together.
    cost = np.concatenate([entering, np.full(classes, entering.sum() + 1)])
    solution = _solve(cost, limits, size, wanted)
    limits += [(cost, cost @ solution, cost @ solution)]
    solution = _solve(np.concatenate([free.astype(float), np.zeros(classes)]), limits, size, wanted)
    return np.sort(np.concatenate([kept, free[solution[:size] == 1]]))


def _candidates(present: np.ndarray, count: int, most: int) -> np.ndarray:
    """Rows that may be exchanged, ascending: for each set of classes, the last `most` of the labelled rows with it and
    the first `most` of the others."""
    kinds = np.unique(present, axis=0, return_inverse=True)[1].ravel()
    rows = np.arange(len(present))
    free = []
    for kind in range(kinds.max() + 1):
        same = rows[kinds == kind]
        free += [*same[same < count][-most:], *same[same >= count][:most]]
    return np.sort(np.array(free))


def _solve(cost: np.ndarray, limits: list, size: int, wanted: np.ndarray) -> np.ndarray:
    """The integer solution of the lowest cost: its first `size` numbers are 0 or 1, the others from 0 to `wanted`."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # here: slow to import and used nowhere else

    solved = milp(
        cost,
        integrality=np.ones(len(cost)),
        bounds=Bounds(0, np.concatenate([np.ones(size), wanted])),
        constraints=[LinearConstraint(rows, low, high) for rows, low, high in limits],
        options={"mip_rel_gap": 0.0},
    )
    if solved.x is None or solved.status:
        raise KitError(f"no draw that covers the classes was found: {solved.message}; draw without --cover")
    return np.round(solved.x)


def _below(present: np.ndarray, chosen: np.ndarray, least: int, classes: tuple[str, ...]) -> list[str]:
    """A line on the classes that too few masks hold, and one on the classes for which the split is too small."""
    got, there = present[chosen].sum(0), present.sum(0)
    lines = []
    for which, what in (
        ((got < least) & (got == there), f"fewer than {least} masks hold"),
        ((got < least) & (got < there), f"{len(chosen)} labelled image(s) are too few to have {least} with"),
    ):
        if which.any():
            lines.append(f"{what} {', '.join(f'{classes[c]} ({got[c]} labelled)' for c in np.flatnonzero(which))}")
    return lines
