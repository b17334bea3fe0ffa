"""Gains of methods at equal steps and at equal time, from `kit.batch.experiments.budget.equal_budget`."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kit.figures.comparisons.ablation import percent
from kit.figures.comparisons.marks import SPAN, draw_gain, label_rows
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
    """Marks for each row of the table: mIoU, mean ± sd over seeds, with training time and number of seeds; then, unless
    nothing is compared, its differences at equal steps and at equal time, hollow if neither gain nor loss. Stars are
    rows with another number of labels."""
    rows, summary_of = budget["rows"], {row["row"]: row for row in summary["rows"]}
    views = [view for view in VIEWS if any(row[view] for row in rows)]
    fig = new_figure(PAGE if views else COLUMN, 0.55 + 0.16 * len(rows))
    first, *others = fig.subplots(1, 1 + len(views), width_ratios=(1.4, *(1 for _ in views)), squeeze=False)[0]
    draw_scores(first, rows, summary_of, budget)
    for ax, view in zip(others, views, strict=True):
        if ax is not others[0]:
            ax.sharex(others[0])
        draw_gains(ax, rows, view, {name: row["method"] for name, row in summary_of.items()})
        ax.set_title(f"At {VIEWS[view]}")
        label_rows(ax, [""] * len(rows))
    if others:
        low, high = others[0].get_xlim()  # only after all panels are drawn, which share the axis
        others[0].set_xlim(min(low, -LEAST), max(high, LEAST))
    return fig


def draw_scores(ax: Axes, rows: list[dict], summary_of: dict[str, dict], budget: dict) -> None:
    """mIoU of every row, with the seconds of its training and the number of its seeds on the right."""
    which, labels = budget["weights"], summary_of[budget["baseline"]]["labelled"]
    for place, row in enumerate(rows):
        mine = summary_of[row["row"]]
        alike, scores, shade = mine["labelled"] == labels, mine[which], method_colour(mine["method"])
        ax.errorbar(100 * scores["mean"], place, xerr=100 * (scores["sd"] or 0) or None, fmt="o" if alike else "*",
                    markersize=4 if alike else 6, color=shade, capsize=2)  # fmt: skip
        ax.text(1.02, place, f"{row['cost']:,.0f} s, n = {mine['n']}", transform=ax.get_yaxis_transform(), va="center",
                fontsize=SMALL - 1, color="0.4")  # fmt: skip
        if not alike:
            ax.set_xlabel("star: other labelled images")
    low, high = ax.get_xlim()
    room = max(0.0, (SPAN - high + low) / 2)
    ax.set(xlim=(low - room, high + room), title=f"mIoU, {which} weights [%]")
    label_rows(ax, [row["row"] for row in rows])


def draw_gains(ax: Axes, rows: list[dict], view: str, methods: dict[str, str]) -> None:
    """A mark and an interval for each row that was compared with a baseline of that budget."""
    ax.axvline(0, color="0.4", linewidth=0.8)
    for place, row in enumerate(rows):
        gain, shade = row[view], method_colour(methods[row["row"]])
        if gain is None:
            ax.text(0.5, place, "baseline" if row["baseline"] else "–", transform=ax.get_yaxis_transform(),
                    ha="center", va="center", fontsize=SMALL - 1, color="0.4")  # fmt: skip
            continue
        clear = gain["verdict"] in ("gain", "loss")
        draw_gain(ax, place, gain, shade, markersize=4, markerfacecolor=shade if clear else "white")
    ax.set_xlabel("difference [points of mIoU]")


def difference_cell(gain: dict | None) -> Cell | None:
    """A `kit.batch.summary.difference` with its verdict, in points."""
    if gain is None:
        return None
    text = f"{100 * gain['mean']:+.2f}"
    if gain["interval"] is not None:
        low, high = (100 * edge for edge in gain["interval"])
        text += f" ({low:+.2f} to {high:+.2f}; n={gain['n']}): {gain['verdict']}"
    return Cell(text, round(100 * gain["mean"], 4))
