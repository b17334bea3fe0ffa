"""Mean IoU over frames per second of exported students, in float and in 8 bits."""

from matplotlib.figure import Figure

from kit.errors import KitError
from kit.figures.comparisons.cost import pareto
from kit.figures.comparisons.marks import label_offsets, log_places, set_limits
from kit.figures.style import COLUMN, legend_mark, looks, new_figure

FORMS = {"onnx": ("float", "float32"), "int8": ("int8", "8 bits")}
"""Form of a graph -> (key of its score, label)."""

WIDTH, HEIGHT = 200.0, 130.0
"""Approximate size of the axes in points."""


@looks()
def pareto_figure(rows: list[dict], threads: int) -> Figure:
    """Mean IoU in percent over frames per second: hollow marks are float32, filled ones 8 bits, a line joins the two.

    Grey steps join the Pareto front over all students and forms.

    Args:
        rows: of `bench deploy`'s deploy.json, evaluated on one data set: "network", "size", "scores" and "forms".
        threads: number of CPU threads, for the label of the axis.
    Raises: KitError if no row has a score, or pictures are of different sizes.
    """
    rows = [row for row in rows if row["scores"]]
    if not rows:
        raise KitError("no student with a score; a pareto figure is drawn from runs")
    if len({tuple(row["size"]) for row in rows}) > 1:
        raise KitError("these students were timed on pictures of different sizes and cannot share an axis")
    fig = new_figure(COLUMN, 2.7)
    ax = fig.subplots()
    points, named = [], []
    for i, row in enumerate(rows):
        shade = f"C{i}"
        own = [
            (row["forms"][form]["fps"], 100 * row["scores"][score], form)
            for form, (score, _) in FORMS.items()
            if form in row["forms"] and score in row["scores"]
        ]
        ax.plot([x for x, *_ in own], [y for _, y, _ in own], color=shade, linewidth=0.8)
        for x, y, form in own:
            ax.plot([x], [y], "o", color=shade, markersize=5, markerfacecolor="white" if form == "onnx" else shade)
        points += [(x, y) for x, y, _ in own]
        named.append(own[-1][:2])
    front = [(-x, y) for x, y in pareto([(-x, y) for x, y in points])]  # from the fastest to the best
    ax.plot(*zip(*front, strict=True), color="0.75", linewidth=0.8, drawstyle="steps-post", zorder=0)
    set_limits(ax, [x for x, _ in points], [y for _, y in points])
    ax.set_xscale("log")
    names, places = [row["network"] for row in rows], [*named, *(point for point in points if point not in named)]
    offsets = label_offsets(log_places(ax, places, WIDTH, HEIGHT), names, WIDTH, HEIGHT)
    for place, name, (aside, up, align) in zip(named, names, offsets, strict=True):
        ax.annotate(name, place, (aside, up), textcoords="offset points", ha=align)
    height, width = rows[0]["size"]
    ax.set(xlabel=f"frames a second at {height} x {width} ({threads} CPU threads)", ylabel="mean IoU on val [%]")
    ax.grid(True, which="both")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("{x:g}")
    handles = [
        legend_mark(label, "0.3", markerfacecolor="white" if form == "onnx" else "0.3")
        for form, (_, label) in FORMS.items()
    ]
    fig.legend(handles=handles, loc="outside upper center", ncol=2, handlelength=1)
    return fig
