"""Quality of the pseudo labels of a run over its steps."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kit.errors import KitError
from kit.figures.charts.curves import step_panels
from kit.figures.style import COLUMN, PAGE, legend_columns, looks, new_figure, run_handles, run_styles

PANELS = {  # names of `kit.train.monitor.pseudo_labels.shares` -> labels; the first four are shares
    "accuracy": "Correct pseudo labels [%]",
    "sure_accuracy": "Correct above the threshold [%]",
    "coverage": "Pixels above the threshold [%]",
    "agreement": "Agreement of two views [%]",
    "diversity": "Classes, exp(entropy)",
}


def series(log: list[dict], name: str) -> tuple[list[int], list[float]]:
    """Steps and values of one number of the "pseudo" records; shares in percent."""
    found = [(r["step"], r["pseudo"][name]) for r in log if r.get("pseudo") and r["pseudo"].get(name) is not None]
    scale = 1 if name.endswith("diversity") else 100
    return [step for step, _ in found], [scale * value for _, value in found]


def measured(runs: list[dict]) -> list[str]:
    """Names of the panels for which some run has values."""
    return [name for name in PANELS if any(series(run["log"], name)[0] for run in runs)]


@looks()
def pseudo_quality(runs: list[dict]) -> Figure:
    """A panel for each pseudo-label statistic that some run logged; a value is a mean since the previous log line.

    Accuracy is known only if the masks of unlabelled images were read (`data.observe`). The last panel is the effective
    number of classes in the pseudo labels and, dotted, in the human labels of the same steps.

    Args:
        runs: from `kit.load_runs`; those without pseudo labels are left out.
    Raises: KitError if no run logged any.
    """
    names = measured(runs)
    if not names:
        raise KitError("none of these runs has logged pseudo labels; supervised runs make none")
    shown = [run for run in runs if measured([run])]
    columns = len(names) if len(names) < 4 else -(-len(names) // 2)
    lines = -(-len(names) // columns)
    fig = new_figure(PAGE if columns > 2 else COLUMN if columns == 1 else PAGE * 0.7, 1.6 * lines + 0.35)
    for ax, name in zip(step_panels(fig, len(names), columns), names, strict=True):
        draw_quality(ax, shown, name)
    handles = run_handles(shown)
    if "diversity" in names:
        handles.append(Line2D([], [], color="0.4", linestyle=":", label="human labels"))
    columns = legend_columns(handles, fig.get_figwidth(), key=0.6)
    fig.legend(handles=handles, loc="outside lower center", ncol=columns, handlelength=2.2)
    return fig


def draw_quality(ax: Axes, runs: list[dict], name: str) -> None:
    """One number over steps, for the runs that have it; `name` is a key of PANELS."""
    for run, style in zip(runs, run_styles(runs), strict=True):
        ax.plot(*series(run["log"], name), **style)
        if name == "diversity":
            ax.plot(*series(run["log"], "labelled_diversity"), ":", color=style["color"], linewidth=0.8)
    ax.set(title=PANELS[name], xlim=(0, 1.02 * max(run["steps"] for run in runs)))
    ax.set_ylim((1, None) if name == "diversity" else (0, 100))
