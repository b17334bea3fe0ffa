"""Statistics of pseudo labels: shares for the log, and an alarm when they collapse to few classes."""

import math

from torch import Tensor

HISTOGRAMS = ("predicted", "taught", "labelled")
"""Names of counts per class; all others are pairs (hits, total)."""

QUIET = 0.2
"""Share of a run, at its start, without alarms: networks from random weights first predict one class."""

FEW = 0.25
"""Share of the labels' diversity below which pseudo labels count as collapsed."""


def shares(counts: dict[str, Tensor]) -> dict[str, object]:
    """Summed counts of `kit.losses.pseudo_label_counts.pseudo_counts` as shares; None where nothing was counted.

    Histograms become lists of shares per class. "diversity" and "labelled_diversity" are effective numbers of classes:
    exp(entropy), which is 1 for a single class and C for C equally frequent ones.
    """
    seen: dict[str, object] = {}
    for name, count in counts.items():
        values = count.tolist()
        if name in HISTOGRAMS:
            whole = sum(values)
            seen[name] = [round(value / whole, 5) for value in values] if whole else None
        else:
            hits, total = values
            seen[name] = round(hits / total, 5) if total else None
    if counts:
        seen["diversity"], seen["labelled_diversity"] = diversity(seen["predicted"]), diversity(seen["labelled"])
    return seen


def diversity(histogram: list[float] | None) -> float | None:
    """exp(entropy) of shares that sum to one."""
    if histogram is None:
        return None
    return round(math.exp(-sum(p * math.log(p) for p in histogram if p > 0)), 3)


def alarm(seen: dict[str, object], done: int, steps: int) -> str | None:
    """One line if pseudo labels have collapsed to few classes by step `done` of `steps`, else None.

    They have if their diversity minus 1 is below FEW times the labels' diversity minus 1 in the same steps.
    """
    mine, theirs = seen.get("diversity"), seen.get("labelled_diversity")
    if mine is None or theirs is None or done < QUIET * steps or mine - 1 >= FEW * (theirs - 1):
        return None
    return f"pseudo labels have collapsed to about {mine:.1f} classes, where labels have {theirs:.1f}"


def scalars(seen: dict[str, object], classes: tuple[str, ...]) -> dict[str, float]:
    """The result of `shares` with one name per number, for TensorBoard."""
    flat = {}
    for name, value in seen.items():
        if isinstance(value, list):
            flat |= {f"pseudo_{name}/{cls}": share for cls, share in zip(classes, value, strict=True)}
        elif value is not None:
            flat[f"pseudo/{name}"] = value
    return flat
