"""Contact sheets: images that should be labelled next, and why."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from kit.errors import KitError
from kit.figures.pictures.grid import add_picture, class_patches, place_legend
from kit.figures.pictures.masks import OVERLAY
from kit.figures.pictures.view import HEAT
from kit.figures.style import PAGE, SMALL, legend_columns, looks, new_figure, overlay

COLUMNS = 2
"""Suggestions per row, each with three pictures."""

GAP, BETWEEN, LINE = 0.03, 0.14, 0.125
"""Gaps between the pictures of a suggestion and between suggestions, and height of a line of text, in inches."""


@looks()
def contact_sheet(suggested: Sequence, pictures: Sequence, classes: Sequence[str], palette: Sequence,
                  members: str = "", columns: int = COLUMNS, width: float = PAGE, first: int = 1,
                  legend: bool = True, among: Sequence = ()) -> Figure:  # fmt: skip
    """For each suggestion its photograph, the student's prediction, and a map of where networks or views disagree, with
    rank, id and reason above them. A legend of the colours is below all suggestions.

    Args:
        suggested: with "name" and "reason" (`kit.label.suggest.Suggestion`), the best first.
        pictures: with "image", "prediction" and "differing" (`kit.label.suggest.Seen`), one each.
        classes, palette: names and RGB 0..255, in the order of class ids.
        members: description of the networks or views that are compared.
        columns: suggestions per row.
        width: in inches.
        first: rank of the first suggestion.
        legend: add the caption and the legend of classes.
        among: pictures of all figures that share this scale and legend; () is `pictures`.
    Raises: KitError if there is no suggestion, or if lengths differ.
    """
    if not suggested or len(suggested) != len(pictures):
        raise KitError(f"a contact sheet needs a picture for each suggestion, got {len(suggested)} and {len(pictures)}")
    block = (width - BETWEEN * (columns - 1)) / columns
    cell = (block - 2 * GAP) / 3
    texts = [textwrap.wrap(each.reason, max(20, int(block / 0.052))) for each in suggested]
    rows = [range(first, min(first + columns, len(suggested))) for first in range(0, len(suggested), columns)]
    shares = [picture.image.shape[0] / picture.image.shape[1] for picture in pictures]
    heads = [LINE * (1 + max(len(texts[i]) for i in row)) + 0.05 for row in rows]
    rooms = [cell * max(shares[i] for i in row) for row in rows]
    among = among or pictures
    handles = class_patches([picture.prediction for picture in among], classes, palette)
    below = LINE * (3 + len(handles) // legend_columns(handles, width)) + 0.1 if legend else 0.0
    height = sum(heads) + sum(rooms) + BETWEEN * len(rows) + below
    brightest = max(0.05, float(np.percentile([picture.differing.max() for picture in among], 90)))
    fig, top = new_figure(width, height, layout=None), height
    for row, head, room in zip(rows, heads, rooms, strict=True):
        for column, i in enumerate(row):
            left = column * (block + BETWEEN)
            fig.text(left / width, (top - 0.1) / height, f"{i + first}  {suggested[i].name}", fontsize=SMALL,
                     weight="bold", va="center")  # fmt: skip
            fig.text(left / width, (top - 0.1 - 0.62 * LINE) / height, "\n".join(texts[i]), fontsize=SMALL - 1,
                     va="top", color="0.25", linespacing=1.15)  # fmt: skip
            seen, tall = pictures[i], cell * shares[i]
            over = overlay(seen.image, seen.prediction, palette, OVERLAY)
            heat = {"cmap": HEAT, "vmin": 0, "vmax": brightest}
            for place, (picture, style) in enumerate(((seen.image, {}), (over, {}), (seen.differing, heat))):
                add_picture(fig, picture, left + place * (cell + GAP), top - head - tall, cell, tall, **style)
        top -= head + room + BETWEEN
    if not legend:
        return fig
    caption = f"Photograph; the student's prediction; where {members or 'networks or views'} differ (bright: up to " \
           f"{brightest:.2f} of the largest Jensen-Shannon divergence)"  # fmt: skip
    fig.text(0, (top - 0.02) / height, caption, fontsize=SMALL - 1, va="top", color="0.25")
    place_legend(fig, None, handles, (top - LINE) / height)
    return fig
