"""Attention of networks from a pixel, over its image."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from kit.errors import KitError
from kit.figures.pictures.features.frequency_bands import draw_map
from kit.figures.style import PAGE, looks, new_figure
from kit.settings.checks import require_share

MARK = {"marker": "o", "markersize": 4.5, "markerfacecolor": "none", "markeredgecolor": "white", "markeredgewidth": 1.2}


@looks()
def attention_grid(image: np.ndarray, pixels: Sequence[tuple[float, float]], networks: Mapping[str, object],
                   width: float = PAGE) -> Figure:  # fmt: skip
    """A row per pixel: its place, and the attention of every network from this pixel; brighter is higher.

    Args:
        image: uint8 (H, W, 3).
        pixels: (row, column) as shares of height and width.
        networks: title of the column -> a `kit.explore.attention.Attention` of this image.
    Raises: KitError if there is no pixel or no network, or for a pixel outside the image.
    """
    if not pixels or not networks:
        raise KitError("an attention grid needs at least one pixel and one network with attention")
    for row, column in pixels:
        require_share(row=row, column=column)
    height, across = image.shape[:2]
    columns = 1 + len(networks)
    cell = min(width / columns, 2.6)
    fig = new_figure(cell * columns, cell * height / across * len(pixels) + 0.3)
    grid = fig.subplots(len(pixels), columns, squeeze=False)
    for axes, pixel in zip(grid, pixels, strict=True):
        row, column = pixel[0] * height, pixel[1] * across
        axes[0].imshow(image, extent=(0, across, height, 0))
        axes[0].set(xticks=[], yticks=[])
        axes[0].spines[:].set_visible(False)
        for ax, found in zip(axes[1:], networks.values(), strict=True):
            draw_map(ax, image, found.seen_from((row, column)), found.covers)
        for ax in axes:
            ax.plot(column, row, **{**MARK, "markeredgecolor": "black", "markeredgewidth": 2.4})
            ax.plot(column, row, **MARK)
    grid[0][0].set_title("Pixel")
    for ax, (name, found) in zip(grid[0][1:], networks.items(), strict=True):
        ax.set_title(f"{name} ({' × '.join(map(str, found.weights.shape[:2]))} tokens)")
    return fig
