"""Typical images of groups without labels."""

import numpy as np

from kit.label.groups import groups, typicality
from kit.label.pool import Choice, Pool


def cover(pool: Pool, count: int, seed: int) -> list[Choice]:
    """Rank all images in turns over groups: first the most typical image of each group, then the second most typical of
    each, and so on. In a turn, groups with the fewest labels per image come first; ties: the largest group first.

    The groups are k-means clusters of the student encoder's pooled features. There are as many as labelled images after
    this round, so that about `count` of them have no label. Source: Hacohen et al. 2022 (TypiClust, arXiv 2202.02794);
    the paper uses self-supervised features, the kit those of the student.
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
