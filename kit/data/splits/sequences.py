"""Draws for videos: labelled frames spread over sequences, and far apart in time within each.

Neighbouring frames look nearly the same, so a hash draw of a video may spend its few labels on one scene. Here the
sequences take turns, in hash order; the first frame of each is drawn by hash, the next is always the one farthest in
time from those already drawn. So the numbers of labels per sequence differ by one at most, unless a sequence has no
frame left; smaller draws are subsets of larger ones; and the order of files has no influence.

Time is treated as a circle, on which the last frame is next to the first: on a line, every seed would label both ends.
The smallest distance on the circle between labelled frames of a sequence is at least half of the best possible one for
that number of frames (Ravi, Rosenkrantz and Tayi 1994).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import zip_longest

import numpy as np

from kit.data.splits.hash_draw import draw
from kit.errors import KitError

FRAMES = r"(?P<sequence>.*?)(?:[ ._-]+f?)?(?P<frame>\d+)"
"""Matches ids that end with the number of the frame: "0001TP_006690", "Seq05VD_f00000"."""


def order_by_sequence(ids: Iterable[str], frames: str, seed: int) -> tuple[str, ...]:
    """All ids, in the order of the draw.

    Args:
        frames: as `DatasetSpec.frames`.
        seed: determines the first frames and the order of the sequences.
    Raises: KitError naming an id without a frame number.
    """
    sequences = by_sequence(ids, frames)
    turns = [_far_apart(sequences[name], seed) for name in draw(sequences, len(sequences), seed)]
    return tuple(name for turn in zip_longest(*turns) for name in turn if name is not None)


def by_sequence(ids: Iterable[str], frames: str) -> dict[str, dict[str, int]]:
    """Sequence -> id of each of its frames -> number of the frame. Raises KitError naming an id without one."""
    sequences: dict[str, dict[str, int]] = defaultdict(dict)
    for name in ids:
        match = re.fullmatch(frames, name)
        if match is None:
            raise KitError(f"{name!r} does not end with a frame number, so its sequence is unknown")
        sequences[match["sequence"]][name] = int(re.sub(r"\D", "", match["frame"]))
    return dict(sequences)


def spread(labelled: Iterable[str], ids: Iterable[str], frames: str) -> dict[str, dict]:
    """Sequence -> {"images", "labelled", "closest"}: frames, labelled ones, and the least difference between the frame
    numbers of two labelled ones (None for fewer than two)."""
    chosen, found = set(labelled), {}
    for sequence, members in sorted(by_sequence(ids, frames).items()):
        numbers = sorted(number for name, number in members.items() if name in chosen)
        closest = min((b - a for a, b in zip(numbers, numbers[1:], strict=False)), default=None)
        found[sequence] = {"images": len(members), "labelled": len(numbers), "closest": closest}
    return found


def _far_apart(members: dict[str, int], seed: int) -> Iterator[str]:
    """The frames of a sequence, each the farthest in time from all earlier ones; of equally far ones, the first by
    hash."""
    order = draw(members, len(members), seed)
    first, span = min(members.values()), max(members.values()) - min(members.values())
    kind = np.int64 if span < 2**62 else object  # a date with microseconds has 20 digits, more than int64 holds
    numbers = np.array([members[name] - first for name in order], dtype=kind)
    steps = np.diff(np.unique(numbers))
    around = int(numbers.max() - numbers.min() + (steps.min() if steps.size else 1))  # from the last frame to the first
    apart = np.full(len(order), around, dtype=kind)  # no two frames are farther apart
    for _ in order:
        at = int(apart.argmax())
        yield order[at]
        away = np.abs(numbers - numbers[at])
        apart = np.minimum(apart, np.minimum(away, around - away))
        apart[at] = -1
