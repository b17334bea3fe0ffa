"""IoU of every class of finished runs, as bars."""

import numpy as np
from matplotlib.figure import Figure

from kit.errors import KitError
from kit.figures.style import PAGE, legend_columns, looks, method_colour, new_figure, setting_labels, turns
from kit.figures.tables.comparable import check_comparable
from kit.figures.tables.formats import ABSENT
from kit.runs.groups import by_setting
from kit.settings.checks import require_choice

HATCHES = ("", "////", "....", "\\\\\\\\")
"""Hatches of the settings of one method, which share its colour."""

PLACE = 0.16
"""Least width of a class in inches; with many classes the figure is wider than a page."""


@looks()
def class_bars(runs: list[dict], weights: str = "last") -> Figure:
    """IoU of every class in percent, a bar per setting, with the mean over classes at the left.

    Runs that differ only in their seed share a bar, which shows their mean; dots are the single runs.

    Args:
        runs: from `kit.load_runs`.
        weights: "last" or "average".
    Raises: KitError as `check_comparable` does, and for runs with different classes.
    """
    check_comparable(runs)
    classes = runs[0]["dataset"]["classes"]
    if any(run["dataset"]["classes"] != classes for run in runs):
        raise KitError("bars of classes need runs with the same classes")
    groups = by_setting(runs)
    methods = [members[0]["method"] for members in groups]
    fig = new_figure(max(PAGE, 0.8 + PLACE * len(classes)), 2.3)
    ax = fig.add_subplot()
    # The mean stands apart: half a place further left.
    places = np.array([-0.5, *range(1, len(classes) + 1)])
    thickness = 0.8 / len(groups)
    nowhere = np.isnan([_scores(run, weights) for run in runs]).all(0)
    for i, (label, members, turn) in enumerate(zip(setting_labels(groups), groups, turns(methods), strict=True)):
        scores = np.array([_scores(run, weights) for run in members])  # (seeds, 1 + classes), nan where absent
        there = ~np.isnan(scores).all(0)
        x = places + (i - (len(groups) - 1) / 2) * thickness
        heights = np.nanmean(scores[:, there], axis=0)
        ax.bar(x[there], heights, thickness * 0.92, label=label, color=method_colour(methods[i]),
               hatch=HATCHES[turn % len(HATCHES)], edgecolor="white", linewidth=0)  # fmt: skip
        if len(members) > 1:
            ax.plot(np.tile(x, len(members)), scores.ravel(), "o", color="black", markersize=2,
                    markeredgecolor="white", markeredgewidth=0.3, linestyle="none")  # fmt: skip
        for place in x[~there & ~nowhere]:
            ax.text(place, 1, ABSENT, rotation=90, ha="center", va="bottom", color="0.4", fontsize="small")
    for place in places[nowhere]:
        ax.text(place, 1, ABSENT, rotation=90, ha="center", va="bottom", color="0.4")
    ax.axvline(0.25, color="0.6", linewidth=0.6)
    ax.set(xlim=(places[0] - 0.6, places[-1] + 0.6), ylim=(0, 100), ylabel="IoU [%]")
    ax.grid(axis="y")
    ax.tick_params(axis="x", length=0)
    ax.set_xticks(places, ["mean", *classes], rotation=40, ha="right", rotation_mode="anchor")
    columns = legend_columns(ax.containers, fig.get_figwidth(), key=0.5)
    fig.legend(loc="outside upper center", ncol=columns, handlelength=1.2, columnspacing=1.4)
    return fig


def _scores(run: dict, weights: str) -> list[float]:
    """Mean IoU and IoU of each class in percent, nan where absent."""
    require_choice(("last", "average"), weights=weights)  # for the best evaluation, runs keep only the mean
    scores = run[weights]
    single = [scores["iou"][name] for name in run["dataset"]["classes"]]
    return [100 * scores["miou"], *(np.nan if value is None else 100 * value for value in single)]
