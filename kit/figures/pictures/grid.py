"""Pictures in rows and columns at fixed gaps, with titles, names of rows, and legends of classes below."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from kit.figures.style import SMALL, UNLABELLED, legend_columns, new_figure
from kit.types import IGNORE

GAP, LINE, TITLE_LINE = 0.03, 0.132, 0.12
"""Inches between pictures, and heights of a line of a legend and of a title."""

MARGIN = 0.9
"""Inches for the names of rows at the left."""

PAD = 0.07
"""Inches below the titles and below each legend."""

Legend = tuple[str | None, list[Patch]]
"""Title, and the swatches."""


def picture_grid(rows: Sequence[Sequence[np.ndarray]], width: float, titles: Sequence[str] = (),
                 names: Sequence[str] = (),
                 legends: Sequence[Legend] = ()) -> tuple[Figure, list[list[Axes]]]:  # fmt: skip
    """A figure of pictures and the axes of each row. All pictures are equally wide and fill their axes.

    Args:
        rows: pictures (H, W, 3) of each row, of one size within a row.
        width: of the figure, in inches; its height follows from the pictures.
        titles: of the columns, wrapped to their width.
        names: of the rows, at their left.
        legends: below the pictures, the first on top.
    """
    columns, margin = max(map(len, rows)), MARGIN if names else 0.0
    cell = (width - margin - GAP * (columns - 1)) / columns
    heights = [cell * pictures[0].shape[0] / pictures[0].shape[1] for pictures in rows]
    titles = [textwrap.fill(title, max(8, int(cell / 0.073))) for title in titles]
    title_height = TITLE_LINE * max(title.count("\n") + 1 for title in titles) + PAD if titles else 0.0
    lines = [bool(title) + -(-len(handles) // legend_columns(handles, width)) for title, handles in legends]
    height = title_height + sum(heights) + GAP * len(rows) + sum(LINE * count + PAD for count in lines)

    fig = new_figure(width, height, layout=None)  # no layout engine supports fixed gaps between pictures
    top, grid = height - title_height, []
    for row, (pictures, tall) in enumerate(zip(rows, heights, strict=True)):
        grid.append([add_picture(fig, picture, margin + column * (cell + GAP), top - tall, cell, tall)
                     for column, picture in enumerate(pictures)])  # fmt: skip
        if names:
            fig.text(0.0, (top - tall / 2) / height, names[row], fontsize=SMALL, va="center")
        top -= tall + GAP
    for ax, title in zip(grid[0], titles, strict=False):
        ax.set_title(title, fontsize=SMALL)
    for legend, count in zip(legends, lines, strict=True):
        place_legend(fig, *legend, top / height)
        top -= LINE * count + PAD
    return fig, grid


def add_picture(fig: Figure, picture: np.ndarray, left: float, low: float, width: float, height: float,
                **style) -> Axes:  # fmt: skip
    """Add axes without a frame, filled by a picture; edges and size in inches, `style` for matplotlib's `imshow`."""
    across, tall = fig.get_size_inches()
    ax = fig.add_axes((left / across, low / tall, width / across, height / tall))
    ax.imshow(picture, aspect="auto", **style)
    ax.set_axis_off()
    return ax


def place_legend(fig: Figure, title: str | None, handles: list[Patch], top: float) -> None:
    """Add a centred legend with its upper end at `top`, a share of the figure's height."""
    fig.legend(handles=handles, title=title, title_fontsize=SMALL, loc="upper center", bbox_to_anchor=(0.5, top),
               ncol=legend_columns(handles, fig.get_figwidth()), borderpad=0.2, borderaxespad=0, handlelength=1.1,
               handleheight=0.9, handletextpad=0.4, columnspacing=1.0, labelspacing=0.35)  # fmt: skip


def class_patches(masks: Sequence[np.ndarray], classes: Sequence[str], palette: Sequence) -> list[Patch]:
    """A swatch for each class that occurs in masks of class ids, and one for pixels without a label.

    Args:
        classes, palette: names and RGB 0..255, in the order of class ids.
    """
    present = np.unique(np.concatenate([np.unique(mask) for mask in masks]))
    handles = [patch(classes[i], np.asarray(palette[i]) / 255) for i in present if i != IGNORE]
    if IGNORE in present:
        handles.append(patch("not labelled", np.asarray(UNLABELLED) / 255))
    return handles


def patch(label: str, shade) -> Patch:
    """A swatch of a legend in a colour that matplotlib knows."""
    return Patch(facecolor=shade, edgecolor="0.4", linewidth=0.3, label=label)
