"""Typical images of what no label shows yet."""

import numpy as np

from kit.label.groups import groups, typicality
from kit.label.pool import Choice, Pool


def cover(pool: Pool, count: int, seed: int) -> list[Choice]:
    """All images by turns of their groups: first the most typical image of each group without a label, the largest
    group first, then of the groups with labels, those with fewest labels per image first; then the next typical ones.

    The groups are k-means clusters of the student encoder's pooled features, as many as there will be labelled images,
    so that about `count` of them hold no label. Source: Hacohen et al. 2022 (TypiClust, arXiv 2202.02794); there the
    features are self-supervised, here they are the student's own.
    """
    found = groups(pool.features, pool.labelled_features, pool.labelled + count, seed)
    turns = []
    for group in range(len(found.size)):
        members = np.flatnonzero(found.of == group)
        typical = typicality(pool.features[members])
        need = (found.labelled[group] / max(len(members), 1), -len(members), group)
        for turn, place in enumerate(np.argsort(-typical, kind="stable")):
            turns.append((turn, need, members[place], typical[place]))
    return [
        Choice(int(index), float(score), _reason(turn, int(found.size[group]), int(found.labelled[group])))
        for turn, (*_, group), index, score in sorted(turns, key=lambda each: each[:2])
    ]


def _reason(turn: int, size: int, labelled: int) -> str:
    typical = "typical" if turn == 0 else f"number {turn + 1}"
    labels = "none of them labelled" if not labelled else f"{labelled} more labelled"
    return f"{typical} of a group of {size}, {labels}"
