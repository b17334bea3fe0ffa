"""The report of a grid: a table of its rows over their seeds, and two figures, from `kit.batch.summary.summarise`."""

import textwrap

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from kit.figures.comparisons.marks import LETTER, draw_gain, label_rows
from kit.figures.style import COLUMN, PAGE, looks, method_colour, new_figure
from kit.figures.tables.formats import ABSENT, Cell, percent_cell

VALUE = 5.5
"""Size in points of the values in a heat map."""

PLACE = 0.25
"""Least width of a class in inches; with many classes the heat map is wider than a page."""


def ablation_rows(summary: dict) -> list[dict]:
    """The table: mean ± standard deviation over seeds in percent, and differences to the baseline in points.

    Intervals that contain 0 show no difference and are marked."""
    table = []
    for row in summary["rows"]:
        gain = row.get("difference")
        table.append({
            "row": row["row"] + (" (baseline)" if row["row"] == summary["baseline"] else ""),
            "n": row["n"],
            "labels": row["labelled"],
            "mIoU last [%]": percent(row["last"]),
            "mIoU average [%]": percent(row["average"]),
            "mIoU best on val [%]": percent(row["best"]),
            f"difference, {summary['weights']} [points]": percent(gain, "+.2f"),
            "95 % interval": _interval(gain),
            "train seconds": percent(row["seconds"], ".0f", 1),
            "parameters": row["parameters"],
        })  # fmt: skip
    if all(row["best"] is None for row in summary["rows"]):
        for row in table:
            del row["mIoU best on val [%]"]
    return table


def score_rows(summary: dict) -> list[dict]:
    """The scores alone, for a terminal: mIoU in percent on val, last and average weights."""
    return [
        {"row": row["row"], "seeds": row["n"], "last mIoU [%]": percent(row["last"]),
         "average mIoU [%]": percent(row["average"]), "difference [points]": percent(row.get("difference"), "+.2f"),
         "95 % interval": _interval(row.get("difference"))}
        for row in summary["rows"]
    ]  # fmt: skip


def number_rows(summary: dict) -> list[dict]:
    """The table as plain numbers for other programs, one number per column; shares in 0..1."""
    table = []
    for row in summary["rows"]:
        numbers = {name: row[name] for name in ("row", "method", "n", "labelled", "parameters")}
        for name in ("last", "average", "best", "seconds", "difference"):
            value = row.get(name) or {}
            numbers |= {f"{name}_{what}": value.get(what) for what in ("mean", "sd")}
        low, high = (row.get("difference") or {}).get("interval") or (None, None)
        table.append({**numbers, "difference_low": low, "difference_high": high})
    return table


def class_rows(summary: dict) -> list[dict]:
    """IoU of every class in the baseline in percent, and the difference of each other row in points."""
    rows = {row["row"]: row for row in summary["rows"]}
    baseline = rows.pop(summary["baseline"])
    return [
        {"class": name, f"{baseline['row']} [%]": _single(baseline["iou"][name], ".1f")}
        | {row: _single(of_row["change"][name], "+.1f") for row, of_row in rows.items()}
        for name in summary["classes"]
    ]


def percent(value: dict | None, form: str = ".2f", scale: float = 100) -> Cell | None:
    """Mean ± standard deviation, multiplied by `scale` (100: shares in percent); `form` is the format of the mean."""
    if value is None:
        return None
    spread = "" if value["sd"] is None else f" ± {scale * value['sd']:{form.lstrip('+')}}"
    return Cell(f"{scale * value['mean']:{form}}{spread}", round(scale * value["mean"], 4))


@looks()
def ablation_figure(summary: dict) -> Figure:
    """mIoU of every row on the left, its difference to the baseline with its interval on the right."""
    rows = summary["rows"]
    several = len(rows) > 1
    fig = new_figure(PAGE if several else COLUMN, 0.55 + 0.24 * len(rows))
    axes = fig.subplots(1, 1 + several, sharey=True, squeeze=False)[0]
    for ax, draw in zip(axes, (draw_scores, draw_differences), strict=False):
        draw(ax, summary)
        label_rows(ax, [row["row"] for row in rows])
    letters = 72 * fig.get_figwidth() / LETTER - max(len(row["row"]) for row in rows)  # beside the names of rows
    labels = [textwrap.fill(ax.get_xlabel(), max(16, int(letters / len(axes)))) for ax in axes]
    for ax, label in zip(axes, labels, strict=True):
        ax.set_xlabel(label)
    fig.set_figheight(fig.get_figheight() + 0.12 * max(label.count("\n") for label in labels))
    return fig


def draw_scores(ax: Axes, summary: dict) -> None:
    """A mark per row at its mean, a line of one standard deviation to either side."""
    which = summary["weights"]
    for place, row in enumerate(summary["rows"]):
        value = row[which]
        spread = None if value["sd"] is None else 100 * value["sd"]
        ax.errorbar(100 * value["mean"], place, xerr=spread, fmt="o", color=method_colour(row["method"]), capsize=2)
    ax.set_xlabel(f"mIoU, {which} weights [%], mean ± sd over seeds")
    ax.margins(x=0.15)


def draw_differences(ax: Axes, summary: dict) -> None:
    """The mean difference of every row to the baseline, and its bootstrap interval."""
    ax.axvline(0, color="0.4", linewidth=0.8)
    over = set()
    for place, row in enumerate(summary["rows"]):
        gain = row.get("difference")
        if gain is None:
            continue
        draw_gain(ax, place, gain, method_colour(row["method"]))
        if gain["interval"] is not None:
            over.add(gain["over"])
    drawn = f", 95 % over {' or '.join(sorted(over))}" if over else ""
    ax.set_xlabel(f"difference to {summary['baseline']} [points]{drawn}")
    ax.margins(x=0.1)


@looks()
def class_changes(summary: dict) -> Figure | None:
    """Heat map of the change of every class against the baseline, in points; None if there is nothing to compare."""
    rows = [row for row in summary["rows"] if "change" in row]
    if not rows:
        return None
    changes = [[row["change"][name] for name in summary["classes"]] for row in rows]
    values = 100 * np.array(changes, float)  # None becomes nan
    fig = new_figure(max(PAGE, 1.2 + PLACE * len(summary["classes"])), 0.75 + 0.22 * len(rows))
    ax = fig.add_subplot()
    reach = max(1.0, float(np.nanmax(np.abs(values))) if not np.isnan(values).all() else 1.0)
    shades = matplotlib.colormaps["RdBu"].with_extremes(bad="0.85")
    ax.imshow(np.ma.masked_invalid(values), cmap=shades, norm=TwoSlopeNorm(0, -reach, reach), aspect="auto")
    for (y, x), value in np.ndenumerate(values):
        ax.text(x, y, "–" if np.isnan(value) else f"{value:+.1f}", ha="center", va="center", fontsize=VALUE,
                color="white" if abs(value) > 0.7 * reach else "black")  # fmt: skip
    ax.set_xticks(range(len(summary["classes"])), summary["classes"], rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), [row["row"] for row in rows])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(f"IoU minus that of {summary['baseline']} [points]")
    return fig


def _interval(gain: dict | None) -> str | None:
    if gain is None or gain["interval"] is None:
        return None
    low, high = (100 * edge for edge in gain["interval"])
    held = "; holds 0" if low <= 0 <= high else ""
    return f"{low:+.2f} to {high:+.2f} ({gain['over']}{held})"


def _single(value: float | None, form: str) -> Cell:
    return Cell(ABSENT) if value is None else percent_cell(value, form)
