"""Gains of methods at equal steps and at equal time, from `kit.batch.experiments.budget.equal_budget`."""

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from kit.figures.comparisons.ablation import percent
from kit.figures.comparisons.marks import aside, draw_gain, label_offsets, label_rows, set_limits
from kit.figures.style import COLUMN, PAGE, SMALL, looks, method_colour, new_figure
from kit.figures.tables.formats import Cell

VIEWS = {"steps": "equal steps", "time": "equal time"}
"""Key of a compared row -> label."""

LEAST = 1.0
"""Least range of a difference axis to either side of 0, in points."""


def budget_rows(summary: dict, budget: dict) -> list[dict]:
    """The table: scores of every row, and its differences to the baselines of equal steps and of equal time, in points
    with a 95 % interval. A difference is a gain only if its interval lies above 0.

    Args:
        summary: from `kit.batch.summary.summarise`, of the same rows.
        budget: from `kit.batch.experiments.budget.equal_budget`.
    """
    which, compared = budget["weights"], {row["row"]: row for row in budget["rows"]}
    table = []
    for row in summary["rows"]:
        mine = compared[row["row"]]
        table.append({
            "row": row["row"],
            "n": row["n"],
            "labels": row["labelled"],
            "training [s]": Cell(f"{mine['cost']:.0f}", round(mine["cost"], 2)),
            f"mIoU, {which} [%]": percent(row[which]),
            **{f"difference at {name} [points]": difference_cell(mine[view]) for view, name in VIEWS.items()},
        })  # fmt: skip
    return table


@looks()
def budget_figure(summary: dict, budget: dict) -> Figure:
    """Left and middle: differences of rows at equal steps and at equal time; hollow marks are neither gain nor loss.
    Right, or alone if there is nothing to compare: mIoU over training time, mean ± sd over seeds. A line joins the
    baselines; stars are rows with another number of labels."""
    shown = [row for row in budget["rows"] if any(row[view] for view in VIEWS)]
    fig = new_figure(PAGE if shown else COLUMN, 2.0 + 0.1 * len(budget["rows"]))
    if not shown:
        draw_over_time(fig.add_subplot(), summary, budget)
        return fig
    *others, right = fig.subplots(1, 3, width_ratios=(1, 1, 1.5))
    others[1].sharex(others[0])
    methods = {row["row"]: row["method"] for row in summary["rows"]}
    for ax, (view, name) in zip(others, VIEWS.items(), strict=True):
        draw_gains(ax, shown, view, methods)
        ax.set_title(f"At {name}")
        label_rows(ax, [row["row"] if view == "steps" else "" for row in shown])
    low, high = others[0].get_xlim()  # only after both panels are drawn, which share the axis
    others[0].set_xlim(min(low, -LEAST), max(high, LEAST))
    draw_over_time(right, summary, budget)
    return fig


def draw_gains(ax: Axes, rows: list[dict], view: str, methods: dict[str, str]) -> None:
    """A mark and an interval for each row, or "no baseline" if the row has none of that budget."""
    ax.axvline(0, color="0.4", linewidth=0.8)
    for place, row in enumerate(rows):
        gain, shade = row[view], method_colour(methods[row["row"]])
        if gain is None:
            ax.text(0.5, place, "no baseline", transform=ax.get_yaxis_transform(), ha="center", va="center",
                    color="0.4")  # fmt: skip
            continue
        clear = gain["verdict"] in ("gain", "loss")
        draw_gain(ax, place, gain, shade, markersize=4, markerfacecolor=shade if clear else "white")
    ax.set_xlabel("difference [points of mIoU]")


def draw_over_time(ax: Axes, summary: dict, budget: dict) -> None:
    """mIoU of every row over the seconds of its training."""
    which, rows = budget["weights"], {row["row"]: row for row in summary["rows"]}
    first, names = rows[budget["baseline"]], [row["row"] for row in budget["rows"]]
    costs = [row["cost"] for row in budget["rows"]]
    marks = [(cost, 100 * rows[name][which]["mean"]) for name, cost in zip(names, costs, strict=True)]
    joined = sorted(mark for mark, row in zip(marks, budget["rows"], strict=True) if row["baseline"])
    ax.plot(*zip(*joined, strict=True), color=method_colour(first["method"]))
    ends = []
    for name, (cost, mean), shift in zip(names, marks, aside(costs), strict=True):
        sd, more = 100 * (rows[name][which]["sd"] or 0), rows[name]["labelled"] != first["labelled"]
        ends += [mean - sd, mean + sd]
        ax.errorbar(cost, mean, yerr=sd or None, fmt="*" if more else "o", markersize=6 if more else 4,
                    color=method_colour(rows[name]["method"]), capsize=2,
                    transform=ax.transData + ScaledTranslation(shift / 72, 0, ax.figure.dpi_scale_trans))  # fmt: skip
    set_limits(ax, costs, ends)
    ax.set(xlabel="training [s]", title=f"mIoU, {which} weights [%]")
    ax.grid(axis="y")
    ax.figure.draw_without_rendering()  # sets the size of the axes
    points = 72 / ax.figure.dpi
    places, corners = (points * (ax.transData.transform(each) - ax.bbox.min) for each in (marks, joined))
    line = [np.linspace(*ends, 12) for ends in itertools.pairwise(corners)]  # names keep off it, too
    places = np.vstack([places, *line])
    for name, at, (x, y, align) in zip(names, marks, label_offsets(places, names, *points * ax.bbox.size), strict=True):
        ax.annotate(name, at, (x, y), textcoords="offset points", ha=align, fontsize=SMALL - 1,
                    color=method_colour(rows[name]["method"])).set_in_layout(False)  # fmt: skip


def difference_cell(gain: dict | None) -> Cell | None:
    """A `kit.batch.summary.difference` with its verdict, in points."""
    if gain is None:
        return None
    text = f"{100 * gain['mean']:+.2f}"
    if gain["interval"] is not None:
        low, high = (100 * edge for edge in gain["interval"])
        text += f" ({low:+.2f} to {high:+.2f}; n={gain['n']}): {gain['verdict']}"
    return Cell(text, round(100 * gain["mean"], 4))
