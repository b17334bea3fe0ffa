"""What accuracy costs: all runs as rows of one table, and mean IoU over a cost."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from kit.checks import require_choice
from kit.errors import KitError
from kit.figures.export import Cell
from kit.figures.style import COLUMN, PAGE, group_key, looks, method_colour, method_name, new_figure, run_labels
from kit.figures.tables import SUBJECT, comparable_groups, subject

COSTS = {
    "parameters": ("parameters of the student", lambda run: run["student_parameters"]),
    "seconds": ("seconds of training", lambda run: run["seconds"]["train"]),
    "labels": ("labelled images", lambda run: run["split"]["labelled"]),
    "flops": ("GFLOPs of an image", lambda run: _carded(run)["flops"] / 1e9),
    "latency": ("milliseconds of an image", lambda run: 1e3 * _carded(run)["timing"]["1"]["median"]),
}
"""Name -> (as a reader knows it, run -> number). The last two are of the runs' efficiency cards."""

OF_CARDS = {"flops": ("size",), "latency": ("size", "device")}
"""What has to be the same in all cards for these costs to be comparable."""


def run_rows(runs: list[dict]) -> list[dict]:
    """One row per run, for `kit.figures.export`; runs of any data sets may stand together, for each says what it is.

    Raises: KitError if there is no run.
    """
    if not runs:
        raise KitError("no finished run to show")
    return [
        {
            "method": method_name(run["method"]),
            "folder": Path(run["path"]).name,
            "mIoU last [%]": _percent(run["last"]["miou"]),
            "mIoU average [%]": _percent(run["average"]["miou"]),
            "pixel accuracy [%]": _percent(run["last"]["pixel_accuracy"]),
            "data set": run["dataset"]["name"],
            "split": run["split"]["name"],
            "labels": run["split"]["labelled"],
            "seed": run["seed"],
            "steps": run["steps"],
            "student": run["config"]["student"]["name"],
            "parameters": run["student_parameters"],
            "train seconds": Cell(f"{run['seconds']['train']:.0f}", run["seconds"]["train"]),
            "protocol": run["protocol"],
            "date": run["date"][:10],
            "commit": run["commit"],
        }
        for run in runs
    ]


@looks()
def cost_figure(runs: list[dict], cost: str = "parameters", weights: str = "last", panels: int = 3) -> Figure:
    """Mean IoU over a cost, a panel for each group of runs that can be compared, whatever their split if labels are it.

    Runs that differ in their seed alone are one mark at their mean, with a line of one standard deviation. The grey
    steps join the settings that no other one beats at no greater cost.

    Args:
        runs: from `kit.load_run`.
        cost: a key of COSTS.
        weights: "last" or "average".
        panels: at most so many groups are drawn, the largest ones.
    Raises: KitError for another cost, or if cards that it takes are missing or were made under other conditions.
    """
    require_choice(COSTS, cost=cost)
    require_choice(("last", "average"), weights=weights)
    # Runs with few and with many labels have other splits, and belong into one panel where labels are the cost.
    found = comparable_groups(runs, ("data set", "protocol") if cost == "labels" else SUBJECT)
    groups = found[:panels]
    fig = new_figure(COLUMN if len(groups) == 1 else PAGE, 2.6)
    for ax, group in zip(fig.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
        conditions = _conditions(group, cost)
        draw_cost(ax, group, cost, weights)
        ax.set_xlabel(COSTS[cost][0] + conditions)
        if len(found) > 1:
            name = subject(group[0])["data set"][0]
            ax.set_title(name if cost == "labels" else f"{name}, {group[0]['split']['name']}")
    return fig


def draw_cost(ax: Axes, runs: list[dict], cost: str, weights: str) -> Axes:
    """One group of comparable runs."""
    settings: dict[str, list[dict]] = {}
    for run in runs:
        settings.setdefault(group_key(run), []).append(run)
    points = []
    for label, members in zip(run_labels([m[0] for m in settings.values()]), settings.values(), strict=True):
        x = _mean([COSTS[cost][1](run) for run in members])
        scores = [100 * run[weights]["miou"] for run in members]
        y, n = _mean(scores), len(scores)
        sd = (sum((score - y) ** 2 for score in scores) / (n - 1)) ** 0.5 if n > 1 else 0
        ax.errorbar(x, y, yerr=sd or None, fmt="o", color=method_colour(members[0]["method"]), capsize=2,
                    label=label if n == 1 else f"{label}, {n} seeds")  # fmt: skip
        points.append((x, y))
    front = pareto(points)
    ax.plot(*zip(*front, strict=True), color="0.7", linewidth=0.8, drawstyle="steps-post", zorder=0)
    values = [x for x, _ in points]
    if max(values) > 5 * min(values) > 0:
        ax.set_xscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())
    elif max(values) >= 1e5:
        ax.xaxis.set_major_formatter(ScalarFormatter(useMathText=True))
        ax.ticklabel_format(axis="x", style="sci", scilimits=(0, 0))
    ax.margins(0.15)
    ax.set_xlabel(COSTS[cost][0])
    ax.set_ylabel(f"mIoU, {weights} weights [%]")
    ax.grid()
    ax.legend(loc="best", handlelength=1)
    return ax


def _carded(run: dict) -> dict:
    """What the card of a run says of its student."""
    return next(net for net in run["card"]["networks"] if net["role"] == "student")


def _conditions(runs: list[dict], cost: str) -> str:
    """What stands behind the name of a cost, that all cards have in common; nothing where no card is needed."""
    if cost not in OF_CARDS:
        return ""
    if without := [run["path"] for run in runs if run["card"] is None]:
        raise KitError(f"cost {cost!r} takes the runs' cards; make them: python -m kit card {' '.join(without)}")
    first = runs[0]["card"]
    for run in runs[1:]:
        for key in OF_CARDS[cost]:
            if run["card"][key] != first[key]:
                raise KitError(
                    f"the cards of {runs[0]['path']} and {run['path']} were made with another {key} "
                    f"({first[key]} and {run['card'][key]}); make them again: python -m kit card RUN ... --size H W"
                )
    device = f", {first['device']['name']}" if "device" in OF_CARDS[cost] else ""
    return f" ({first['size'][0]} x {first['size'][1]}{device})"


def pareto(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points (cost, score) that no other beats in score at the same cost or less, by rising cost."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _percent(value: float) -> Cell:
    return Cell(f"{100 * value:.2f}", round(100 * value, 4))
