"""A draw that shows every class: the hash draw with as few images exchanged as that takes.

A hash draw of a few images may hold no train or no rider at all. Which images to exchange is a small integer
programme; it is solved exactly, so the result is the hash draw itself wherever that already shows every class.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from kit.checks import require_positive
from kit.console import bar
from kit.data.draw import draw
from kit.data.files import SegFiles
from kit.data.splits import (
    Split,
    check_complete,
    check_split,
    classes_in,
    draw_split,
    labelled_count,
    look_for_classes,
    summary,
    write_lists,
)
from kit.errors import KitError

THREADS = 8
"""Masks decoded at a time; Pillow lets other threads run meanwhile."""


def class_presence(files: SegFiles, names: Sequence[str], silent: bool = False) -> np.ndarray:
    """bool (N, C): which classes the mask of each named image holds. Raises KitError for one that cannot be read."""
    with ThreadPoolExecutor(THREADS) as pool, bar(len(names), "masks", "mask", silent) as shown:
        present = np.zeros((len(names), files.spec.num_classes), bool)
        for row, there in zip(present, pool.map(lambda name: classes_in(files, name), names), strict=True):
            row[:] = there
            shown.update()
    return present


def write_draws(folders: dict[int, Path], share: str, least: int | None, train: SegFiles, val: SegFiles) -> list[str]:
    """Draw with each seed in `folders` and write the lists to its folder; return lines that say what was drawn.

    Args:
        folders: seed -> folder.
        share, least: as in `draw_covering`; with None nothing is exchanged.
    """
    if not folders:
        raise KitError("no seed to draw with; --seeds is 1 or more")
    check_complete(train)
    check_complete(val)
    count = labelled_count(share, len(train.masked_ids))
    if least is not None and not 1 <= least <= count:  # before any mask is read
        raise KitError(f"--cover is {least}; give 1 to {count}, the number of images that {share} labels")
    present = class_presence(train, train.masked_ids) if least is not None else None
    lines = []
    for seed, folder in folders.items():
        about = {"dataset": train.spec.name, "split": share, "seed": seed}
        notes: list[str] = []
        if least is None:
            split = look_for_classes(draw_split(share, seed, train), train)
            notes = [split.warning] if split.warning else []
        else:
            split, exchanged, notes = draw_covering(share, seed, least, train, present)
            about |= {"cover": least, "exchanged": exchanged}
            notes = [f"{exchanged} image(s) exchanged to cover the classes", *notes]
        check_split(split, train, val)
        write_lists(split, folder, {"drawn": about})
        lines += [f"{summary(split)}, written to {folder}", *(f"  {note}" for note in notes)]
    return lines


def draw_covering(share: str, seed: int, least: int, train: SegFiles, present: np.ndarray | None = None,
                  silent: bool = False) -> tuple[Split, int, list[str]]:  # fmt: skip
    """The smallest change to the hash draw after which every class is in at least `least` labelled images.

    Unlike hash draws, such splits of different shares need not lie inside each other.

    Args:
        share, seed: as in `draw_split`.
        least: 1 or more images per class.
        present: bool (N, C), classes of `train.masked_ids`; None reads the masks.
        silent: show no progress bar.
    Returns: the split, how many images were exchanged, and lines on the classes that stay below `least`.
    Raises: KitError if a mask cannot be read.
    """
    require_positive(cover=least)
    drawn = draw_split(share, seed, train)
    if present is None:
        present = class_presence(train, train.masked_ids, silent)
    order = draw(train.masked_ids, len(train.masked_ids), seed)
    row = {name: i for i, name in enumerate(train.masked_ids)}
    present = present[[row[name] for name in order]]
    chosen = covering(present, len(drawn.labelled), least)
    labelled = tuple(order[i] for i in chosen)
    split = replace(drawn, name=f"{share} seed {seed} cover {least}", labelled=labelled,
                    unlabelled=tuple(sorted(set(train.ids) - set(labelled))))  # fmt: skip
    exchanged = len(set(labelled) - set(drawn.labelled))
    return split, exchanged, _below(present, chosen, least, train.spec.classes)


def covering(present: np.ndarray, count: int, least: int) -> np.ndarray:
    """Rows to label, ascending: the first `count`, changed as little as possible so that classes are covered.

    In this order: as little as possible is lacking of `least` rows per class (or of all rows that have it), the fewest
    of the first `count` rows are exchanged, and the sum of the chosen row numbers is smallest.

    Args:
        present: bool (N, C), which classes each image holds, in hash order.
        count: images to label, at most N.
        least: wanted images per class.
    Raises: KitError if the solver fails.
    """
    wanted = np.minimum(least, present.sum(0))
    if (present[:count].sum(0) >= wanted).all():
        return np.arange(count)
    # Of rows with the same classes the solver may only take the first and give up the last, and never more than the
    # classes together ask for; all others keep their place.
    free = _candidates(present, count, int(wanted.sum()))
    kept = np.setdiff1d(np.arange(count), free)
    size, classes = len(free), len(wanted)
    entering = (free >= count).astype(float)
    # Unknowns: one of 0 or 1 per free row, then what is lacking of each class.
    cover = np.hstack([present[free].T.astype(float), np.eye(classes)])
    at_least = np.maximum(wanted - present[kept].sum(0), 0)
    number = np.concatenate([np.ones(size), np.zeros(classes)])
    limits = [(cover, at_least, np.inf), (number, count - len(kept), count - len(kept))]
    # One class lacking one image weighs more than all exchanges together.
    cost = np.concatenate([entering, np.full(classes, entering.sum() + 1)])
    solution = _solve(cost, limits, size, wanted)
    limits += [(cost, cost @ solution, cost @ solution)]
    solution = _solve(np.concatenate([free.astype(float), np.zeros(classes)]), limits, size, wanted)
    return np.sort(np.concatenate([kept, free[solution[:size] == 1]]))


def _candidates(present: np.ndarray, count: int, most: int) -> np.ndarray:
    """Rows that may change sides, ascending: per set of classes the last `most` labelled, the first `most` others."""
    kinds = np.unique(present, axis=0, return_inverse=True)[1].ravel()
    rows = np.arange(len(present))
    free = []
    for kind in range(kinds.max() + 1):
        same = rows[kinds == kind]
        free += [*same[same < count][-most:], *same[same >= count][:most]]
    return np.sort(np.array(free))


def _solve(cost: np.ndarray, limits: list, size: int, wanted: np.ndarray) -> np.ndarray:
    """Integers of the smallest cost: `size` of them 0 or 1, the others from 0 to `wanted`."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # here, because nothing else needs it

    solved = milp(
        cost,
        integrality=np.ones(len(cost)),
        bounds=Bounds(0, np.concatenate([np.ones(size), wanted])),
        constraints=[LinearConstraint(rows, low, high) for rows, low, high in limits],
        options={"mip_rel_gap": 0.0},
    )
    if solved.x is None or solved.status:
        raise KitError(f"no covering draw was found: {solved.message}; draw without --cover")
    return np.round(solved.x)


def _below(present: np.ndarray, chosen: np.ndarray, least: int, classes: tuple[str, ...]) -> list[str]:
    """A line on the classes of which there are too few masks, and one on those for which there was no room."""
    got, there = present[chosen].sum(0), present.sum(0)
    lines = []
    for which, what in (
        ((got < least) & (got == there), f"fewer than {least} masks hold"),
        ((got < least) & (got < there), f"{len(chosen)} labelled image(s) have no room for {least} with"),
    ):
        if which.any():
            lines.append(f"{what} {', '.join(f'{classes[c]} ({got[c]} labelled)' for c in np.flatnonzero(which))}")
    return lines
