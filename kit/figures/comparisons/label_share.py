"""Mean IoU over the number of labelled images, from `kit.batch.experiments.label_share.label_series`."""

import itertools
import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from kit.figures.comparisons.ablation import percent
from kit.figures.comparisons.budget import difference_cell
from kit.figures.comparisons.marks import setting_looks
from kit.figures.style import COLUMN, PAGE, legend_columns, looks, new_figure

ASIDE = 1.1
"""Largest ratio of the places of two settings' marks of the same labels, which are drawn side by side."""

TITLE = 30
"""Letters of a line of a panel's title."""


def share_rows(series: Sequence[dict]) -> list[dict]:
    """The table: a row for every list of labelled images, by their number, mean ± standard deviation of each setting in
    percent, and its differences to the baselines in points with a 95 % interval. Lists of one number have their name.
    """
    lists = {point["list"]: (point["labelled"], point["split"]) for one in series for point in one["points"]}
    named = len({count for count, _ in lists.values()}) < len(lists)
    table = []
    for of, (count, name) in sorted(lists.items(), key=lambda item: item[1]):
        row: dict = {"labels": count, **({"split": name} if named else {})}
        for one in series:
            point = next((point for point in one["points"] if point["list"] == of), None)
            row[f"{one['name']} [%]"] = percent(point)
            for other in _baselines(series):
                if other != one["name"]:
                    row[f"{one['name']} minus {other}"] = point and difference_cell(point["differences"].get(other))
        table.append(row)
    return [{name: row[name] for name in row if any(each[name] for each in table)} for row in table]


@looks()
def share_figure(series: Sequence[dict]) -> Figure:
    """Left: mIoU over the number of labelled images, with a band of one standard deviation over seeds. Then a panel for
    each baseline: differences to it with their 95 % intervals; hollow marks are neither gain nor loss. The legend gives
    the training time."""
    baselines = _baselines(series)
    fig = new_figure(PAGE if baselines else COLUMN, 2.4)
    left, *others = fig.subplots(1, 1 + len(baselines), squeeze=False)[0]
    shades = setting_looks([{"method": one["method"]} for one in series])
    single = [len(one["points"]) == 1 for one in series]
    shifts = iter(_side_by_side(series, sum(single)))
    for one, look, alone in zip(series, shades, single, strict=True):
        _draw_curve(left, one, *look, next(shifts) if alone else 1.0)
    _share_axis(left, series)
    left.set_title("mIoU [%]")
    for ax, name in zip(others, baselines, strict=True):
        _draw_differences(ax, series, name, shades)
    if len(others) > 1:
        low, high = (pick(ax.get_ylim()[end] for ax in others) for end, pick in ((0, min), (1, max)))
        for ax in others:
            ax.set_ylim(low, high)
    handles = left.get_legend_handles_labels()[0]
    columns = legend_columns(handles, fig.get_figwidth())
    fig.legend(handles=handles, loc="outside upper center", ncol=columns)
    fig.set_figheight(2.1 + 0.14 * math.ceil(len(handles) / columns))
    return fig


def _draw_curve(ax: Axes, one: dict, shade: str, mark: str, shift: float) -> None:
    x = [shift * point["labelled"] for point in one["points"]]
    y, sd = (100 * np.array([point[key] for point in one["points"]], float) for key in ("mean", "sd"))  # None is nan
    cost = "" if one["cost"] is None else f" ({one['cost']:.0f} s)"
    ax.plot(x, y, color=shade, marker=mark, label=one["name"] + cost)
    ax.fill_between(x, y - sd, y + sd, color=shade, alpha=0.15, linewidth=0)
    if len(x) == 1:  # a band has no width here
        ax.errorbar(x, y, yerr=sd, fmt="none", ecolor=shade, capsize=2)


def _draw_differences(ax: Axes, series: Sequence[dict], name: str, shades: list[tuple[str, str]]) -> None:
    ax.axhline(0, color="0.4", linewidth=0.8)
    drawn = [(one, look) for one, look in zip(series, shades, strict=True)
             if any(name in point["differences"] for point in one["points"])]  # fmt: skip
    for shift, (one, (shade, mark)) in zip(_side_by_side(series, len(drawn)), drawn, strict=True):
        for point in one["points"]:
            gain = point["differences"].get(name)
            if gain is None:
                continue
            at = shift * point["labelled"]
            ax.plot([at, at], [100 * edge for edge in gain["interval"] or [gain["mean"]] * 2], color=shade)
            face = shade if gain["verdict"] in ("gain", "loss") else "white"
            ax.plot(at, 100 * gain["mean"], mark, color=shade, markersize=4, markerfacecolor=face)
    _share_axis(ax, series)
    ax.set_title(textwrap.fill(f"Minus {name} [points]", TITLE))


def _share_axis(ax: Axes, series: Sequence[dict]) -> None:
    counts = _counts(series)
    room = 1.1 * max(1.15, *_side_by_side(series, len(series)))
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.set_xlim(counts[0] / room, counts[-1] * room)
    ax.yaxis.set_major_locator(MaxNLocator(6))
    ax.set_xlabel("labelled images")
    ax.grid(axis="y")


def _side_by_side(series: Sequence[dict], marks: int) -> list[float]:
    """Factors on the number of labels that draw marks of the same labels side by side, apart from those of others."""
    counts = _counts(series)
    apart = min((high / low for low, high in itertools.pairwise(counts)), default=2.0)
    step = min(ASIDE, apart ** (0.8 / max(marks, 1)))
    return [step ** (place - (marks - 1) / 2) for place in range(marks)]


def _counts(series: Sequence[dict]) -> list[int]:
    """Numbers of labelled images, in order."""
    return sorted({point["labelled"] for one in series for point in one["points"]})


def _baselines(series: Sequence[dict]) -> list[str]:
    """Names of the settings that others are compared with, in the order of `series`."""
    compared = {name for one in series for point in one["points"] for name in point["differences"]}
    return [one["name"] for one in series if one["name"] in compared]
