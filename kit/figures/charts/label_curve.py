"""Mean IoU over the number of labelled images, a line per strategy."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kit.errors import KitError
from kit.figures.style import COLUMN, looks, method_name, new_figure

STRATEGIES = {  # name: (as written, colour, mark); Okabe and Ito's colours
    "random": ("Random", "#7F7F7F", "o"),
    "cover": ("Cover", "#0072B2", "s"),
    "disagree": ("Disagree", "#D55E00", "^"),
    "margin": ("Margin", "#CC79A7", "v"),
    "balanced": ("Balanced", "#009E73", "D"),
    "here": ("By hand", "#000000", "o"),
}

ASIDE = 0.09
"""Gap between the marks of different strategies, as a share of the distance between two rounds."""


@looks()
def label_figure(curves: Mapping[str, Mapping[str, Sequence[Mapping]]], width: float = COLUMN) -> Figure:
    """Mean IoU after each round with one standard deviation over seeds; random is drawn beneath the others.

    Args:
        curves: method that trained -> strategy -> points with "labelled", "mean", "sd" (None for one seed) and "n",
            mIoU in 0..1 (`kit.batch.experiments.label_next.spread`); a panel for each method.
        width: of a panel, in inches.
    Raises: KitError if no round is finished.
    """
    if not any(points for of_method in curves.values() for points in of_method.values()):
        raise KitError("no round has been finished, so there is no curve to draw")
    fig = new_figure(width * len(curves), 0.68 * width)
    panels = fig.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for ax, (method, of_method) in zip(panels, curves.items(), strict=True):
        draw_curves(ax, of_method)
        ax.label_outer()
        if len(curves) > 1:
            ax.set_title(method_name(method))
    # of all panels: a method may have strategies that others lack
    named = {label: handle for ax in panels for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(handles=list(named.values()), loc="outside upper center", ncol=4, columnspacing=1.0, handlelength=1.6)
    return fig


def draw_curves(ax: Axes, curves: Mapping[str, Sequence[Mapping]]) -> None:
    """The lines of one panel of `label_figure`."""
    known = [name for name in STRATEGIES if name in curves]  # random first
    order = known + [name for name in curves if name not in STRATEGIES]
    rounds = sorted({point["labelled"] for points in curves.values() for point in points})
    step = min((b - a for a, b in zip(rounds, rounds[1:], strict=False)), default=1)
    for place, name in enumerate(order):
        label, shade, mark = STRATEGIES.get(name, (name, "black", "x"))
        aside = (place - (len(order) - 1) / 2) * ASIDE * step
        # All strategies share the first run, so only later marks need room beside each other.
        x = [p["labelled"] + (aside if i else 0) for i, p in enumerate(curves[name])]
        y, sd = ([100 * (p[key] or 0) for p in curves[name]] for key in ("mean", "sd"))
        ax.errorbar(x, y, yerr=sd if any(sd) else None, label=label, color=shade, marker=mark, elinewidth=0.7,
                    capsize=1.5, capthick=0.7, linewidth=1.6 if name == "random" else 1.1)  # fmt: skip
    ax.set_xticks(rounds)
    ax.yaxis.set_major_locator(MaxNLocator(6))
    ax.set(xlabel="Labelled images", ylabel="mIoU [%]")
    ax.grid(axis="y")


def curve_rows(curves: Mapping[str, Sequence[Mapping]], saved: Mapping[str, float | None]) -> list[dict]:
    """A row per strategy for a table: mean and deviation after each round, and the share of labels that it saves.

    Args:
        saved: strategy -> share of labels saved to reach random's last mean; None if the strategy never reaches it.
    """
    rows = []
    for name, points in curves.items():
        row = {"strategy": STRATEGIES.get(name, (name,))[0]}
        for point in points:
            sd = "" if point["sd"] is None else f" ± {100 * point['sd']:.1f}"
            row[f"{point['labelled']} labels"] = f"{100 * point['mean']:.1f}{sd}"
        share = saved.get(name)
        row["labels saved"] = "-" if name == "random" else "none" if share is None else f"{share:.0%}"
        rows.append(row)
    return rows
