"""Training curves from `log.jsonl` of one or more runs, over steps."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kit.errors import KitError
from kit.figures.style import COLUMN, PAGE, legend_columns, legend_mark, looks, new_figure, run_handles, run_styles

PARTS = {  # name in the log -> title
    "sup": "Supervised loss, student",
    "sup_partner": "Supervised loss, partner",
    "sup_cnn": "Supervised loss, CNN",
    "sup_vit": "Supervised loss, ViT",
    "cps": "Cross pseudo loss",
    "low": "Low-level loss (MSE)",
    "high": "Attention loss (KL)",
    "pixel": "Pixel loss, unlabelled",
    "pixel_labelled": "Pixel loss, labelled",
    "image": "Image-level loss (L1)",
    "region": "Region-level loss (MSE)",
    "deep": "Deep teacher (KL)",
    "wide": "Wide teacher (KL)",
    "strong": "Strong view",
    "strong_1": "First strong view",
    "strong_2": "Second strong view",
    "feature": "Dropped features",
    "consistency": "Consistency (MSE)",
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
    rows = -(-(len(names) + 1) // columns)
    fig = new_figure(PAGE if columns > 2 else COLUMN, 1.55 * rows + 0.3)
    first, *others = step_panels(fig, len(names) + 1, columns)
    draw_miou(first, runs)
    for ax, name in zip(others, names, strict=True):
        draw_part(ax, runs, name)
    handles = [*run_handles(runs), legend_mark("last weights", "0.3"),
               legend_mark("running average", "0.3", markerfacecolor="white")]  # fmt: skip
    columns = legend_columns(handles, fig.get_figwidth(), key=0.5)
    fig.legend(handles=handles, loc="outside lower center", ncol=columns, handlelength=2.2, columnspacing=1.2)
    return fig


def step_panels(fig: Figure, count: int, columns: int) -> list[Axes]:
    """`count` axes with training steps on x, in rows of at most `columns`."""
    every = list(fig.subplots(-(-count // columns), columns, squeeze=False).flat)
    for ax in every[count:]:
        ax.remove()
    for ax in every[:count]:
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.set_xlabel("Step")
        ax.grid(axis="y")
    return every[:count]


def draw_miou(ax: Axes, runs: list[dict]) -> None:
    """mIoU in percent on val: filled marks are the last weights, hollow ones their running average."""
    for run, style in zip(runs, run_styles(runs), strict=True):
        scores = evaluations(run["log"])
        ax.plot(*scores["last"], marker="o", **style)
        ax.plot(*scores["average"], marker="o", markerfacecolor="white", alpha=0.75, **style)
    ax.set_title("mIoU on val [%]")
    # Start at step 0, so that the mark of a run evaluated only at its end is at the right, not in the middle.
    ax.set_xlim(0, 1.05 * max(run["steps"] for run in runs))
    ax.margins(y=0.15)


def draw_part(ax: Axes, runs: list[dict], name: str) -> None:
    """One part of the loss, before weighting, for the runs that have it."""
    lowest = 0.0
    for run, style in zip(runs, run_styles(runs), strict=True):
        series = loss_parts(run["log"])
        if name in series:
            ax.plot(*series[name], **style)
            lowest = min(lowest, *series[name][1])
    ax.set_title(PARTS.get(name, name))
    ax.set_xlim(0, 1.05 * max(run["steps"] for run in runs))
    ax.set_ylim(bottom=lowest)  # losses are compared with 0
