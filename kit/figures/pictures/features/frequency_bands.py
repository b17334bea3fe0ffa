"""The frequency bands of the dual-frequency decoder at each level, and its channel attention."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from kit.errors import KitError
from kit.figures.pictures.view import HEAT
from kit.figures.style import PAGE, grey, looks, new_figure

SPECTRUM = "viridis"
"""Colour map of spectra; like HEAT's, its brightness rises evenly, also in a grey print."""

VEIL = 0.72
"""Opacity of a map over its image."""


@looks()
def frequency_bands(image: np.ndarray, levels: Sequence) -> Figure:
    """A row per level: low and high map over the image, spectrum with the cut-off, attention over channels.

    Args:
        image: uint8 (H, W, 3).
        levels: from `kit.explore.frequency_levels.frequency_levels` of that image.
    Raises: KitError if there is no level.
    """
    if not levels:
        raise KitError("no levels to draw")
    height, width = image.shape[:2]
    row = max(1.0, 1.45 * height / width + 0.2)
    fig = new_figure(PAGE, row * len(levels) + 0.65, layout="compressed")
    grid = fig.subplots(len(levels), 4, squeeze=False)
    for axes, level in zip(grid, levels, strict=True):
        draw_map(axes[0], image, level.low, level.covers)
        draw_map(axes[1], image, level.high, level.covers)
        draw_spectrum(axes[2], level.spectrum, level.radius)
        draw_attention(axes[3], level.attention, level.band)
        axes[0].set_ylabel(f"Level {level.level} (1/{level.stride})")
        for ax in axes[2:]:
            ax.set_box_aspect(height / width)  # all of one shape, so that the rows line up
        selected = axes[0 if level.band == "low" else 1]
        selected.spines[:].set(visible=True, color="black", linewidth=1.8)  # the band the attention is computed from
    heads = ("Low part, mean |x|", "High part, mean |x|", "Log amplitude", "Channel attention")
    for ax, head in zip(grid[0], heads, strict=True):
        ax.set_title(head)
    grid[-1][2].set_xlabel("Frequency [bins]")
    grid[-1][3].set_xlabel("Channel")
    bar = fig.colorbar(ScalarMappable(cmap=HEAT), ax=list(grid[:, :2].flat), location="bottom", shrink=0.5, aspect=40)
    bar.set_ticks([0, 1], labels=["1st percentile", "99th"])  # of each map
    return fig


def draw_map(ax: Axes, image: np.ndarray, values: np.ndarray, covers: tuple[float, float]) -> None:
    """A map (h, w) as heat over the image in grey, aligned with it; its scale runs from the 1st to the 99th percentile.

    Args:
        covers: (height, width) in pixels of the image that the map spans; padding is cut off.
    """
    height, width = image.shape[:2]
    ax.imshow(grey(image), extent=(0, width, height, 0))
    inside = values[: round(len(values) * height / covers[0]), : round(values.shape[1] * width / covers[1])]
    # Percentiles: a single bright pixel would leave the rest black.
    weakest, strongest = np.percentile(inside, (1, 99))
    ax.imshow(values, cmap=HEAT, alpha=VEIL, extent=(0, covers[1], covers[0], 0), interpolation="bilinear",
              vmin=weakest, vmax=max(strongest, weakest + 1e-9))  # fmt: skip
    ax.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def draw_spectrum(ax: Axes, spectrum: np.ndarray, radius: tuple[float, float]) -> None:
    """A centred log amplitude (h, w) over frequencies in bins, with the Gaussian's radius (vertical, horizontal)."""
    h, w = spectrum.shape
    left, top = -(w // 2) - 0.5, -(h // 2) - 0.5  # bin 0 is centred at 0
    shown = np.delete(spectrum.ravel(), (h // 2) * w + w // 2)  # the mean of a map exceeds everything else
    weakest, strongest = np.percentile(shown if shown.size else spectrum, (1, 99.5))
    ax.imshow(spectrum, cmap=SPECTRUM, extent=(left, left + w, top + h, top), vmin=weakest,
              vmax=max(strongest, weakest + 1e-9), aspect="auto", interpolation="nearest")  # fmt: skip
    if np.isfinite(radius).all():
        ax.add_patch(Ellipse((0, 0), 2 * radius[1], 2 * radius[0], fill=False, color="white", linewidth=1.1))
    size = f"{radius[0]:.3g}" if radius[0] == radius[1] else f"{radius[0]:.3g} × {radius[1]:.3g}"
    beyond = radius[0] > h / 2 and radius[1] > w / 2
    ax.text(0.03, 0.05, f"$D_0$ = {size}{' (outside)' if beyond else ''}", transform=ax.transAxes, color="white",
            parse_math=True, bbox={"facecolor": "black", "alpha": 0.55, "linewidth": 0, "pad": 1.5})  # fmt: skip
    ax.set(xlim=(left, left + w), ylim=(top + h, top))
    ax.locator_params(nbins=5, integer=True)


def draw_attention(ax: Axes, attention: np.ndarray, band: str) -> None:
    """Weights (C,) of the channels, 0..1, in the network's order, with their mean as a line; `band` is their input."""
    ax.stairs(attention, np.arange(len(attention) + 1) - 0.5, fill=True, color="#56B4E9")
    ax.axhline(attention.mean(), color="black", linewidth=0.8)
    summary = f"from {band}: {attention.mean():.2f} ± {attention.std():.2f}"
    ax.text(0.98, 0.96, summary, transform=ax.transAxes, ha="right", va="top",
            bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1})  # fmt: skip
    ax.set(xlim=(-0.5, len(attention) - 0.5), ylim=(0, 1), yticks=[0, 0.5, 1])
    ax.locator_params(axis="x", nbins=5, integer=True)
