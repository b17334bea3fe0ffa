"""Training curves from `log.jsonl` of one or more runs, over steps."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from kit.errors import KitError
from kit.figures.style import COLUMN, PAGE, legend_columns, looks, method_colour, new_figure, run_dashes, run_handles

PARTS = {  # name in the log -> title
    "sup": "Supervised loss, student",
    "sup_partner": "Supervised loss, partner",
    "sup_cnn": "Supervised loss, CNN",
    "sup_vit": "Supervised loss, ViT",
    "cps": "Cross pseudo loss",
    "low": "Low-level loss (MSE)",
    "high": "Attention loss (KL)",
}


def loss_parts(log: list[dict]) -> dict[str, tuple[list[int], list[float]]]:
    """Name of each part of the loss -> steps and values, before weighting."""
    series: dict[str, tuple[list[int], list[float]]] = {}
    for record in log:
        for name, value in record.get("parts", {}).items():
            steps, values = series.setdefault(name, ([], []))
            steps.append(record["step"])
            values.append(value)
    return series


def evaluations(log: list[dict]) -> dict[str, tuple[list[int], list[float]]]:
    """ "last" and "average" weights -> steps and mIoU in percent. Lines without "parts" are evaluations."""
    records = [record for record in log if "parts" not in record and "miou" in record]
    steps = [record["step"] for record in records]
    return {
        "last": (steps, [100 * record["miou"] for record in records]),
        "average": (steps, [100 * record["average_miou"] for record in records]),
    }


@looks()
def training_curves(runs: list[dict]) -> Figure:
    """mIoU and every part of the loss over steps, a small plot each because their scales differ.

    Args:
        runs: from `kit.load_runs`. A method keeps its colour; further runs of it are dashed.
    Raises: KitError if no run has a line in its log.
    """
    parts = {name: None for run in runs for name in loss_parts(run["log"])}  # in the order they first appear
    if not parts:
        raise KitError("no run has a line in its log.jsonl")
    names = [name for name in PARTS if name in parts] + [name for name in parts if name not in PARTS]
    columns = min(4, len(names) + 1)
    rows = math.ceil((len(names) + 1) / columns)
    fig = new_figure(PAGE if columns > 2 else COLUMN, 1.55 * rows + 0.3)
    axes = list(fig.subplots(rows, columns, squeeze=False).flat)
    draw_miou(axes[0], runs)
    for ax, name in zip(axes[1:], names, strict=False):
        draw_part(ax, runs, name)
    for ax in axes[len(names) + 1 :]:
        ax.remove()
    for ax in fig.axes:
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.set_xlabel("Step")
        ax.grid(axis="y")
    mark = {"color": "0.3", "marker": "o", "linestyle": "none"}
    handles = [*run_handles(runs), Line2D([], [], label="last weights", **mark),
               Line2D([], [], label="running average", markerfacecolor="white", **mark)]  # fmt: skip
    columns = legend_columns([handle.get_label() for handle in handles], fig.get_figwidth(), key=0.5)
    fig.legend(handles=handles, loc="outside lower center", ncol=columns, handlelength=2.2, columnspacing=1.2)
    return fig


def draw_miou(ax: Axes, runs: list[dict]) -> Axes:
    """mIoU in percent on val: filled marks are the last weights, hollow ones their running average."""
    for run, dash in zip(runs, run_dashes(runs), strict=True):
        shade, scores = method_colour(run["method"]), evaluations(run["log"])
        ax.plot(*scores["last"], dash, color=shade, marker="o")
        ax.plot(*scores["average"], dash, color=shade, marker="o", markerfacecolor="white", alpha=0.75)
    ax.set_title("mIoU on val [%]")
    # From the first step on, so that the mark of a run that is evaluated only at its end is there, not in the middle.
    ax.set_xlim(0, 1.05 * max(run["steps"] for run in runs))
    ax.margins(y=0.15)
    return ax


def draw_part(ax: Axes, runs: list[dict], name: str) -> Axes:
    """One part of the loss, before weighting, for the runs that have it."""
    lowest = 0.0
    for run, dash in zip(runs, run_dashes(runs), strict=True):
        series = loss_parts(run["log"])
        if name in series:
            ax.plot(*series[name], dash, color=method_colour(run["method"]))
            lowest = min(lowest, *series[name][1])
    ax.set_title(PARTS.get(name, name))
    ax.set_xlim(0, 1.05 * max(run["steps"] for run in runs))
    ax.set_ylim(bottom=lowest)  # losses are compared with 0
    return ax
