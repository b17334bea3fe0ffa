"""Accuracy and cost: all runs as rows of one table, and mean IoU over a cost."""

import statistics
import textwrap
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from kit.errors import KitError
from kit.figures.comparisons.marks import aside, set_limits, setting_looks
from kit.figures.style import COLUMN, PAGE, looks, method_name, new_figure, numbered, setting_labels
from kit.figures.tables.comparable import SUBJECT, comparable_groups, subject
from kit.figures.tables.formats import Cell, percent_cell
from kit.runs.groups import by_seed, by_setting
from kit.settings.checks import require_choice

COSTS = {
    "parameters": ("parameters of the student", lambda run: run["student_parameters"]),
    "seconds": ("seconds of training", lambda run: run["seconds"]["train"]),
    "labels": ("labelled images", lambda run: run["split"]["labelled"]),
    "flops": ("GFLOPs per image", lambda run: _carded(run)["flops"] / 1e9),
    "latency": ("milliseconds per image", lambda run: 1e3 * _carded(run)["timing"]["1"]["median"]),
}
"""Name -> (label, run -> number). The last two are from the runs' efficiency cards."""

OF_CARDS = {"flops": ("size",), "latency": ("size", "device")}
"""Fields that must be equal in all cards for these costs to be comparable."""

UNITS = {
    "parameters": ((1e5, 1e6, "parameters of the student [million]"),),
    "seconds": ((7200, 3600, "hours of training"), (600, 60, "minutes of training")),
}
"""Cost -> (smallest value for which the unit is used, divisor, label of the axis)."""

OVER_SEEDS, OVER_IMAGES = "± 1 sd over seeds", "95 % over images, one seed"
"""Meanings of the vertical line through a mark."""

BESIDE = 8
"""With more settings than this, the legend of a single panel is beside it."""

LETTERS = 34
"""Letters in a line of a panel's title."""


