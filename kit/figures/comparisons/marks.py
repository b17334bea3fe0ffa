"""Marks of settings in one panel: their colours, markers, places and names, and the limits of the axes."""

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from kit.figures.style import method_colour, turns

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h")
"""Markers of the settings of one method, in turn."""

SHADES = (0.0, -0.35, 0.35, -0.55, 0.55)
"""Shift of the method's colour for its settings, in turn, towards black (-1) or white (1)."""

LINE, LETTER, MARK, COLUMN = 8.0, 4.2, 3.0, 20.0
"""Height of a line of text, width of a letter, half a mark, and the width of a column of marks, in points."""

SPAN = 6
"""Least range of an axis in points of mIoU; smaller differences are often within the noise of seeds and images."""


def setting_looks(runs: list[dict]) -> list[tuple[str, str]]:
    """(colour, marker) of each setting, given one run of each: the colour of its method, then shades of it."""
    looks_of, methods = [], [run["method"] for run in runs]
    for method, place in zip(methods, turns(methods), strict=True):
        base, light = np.array(to_rgb(method_colour(method))), SHADES[place % len(SHADES)]
        shade = base * (1 + light) if light < 0 else base + (1 - base) * light
        looks_of.append((to_hex(shade), MARKERS[place % len(MARKERS)]))
    return looks_of


def aside(places: list[float]) -> list[float]:
    """Shift of each mark to the right, in points, so that marks of (nearly) equal cost are side by side."""
    shifts = [0.0] * len(places)
    order = sorted(range(len(places)), key=places.__getitem__)
    while order:
        near = [i for i in order if places[i] <= 1.01 * places[order[0]]]
        step = min(5.0, 24.0 / len(near))
        for at, i in enumerate(sorted(near)):
            shifts[i] = step * (at - (len(near) - 1) / 2)
        order = order[len(near) :]
    return shifts


def log_axis(ax: Axes, low: float, high: float) -> None:
    """Make the horizontal axis logarithmic, with plain numbers at a few ticks of each power of ten.

    Args:
        low, high: least and largest of the marks.
    """
    ax.set_xscale("log")
    subs = (1,) if high >= 100 * low else (1, 2, 5) if high >= 2.5 * low else range(1, 10)
    ax.xaxis.set_major_locator(LogLocator(subs=subs))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def set_limits(ax: Axes, costs: list[float], scores: list[float], foot: float = 0.0) -> None:
    """Set the limits of axes so that every mark has room, and differences within the noise stay small (SPAN).

    Args:
        costs: of the marks; the axis is logarithmic if they differ by more than a factor of 5.
        scores: in percent, of the marks and of the ends of their lines.
        foot: share of the height that is free below all marks.
    """
    low, high = min(costs), max(costs)
    if high > 5 * low > 0:
        log_axis(ax, low, high)
        room = (high / low) ** 0.16
        ax.set_xlim(low / room, high * room)
    elif high > 1.01 * low:
        ax.set_xlim(low - 0.15 * (high - low), high + 0.15 * (high - low))
    else:
        ax.set_xlim(0.5 * low, 1.5 * high)
        ax.set_xticks([low], [f"{low:.3g}" if low < 1000 else f"{low:,.0f}"])
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    bottom, top = min(scores), max(scores)
    room = max(0.08 * (top - bottom), (SPAN - top + bottom) / 2)
    bottom, top = bottom - room, top + room
    ax.set_ylim(bottom - (top - bottom) * foot / (1 - foot), top)


def label_rows(ax: Axes, names: list[str]) -> None:
    """Label the rows of axes, the first on top."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")


def draw_gain(ax: Axes, row: int, gain: dict, shade: str, **style) -> None:
    """A `kit.batch.summary.difference` in points: a mark, and a line for its interval if it has one."""
    if gain["interval"] is not None:
        ax.plot([100 * edge for edge in gain["interval"]], [row, row], color=shade)
    ax.plot(100 * gain["mean"], row, "o", color=shade, **style)


def log_places(ax: Axes, marks: list[tuple[float, float]], width: float, height: float) -> list[tuple[float, float]]:
    """Places of marks in points from the lower left corner of axes of about this size, with a logarithmic x axis."""
    (left, right), (bottom, top) = np.log(ax.get_xlim()), ax.get_ylim()
    return [(width * (np.log(x) - left) / (right - left), height * (y - bottom) / (top - bottom)) for x, y in marks]


def label_offsets(marks: list[tuple[float, float]], names: list[str], width: float,
                  height: float) -> list[tuple[float, float, str]]:  # fmt: skip
    """Place of each name beside its mark: (points to the right, points up, "left" or "right" alignment).

    This is the nearest place inside the axes, or just above them, that overlaps no mark and no other name. If all
    places overlap, it is the one that overlaps least; for a name too long to fit, it is chosen among those that extend
    least outside. Names of marks of about the same cost are then put in the order of their marks.

    Args:
        marks: places in points from the lower left corner of the axes; those without a name follow the named ones.
        width, height: approximate size of the axes in points.
    """
    taken = [(x - MARK, x + MARK, y - MARK, y + MARK) for x, y in marks]
    places = {}  # index -> points to the right, alignment, lower edge
    for i in sorted(range(len(names)), key=lambda i: -marks[i][1]):
        (x, y), length, choices = marks[i], LETTER * len(names[i]), []
        for up in (2, *(up for k in range(1, 9) for up in (-k * LINE, k * LINE + 1))):
            for right, align in ((5, "left"), (-5, "right")):
                begin = x + right - (length if align == "right" else 0)
                choices.append(((right, align, y + up), (begin, begin + length, y + up, y + up + LINE - 1)))
        choices = [box for box in choices if 0 <= box[1][2] < height + LINE]
        places[i], box = min(
            choices, key=lambda one: (max(0.0, -one[1][0], one[1][1] - width), _overlaps(one[1], taken))
        )
        taken.append(box)
    for first, second in itertools.combinations(places, 2):  # the first has the higher mark
        (_, align, low), (right, other, high) = places[first], places[second]
        if align == other and low < high and abs(marks[first][0] - marks[second][0]) < COLUMN:
            places[first], places[second] = (right, align, high), (right, align, low)
    return [(right, lower - marks[i][1], align) for i, (right, align, lower) in sorted(places.items())]


def _overlaps(box: tuple, others: list[tuple]) -> float:
    """Area that a box (left, right, lower, upper) shares with others."""
    across = (max(0.0, min(box[1], other[1]) - max(box[0], other[0])) for other in others)
    up = (max(0.0, min(box[3], other[3]) - max(box[2], other[2])) for other in others)
    return sum(width * height for width, height in zip(across, up, strict=True))
