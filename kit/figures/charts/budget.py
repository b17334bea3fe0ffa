"""What methods are worth at equal steps and at equal time, from `kit.batch.budget.equal_budget`."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kit.figures.charts.ablation import percent
from kit.figures.charts.marks import aside
from kit.figures.charts.table_formats import Cell
from kit.figures.style import PAGE, looks, method_colour, new_figure

VIEWS = {"steps": "equal steps", "time": "equal time"}
"""Keys of a compared row -> as they are written."""


def budget_rows(summary: dict, budget: dict) -> list[dict]:
    """The table: scores of every row, and its differences to the baseline of equal steps and of equal time in points,
    with a 95 % interval; a difference is called a gain only if its interval lies above 0.

    Args:
        summary: from `kit.batch.summary.summarise`, of the same rows.
        budget: from `kit.batch.budget.equal_budget`.
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
            **{f"difference at {name} [points]": _difference(mine[view]) for view, name in VIEWS.items()},
        })  # fmt: skip
    return table


@looks()
def budget_figure(summary: dict, budget: dict) -> Figure:
    """Left: mIoU over the time of training, mean ± sd over seeds; rows of the baseline's method are joined. Middle and
    right: differences at equal steps and at equal time; a hollow mark says that the interval holds 0."""
    fig = new_figure(PAGE, 0.8 + 0.24 * max(6, len(summary["rows"])))
    left, *others = fig.subplots(1, 3, width_ratios=(1.3, 1, 1))
    draw_over_time(left, summary, budget)
    shown = [row for row in budget["rows"] if any(row[view] for view in VIEWS)]
    methods = {row["row"]: row["method"] for row in summary["rows"]}
    for ax, (view, name) in zip(others, VIEWS.items(), strict=True):
        draw_gains(ax, shown, view, methods)
        ax.set_xlabel(f"difference at {name} [points]")
        ax.set_yticks(range(len(shown)), [row["row"] for row in shown] if view == "steps" else [])
    return fig


def draw_over_time(ax: Axes, summary: dict, budget: dict) -> Axes:
    """mIoU of every row over the seconds of its training."""
    which, rows = budget["weights"], {row["row"]: row for row in summary["rows"]}
    labels = rows[budget["baseline"]]["labelled"]
    of_baseline = sorted((r for r in budget["rows"] if r["baseline"]), key=lambda row: row["cost"])
    ax.plot([row["cost"] for row in of_baseline], [100 * rows[row["row"]][which]["mean"] for row in of_baseline],
            color=method_colour(rows[budget["baseline"]]["method"]))  # fmt: skip
    shifts = aside([row["cost"] for row in budget["rows"]])
    for row, shift in zip(budget["rows"], shifts, strict=True):
        score = rows[row["row"]]
        more = score["labelled"] != labels
        shade = method_colour(score["method"])
        ax.errorbar(row["cost"] * (1 + 0.006 * shift), 100 * score[which]["mean"],
                    yerr=None if score[which]["sd"] is None else 100 * score[which]["sd"], fmt="*" if more else "o",
                    markersize=6 if more else 4, color=shade, capsize=2)  # fmt: skip
        if not row["baseline"]:
            ax.annotate(row["row"], (row["cost"], 100 * score[which]["mean"]), (5, 4), textcoords="offset points")
    ax.set_xscale("log")
    ax.set_xlabel("training [s of processor time]" if summary.get("processor") else "training [s]")
    ax.set_ylabel(f"mIoU, {which} weights [%]")
    ax.margins(x=0.25, y=0.15)
    ax.grid(axis="y")
    return ax


def draw_gains(ax: Axes, rows: list[dict], view: str, methods: dict[str, str]) -> Axes:
    """A mark and an interval for each row; rows without a baseline of that budget are left empty."""
    ax.axvline(0, color="0.4", linewidth=0.8)
    for place, row in enumerate(rows):
        gain, shade = row[view], method_colour(methods[row["row"]])
        if gain is None:
            ax.text(0, place, " no baseline of this budget", va="center", color="0.4")
            continue
        if gain["interval"] is not None:
            ax.plot([100 * edge for edge in gain["interval"]], [place, place], color=shade)
        clear = gain["verdict"] in ("gain", "loss")
        ax.plot(100 * gain["mean"], place, "o", color=shade, markerfacecolor=shade if clear else "white")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0.1)
    ax.grid(axis="x")
    return ax


def _difference(gain: dict | None) -> Cell | None:
    if gain is None:
        return None
    text = f"{100 * gain['mean']:+.2f}"
    if gain["interval"] is not None:
        low, high = (100 * edge for edge in gain["interval"])
        text += f" ({low:+.2f} to {high:+.2f}; n={gain['n']}): {gain['verdict']}"
    return Cell(text, round(100 * gain["mean"], 4))