def run_rows(runs: list[dict]) -> list[dict]:
    """One row per run, for `kit.figures.tables.formats`; runs of different data sets may be mixed, as each row
    names its own.

    Raises: KitError if there is no run.
    """
    if not runs:
        raise KitError("no finished run to show")
    return [
        {
            "method": method_name(run["method"]),
            "folder": Path(run["path"]).name,
            "mIoU last [%]": percent_cell(run["last"]["miou"]),
            "mIoU average [%]": percent_cell(run["average"]["miou"]),
            "pixel accuracy [%]": percent_cell(run["last"]["pixel_accuracy"]),
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
    """Mean IoU over a cost, a panel for each group of runs that can be compared (`cost_groups`).

    Runs that differ only in their seed are one mark at their mean, with a line of one standard deviation over seeds.
    For a single seed, the line is the 95 % interval over val images, if the run recorded it. Marks of one method share
    a colour, with a shade and marker for each setting; marks of equal cost are side by side. If every setting has
    several seeds, grey steps join the Pareto front (`clear_front`).

    Args:
        runs: from `kit.load_run`.
        cost: a key of COSTS.
        weights: "last" or "average".
        panels: largest number of groups to draw, largest groups first; `left_out` names the others.
    Raises: KitError for an unknown cost, or if the cards it needs are missing or were made under different conditions.
    """
    require_choice(COSTS, cost=cost)
    require_choice(("last", "average"), weights=weights)
    groups = cost_groups(runs, cost)
    titles = group_titles(groups, cost)
    groups = groups[:panels]
    settings = [_settings(group) for group in groups]
    every = [members for of_group in settings for members in of_group]
    looks_of, labels = setting_looks([members[0] for members in every]), setting_labels(every)
    beside = len(groups) == 1 and len(every) > BESIDE
    width = COLUMN if len(groups) == 1 and not beside else PAGE
    columns = 1 if beside else max(1, int(width / (0.3 + 0.056 * max(map(len, labels)))))
    rows = -(-(len(every) + 2) // columns)
    fig = new_figure(width, max(2.4, 0.3 + 0.145 * rows) if beside else 2.2 + 0.145 * rows)
    handles: dict[str, Line2D] = {}
    place = 0
    for ax, group, title in zip(fig.subplots(1, len(groups), squeeze=False)[0], settings, titles, strict=False):
        part = slice(place, place + len(group))
        conditions = _conditions([run for members in group for run in members], cost)
        handles |= _draw_cost(ax, group, cost, weights, looks_of[part], labels[part])
        ax.set(xlabel=ax.get_xlabel() + conditions, title=title)
        if place:
            ax.set_ylabel("")
        place += len(group)
    methods = list(dict.fromkeys(members[0]["method"] for members in every))
    order = sorted(range(len(every)), key=lambda i: methods.index(every[i][0]["method"]))
    named = [label for label in (*(labels[i] for i in order), OVER_SEEDS, OVER_IMAGES) if label in handles]
    fig.legend([handles[label] for label in named], named, ncol=columns, handlelength=1, columnspacing=1.2,
               loc="outside right upper" if beside else "outside lower center")  # fmt: skip
    return fig


def cost_groups(runs: list[dict], cost: str) -> list[list[dict]]:
    """Group runs that can share a panel, the largest group first: same data set, split, protocol and number of steps.
    The split may differ if the cost is labels, the number of steps if it is seconds."""
    parts = ("data set", "protocol") if cost == "labels" else SUBJECT
    return comparable_groups(runs, parts, lambda run: None if cost == "seconds" else run["steps"])


def group_titles(groups: list[list[dict]], cost: str) -> list[str]:
    """A title for each group that distinguishes it; empty for a single group."""
    if len(groups) == 1:
        return [""]
    steps = len({group[0]["steps"] for group in groups}) > 1 and cost != "seconds"
    titles = []
    for group in groups:
        names = [subject(group[0])["data set"][0], *([] if cost == "labels" else [group[0]["split"]["name"]])]
        titles.append(", ".join(names) + (f"\n{group[0]['steps']:,} steps" if steps else ""))
    if len(set(titles)) < len(titles) and len({group[0]["protocol"] for group in groups}) > 1:
        said = (textwrap.fill(group[0]["protocol"], LETTERS) for group in groups)
        titles = [f"{title}\n{protocol}" for title, protocol in zip(titles, said, strict=True)]
    return numbered(titles)  # lists of one name may differ, and so may val images


def left_out(runs: list[dict], cost: str = "parameters", panels: int = 3) -> str:
    """A line that names the groups without a panel in `cost_figure`; "" if there are none."""
    groups = cost_groups(runs, cost)
    titles = [title.replace("\n", ", ") for title in group_titles(groups, cost)][panels:]
    named = [f"{title} ({len(group)})" for title, group in zip(titles, groups[panels:], strict=True)]
    return f"Not drawn, as there are only {panels} panels (number of runs): {'; '.join(named)}." if named else ""


def _draw_cost(ax: Axes, settings: list[list[dict]], cost: str, weights: str, looks_of: list[tuple[str, str]],
               labels: list[str]) -> dict[str, Line2D]:  # fmt: skip
    """Draw settings that can be compared, with their colours, markers and labels; return label -> handle."""
    costs = [statistics.mean(COSTS[cost][1](run) for run in members) for members in settings]
    factor, name = _unit(cost, max(costs))
    places = [x / factor for x in costs]
    handles: dict[str, Line2D] = {}
    points, ends = [], []
    rows = zip(settings, places, aside(places), looks_of, labels, strict=True)
    for members, x, shift, (shade, marker), label in rows:
        scores = [statistics.mean(100 * run[weights]["miou"] for run in of_seed) for of_seed in by_seed(members)]
        y, n = statistics.mean(scores), len(scores)
        sd = statistics.stdev(scores) if n > 1 else None
        kept = members[0][weights].get("intervals") if n == 1 else None
        interval = [100 * edge for edge in kept["miou"]] if kept else []
        moved = ax.transData + ScaledTranslation(shift / 72, 0, ax.figure.dpi_scale_trans)
        style = {"color": shade, "transform": moved}
        if interval:
            ax.vlines(x, *interval, linewidth=0.6, **style)
            handles[OVER_IMAGES] = Line2D([], [], color="0.3", linewidth=0.6)
        elif sd is not None:
            handles[OVER_SEEDS] = Line2D([], [], color="0.3")
        ax.errorbar(x, y, yerr=sd, fmt=marker, markersize=4, capsize=2, label=label, **style)
        handles[label] = Line2D([], [], color=shade, marker=marker, markersize=4, linestyle="")
        points.append((x, y, sd, n))
        ends += [y - (sd or 0), y + (sd or 0), *interval]
    freedom = sum(n - 1 for *_, n in points)
    # The standard deviation of two or three seeds is uncertain, so every setting gets the one pooled over settings.
    pooled = (sum((n - 1) * sd**2 for *_, sd, n in points if n > 1) / freedom) ** 0.5 if freedom else 0.0
    front = clear_front([(x, y, None if sd is None else pooled / n**0.5) for x, y, sd, n in points])
    if front:
        ax.plot(*zip(*front, strict=True), color="0.7", linewidth=0.8, drawstyle="steps-post", zorder=0)
    set_limits(ax, places, ends)
    ax.set(xlabel=name, ylabel=f"mIoU, {weights} weights [%]")
    ax.grid()
    return handles


def clear_front(points: list[tuple[float, float, float | None]]) -> list[tuple[float, float]]:
    """The `pareto` points among (cost, score, standard error of the score) that exceed the previous one by more than 2
    standard errors of their difference; none if a standard error is unknown, or if only one point is left."""
    errors = {(x, y): error for x, y, error in points}
    if None in errors.values():
        return []
    front: list[tuple[float, float]] = []
    for point in pareto(list(errors)):
        if not front or point[1] - front[-1][1] > 2 * (errors[point] ** 2 + errors[front[-1]] ** 2) ** 0.5:
            front.append(point)
    return front if len(front) > 1 else []


def pareto(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The Pareto front: points (cost, score) that score higher than all others of the same or lower cost, by cost."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front


def _settings(runs: list[dict]) -> list[list[dict]]:
    """Runs by setting; methods in the order of their first run."""
    methods = [run["method"] for run in runs]
    return sorted(by_setting(runs), key=lambda members: methods.index(members[0]["method"]))


def _unit(cost: str, largest: float) -> tuple[float, str]:
    """Divisor of the costs, and the label of the axis."""
    for least, factor, name in UNITS.get(cost, ()):
        if largest >= least:
            return factor, name
    return 1.0, COSTS[cost][0]


def _carded(run: dict) -> dict:
    """The student's entry in the card of a run."""
    return next(net for net in run["card"]["networks"] if net["role"] == "student")


def _conditions(runs: list[dict], cost: str) -> str:
    """Conditions that all cards share, for the label of the axis; "" if the cost needs no card."""
    if cost not in OF_CARDS:
        return ""
    if without := [run["path"] for run in runs if run["card"] is None]:
        raise KitError(f"cost {cost!r} needs the runs' cards; make them: python -m kit card {' '.join(without)}")
    first = runs[0]["card"]
    for run in runs[1:]:
        for key in OF_CARDS[cost]:
            if run["card"][key] != first[key]:
                raise KitError(
                    f"the cards of {runs[0]['path']} and {run['path']} have a different {key} "
                    f"({first[key]} and {run['card'][key]}); make them again: python -m kit card RUN ... --size H W"
                )
    device = f", {first['device']['name']}" if "device" in OF_CARDS[cost] else ""
    return f" ({first['size'][0]} x {first['size'][1]}{device})"
