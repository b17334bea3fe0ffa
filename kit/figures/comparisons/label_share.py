"""Mean IoU over the number of labelled images, from `kit.batch.experiments.label_share.label_series`."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from kit.figures.comparisons.ablation import percent
from kit.figures.comparisons.marks import setting_looks
from kit.figures.style import COLUMN, PAGE, legend_columns, looks, new_figure
from kit.figures.tables.formats import Cell

ASIDE = 1.06
"""Ratio of the places of two settings' marks of the same labels, where their intervals are drawn side by side."""


def share_rows(series: Sequence[dict]) -> list[dict]:
    """The table: a row for every number of labels, mean ± standard deviation of each setting in percent, and its
    differences to the baselines in points with a 95 % interval."""
    counts = sorted({point["labelled"] for one in series for point in one["points"]})
    table = []
    for count in counts:
        row: dict = {"labels": count}
        for one in series:
            point = next((point for point in one["points"] if point["labelled"] == count), None)
            row[f"{one['name']} [%]"] = percent(point)
            for other in _baselines(series):
                if other != one["name"]:
                    row[f"{one['name']} minus {other}"] = point and _difference(point["differences"].get(other))
        table.append(row)
    return [{name: row[name] for name in row if any(each[name] for each in table)} for row in table]


@looks()
def share_figure(series: Sequence[dict]) -> Figure:
    """Left: mIoU over the number of labelled images, with a band of one standard deviation over seeds. Then a panel for
    each baseline: differences to it with their 95 % intervals, side by side. The legend gives the training time."""
    baselines = _baselines(series)
    fig = new_figure(PAGE if baselines else COLUMN, 2.4)
    left, *others = fig.subplots(1, 1 + len(baselines), squeeze=False)[0]
    shades = setting_looks([{"method": one["method"]} for one in series])
    for one, (shade, mark) in zip(series, shades, strict=True):
        x, y = ([point[key] for point in one["points"]] for key in ("labelled", "mean"))
        sd = [100 * (point["sd"] or 0) for point in one["points"]]
        y = [100 * value for value in y]
        cost = "" if one["cost"] is None else f" ({one['cost']:.0f} s)"
        left.plot(x, y, color=shade, marker=mark, label=one["name"] + cost)
        left.fill_between(x, *([value + sign * by for value, by in zip(y, sd, strict=True)] for sign in (-1, 1)),
                          color=shade, alpha=0.15, linewidth=0)  # fmt: skip
        if len(x) == 1:
            left.errorbar(x, y, yerr=sd, fmt="none", ecolor=shade, capsize=2)
    _share_axis(left, series)
    left.set_title("mIoU [%]")
    for ax, name in zip(others, baselines, strict=True):
        _draw_differences(ax, series, name, shades)
    if len(others) > 1:
        low, high = (pick(ax.get_ylim()[end] for ax in others) for end, pick in ((0, min), (1, max)))
        for ax in others:
            ax.set_ylim(low, high)
    handles = left.get_legend_handles_labels()[0]
    fig.legend(handles=handles, loc="outside upper center", ncol=legend_columns(handles, fig.get_figwidth()))
    return fig


def _draw_differences(ax: Axes, series: Sequence[dict], name: str, shades: list[tuple[str, str]]) -> None:
    ax.axhline(0, color="0.4", linewidth=0.8)
    drawn = [(one, look) for one, look in zip(series, shades, strict=True)
             if any(name in point["differences"] for point in one["points"])]  # fmt: skip
    for place, (one, (shade, mark)) in enumerate(drawn):
        shift = ASIDE ** (place - (len(drawn) - 1) / 2)
        for point in one["points"]:
            gain = point["differences"].get(name)
            if gain is None:
                continue
            low, high = gain["interval"] or (gain["mean"], gain["mean"])
            ax.plot([shift * point["labelled"]] * 2, [100 * low, 100 * high], color=shade)
            ax.plot(shift * point["labelled"], 100 * gain["mean"], mark, color=shade, markersize=4,
                    markerfacecolor=shade if not low <= 0 <= high else "white")  # fmt: skip
    _share_axis(ax, series)
    ax.set_title(f"Minus {name} [points]")


def _share_axis(ax: Axes, series: Sequence[dict]) -> None:
    counts = sorted({point["labelled"] for one in series for point in one["points"]})
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.set_xlim(counts[0] / 1.25, counts[-1] * 1.25)
    ax.yaxis.set_major_locator(MaxNLocator(6))
    ax.set_xlabel("labelled images")
    ax.grid(axis="y")


def _baselines(series: Sequence[dict]) -> list[str]:
    """Names of the settings that others are compared with, in the order of `series`."""
    compared = {name for one in series for point in one["points"] for name in point["differences"]}
    return [one["name"] for one in series if one["name"] in compared]


def _difference(gain: dict | None) -> Cell | None:
    if gain is None:
        return None
    low, high = gain["interval"] or (None, None)
    interval = "" if low is None else f" ({100 * low:+.1f} to {100 * high:+.1f})"
    return Cell(f"{100 * gain['mean']:+.1f}{interval}", round(100 * gain["mean"], 4))
