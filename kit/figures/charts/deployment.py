"""A student in float and in 8 bits: latency, and the layers that are most sensitive to quantization."""

from matplotlib.figure import Figure

from kit.figures.style import COLUMN, PAGE, looks, new_figure
from kit.figures.tables.formats import Cell, percent_cell

LABELS = {"float": "float32", "int8": "8 bits"}

SHARES = {"p50": ("median", 1.0), "p90": ("90th percentile", 0.6), "p99": ("99th", 0.3)}
"""Percentile -> (label, opacity of its bar)."""

MOST = 12
"""Most layers to show; the most sensitive come first."""


def graph_rows(scores: dict[str, dict], int8: dict) -> list[dict]:
    """A row per graph, for `kit.figures.tables.formats`.

    Args:
        scores: "float" and, if there is one, "int8" -> scores of that graph
            (`kit.evaluate.scores.metrics.Scores.record`).
        int8: record of `kit.deploy.graphs.int8.to_int8`.
    """
    rows = []
    for form, found in scores.items():
        low, high = found["intervals"]["miou"]
        time = int8["latency"].get(form, {})
        rows.append({
            "graph": LABELS[form],
            "mIoU [%]": percent_cell(found["miou"]),
            "95 % over images": f"{100 * low:.2f} to {100 * high:.2f}",
            "boundary mIoU [%]": percent_cell(found["boundary_miou"]),
            "calibration error [%]": percent_cell(found["calibration_error"]),
            **{f"{share} [ms]": Cell(f"{time[share]:.1f}", time[share]) for share in SHARES if share in time},
            **({"MB": Cell(f"{int8['bytes'][form] / 1e6:.1f}", int8["bytes"][form])} if "bytes" in int8 else {}),
        })  # fmt: skip
    return rows


@looks()
def deployment_figure(int8: dict) -> Figure:
    """Left: milliseconds per picture of each graph, at three percentiles. Right, if it was measured: the share of
    pixels whose class changes when one layer alone is in 8 bits; hatched bars are layers that stay in float.

    Args:
        int8: record of `kit.deploy.graphs.int8.to_int8`.
    """
    found = dict(sorted(int8.get("sensitivity", {}).items(), key=lambda item: -item[1])[:MOST])
    fig = new_figure(PAGE if found else COLUMN, 2.5 if found else 1.9)
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.4)) if found else (fig.subplots(), None)
    forms = [form for form in LABELS if form in int8["latency"]]
    for i, (share, (name, alpha)) in enumerate(SHARES.items()):
        places = [row + 0.26 * (i - 1) for row in range(len(forms))]
        times = [int8["latency"][form][share] for form in forms]
        left.barh(places, times, 0.24, color="C0", alpha=alpha, label=name)
        for place, time in zip(places, times, strict=True):
            left.annotate(f"{time:.1f}", (time, place), (2, 0), textcoords="offset points", va="center", fontsize=6)
    left.set_yticks(range(len(forms)), [LABELS[form] for form in forms])
    left.margins(x=0.14)
    about = int8["latency"][forms[0]]
    height, width = about["size"]
    left.set_xlabel(f"ms per picture of {height} x {width}, {about['threads']} threads")
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncol=3, handlelength=1)
    if right is not None:
        hatches = ["////" if name in int8["float_layers"] else "" for name in found]
        right.barh(range(len(found)), [100 * share for share in found.values()], 0.7, color="C1", hatch=hatches,
                   edgecolor="white", linewidth=0)  # fmt: skip
        right.set_yticks(range(len(found)), list(found), fontsize=6)
        right.set_xlabel("pixels that change with this layer alone in 8 bits [%]")
    for ax in fig.axes:
        ax.invert_yaxis()
        ax.grid(axis="x")
    return fig
