"""Class frequencies of a data set: all of train beside the labelled part of a split."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kit.data.doctor.diagnose import Diagnosis
from kit.errors import KitError
from kit.figures.style import COLUMN, looks, new_figure

SHADES = {"train": "#7F7F7F", "labelled": "#D55E00", "val": "#56B4E9"}  # safe for colour-blind readers
SHAPES = {"train": "o", "labelled": "D", "val": "^"}
AREAS = {"train": 22, "labelled": 14, "val": 12}
"""Areas of the marks in square points; the one of train is largest, so that it stays visible behind the others."""

NAMES = {"train": "all masks of train", "labelled": "labelled part", "val": "val"}


@looks()
def class_frequencies(diagnosis: Diagnosis) -> Figure:
    """Pixel share of every class in train, in the labelled part if there is one, and in val; most frequent on top.

    The figure has marks, not bars, because a logarithmic scale has no zero. A line joins the shares in train and in the
    labelled part; its length is their ratio. A class absent from a part is a hollow mark in a column at the left.

    Raises: KitError if no part could be read.
    """
    found = {part: diagnosis.parts[part].shares() for part in SHADES if part in diagnosis.parts}
    if not found:
        raise KitError(f"no part of {diagnosis.root} could be read, so there are no frequencies to draw")
    first = next(iter(found.values()))
    order = sorted(first, key=lambda name: (-first[name], diagnosis.classes.index(name)))
    fig = new_figure(COLUMN, 0.75 + 0.145 * len(order))
    _draw(fig.add_subplot(), order, found)
    fig.legend(loc="outside upper center", ncol=len(found), handletextpad=0.2, columnspacing=1.0)
    return fig


def _draw(ax: Axes, classes: Sequence[str], found: Mapping[str, Mapping[str, float]]) -> None:
    """A row per class, the first on top, and a mark per part; `found` is part -> class -> share, 0..1."""
    positive = [share for values in found.values() for share in values.values() if share > 0] or [1e-3, 1.0]
    least, most = 100 * min(positive) / 1.5, 100 * max(positive) * 1.5
    column = (most / least) ** 0.1  # as wide as a tenth of the scale
    nothing, edge = least / column**0.5, least / column
    rows = range(len(classes))
    at = {part: [100 * values[name] or nothing for name in classes] for part, values in found.items()}
    lacking = any(share == nothing for x in at.values() for share in x)
    if {"train", "labelled"} <= set(at):
        ax.hlines(rows, at["train"], at["labelled"], color=SHADES["labelled"], linewidth=1.2, alpha=0.5)
    for part, x in at.items():
        faces = ["white" if share == nothing else SHADES[part] for share in x]
        ax.scatter(x, rows, AREAS[part], label=NAMES[part], marker=SHAPES[part], facecolors=faces,
                   edgecolors=SHADES[part], linewidths=1, zorder=3)  # fmt: skip
    ax.set(xscale="log", xlim=(edge if lacking else least, most), ylim=(len(classes) - 0.4, -0.6))
    ax.set_yticks(rows, classes)
    ax.set_xlabel("Share of counted pixels [%]")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.grid(axis="both")
    ax.tick_params(axis="y", length=0)
    if lacking:
        ax.axvspan(edge, least, color="0.95", linewidth=0, zorder=0)
        ax.text(nothing, -0.65, "none", ha="center", va="bottom", color="0.3")
