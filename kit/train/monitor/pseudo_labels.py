"""What the counts about pseudo labels say: shares for the log, and an alarm when a run teaches itself few classes."""

import math

from torch import Tensor

HISTOGRAMS = ("predicted", "taught", "labelled")
"""Counts per class; all others are pairs (hits, out of)."""

QUIET = 0.2
"""Share of a run in which no alarm is raised: networks from random weights begin with one class."""

FEW = 0.25
"""Share of the labels' diversity below which predictions have collapsed."""


def shares(counts: dict[str, Tensor]) -> dict[str, object]:
    """Summed counts of `kit.losses.pseudo_label_counts.pseudo_counts` as plain numbers; None where nothing was counted.

    Histograms become lists of shares per class, and "diversity" and "labelled_diversity" say how many classes there
    seem to be: exp(entropy), which is 1 for a single class and C for C equally frequent ones.
    """
    seen: dict[str, object] = {}
    for name, count in counts.items():
        values = count.tolist()
        if name in HISTOGRAMS:
            whole = sum(values)
            seen[name] = [round(value / whole, 5) for value in values] if whole else None
        else:
            hits, out_of = values
            seen[name] = round(hits / out_of, 5) if out_of else None
    if counts:
        seen["diversity"], seen["labelled_diversity"] = diversity(seen["predicted"]), diversity(seen["labelled"])
    return seen


def diversity(histogram: list[float] | None) -> float | None:
    """exp(entropy) of shares that sum to one."""
    if histogram is None:
        return None
    return round(math.exp(-sum(p * math.log(p) for p in histogram if p > 0)), 3)


def alarm(seen: dict[str, object], done: int, steps: int) -> str | None:
    """One line if predictions have collapsed to few classes by step `done` of `steps`, else None.

    They have if their diversity above one class is below a fourth of that of the labels seen at the same time.
    """
    mine, theirs = seen.get("diversity"), seen.get("labelled_diversity")
    if mine is None or theirs is None or done < QUIET * steps or mine - 1 >= FEW * (theirs - 1):
        return None
    return f"pseudo labels have collapsed to about {mine:.1f} classes, where labels have {theirs:.1f}"


def scalars(seen: dict[str, object], classes: tuple[str, ...]) -> dict[str, float]:
    """The numbers of `shares` under one name each, for TensorBoard."""
    flat = {}
    for name, value in seen.items():
        if isinstance(value, list):
            flat |= {f"pseudo_{name}/{cls}": share for cls, share in zip(classes, value, strict=True)}
        elif value is not None:
            flat[f"pseudo/{name}"] = value
    return flat
