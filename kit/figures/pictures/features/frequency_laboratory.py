"""Figures of the frequency laboratory: amplitude over frequency, attention by channel and class, other cut-offs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from kit.errors import KitError
from kit.figures.pictures.features.frequency_bands import draw_map
from kit.figures.style import PAGE, legend_columns, looks, new_figure

LINES = ("#7F7F7F", "#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Okabe and Ito's colours, safe for colour-blind readers; grey is the reference."""


@looks()
def profile_figure(profiles: Mapping[str, Sequence]) -> Figure:
    """A panel per level: amplitude over frequency, a line per network, and the Gaussian's radius.

    Args:
        profiles: name of a line -> result of `kit.explore.bands.profiles`, all with the same number of levels.
    Raises: KitError if there is no profile.
    """
    if not profiles:
        raise KitError("no profiles to draw")
    levels = list(zip(*profiles.values(), strict=True))
    fig = new_figure(PAGE, 2.1)
    for ax, found in zip(fig.subplots(1, len(levels), squeeze=False)[0], levels, strict=True):
        draw_profiles(ax, dict(zip(profiles, found, strict=True)))
    fig.axes[0].set_ylabel("Amplitude (mean = 1)")
    handles = fig.axes[0].get_lines()[: len(profiles)]
    fig.legend(handles=handles, loc="outside lower center", ncol=legend_columns(handles, PAGE, key=0.6))
    return fig


def draw_profiles(ax: Axes, profiles: Mapping[str, object]) -> None:
    """Amplitude of one level over frequency on a logarithmic scale; the Gaussian's low pass is shaded."""
    for shade, (name, profile) in zip(LINES, profiles.items(), strict=False):
        ax.plot(profile.frequency, profile.amplitude, color=shade, label=name)
    first = next(iter(profiles.values()))
    cut = min(first.cut), max(first.cut)
    ax.axvspan(0, min(cut[0], 0.5), color="0.93", linewidth=0, zorder=0)
    if cut[1] > cut[0]:  # a radius in bins is a different share of the spectrum along height and width
        ax.axvspan(min(cut[0], 0.5), min(cut[1], 0.5), color="0.97", linewidth=0, zorder=0)
    where = {"transform": ax.get_xaxis_transform(), "va": "top", "color": "0.35", "parse_math": True}
    if cut[0] < 0.42:
        ax.axvline(cut[0], color="0.5", linewidth=0.7, linestyle="--", zorder=1)
        ax.text(cut[0] + 0.008, 0.97, "$D_0$", **where)
    else:
        ax.text(0.49, 0.97, "$D_0$ outside", ha="right", **where)
    ax.set(xlim=(0, 0.5), xlabel="Frequency [cycles/pixel of the map]", yscale="log",
           title=f"Level {first.level} (1/{first.stride})")  # fmt: skip
    ax.set_xticks([0, 0.25, 0.5], ["0", "0.25", "0.5"])
    ticks = [t * 10.0**e for e in range(-3, 4) for t in (1, 2, 5)]
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter("{x:g}")


@looks()
def channel_figure(channels: Sequence, classes: Sequence[str]) -> Figure:
    """A row per level, with channels sorted by mean weight. Left: the range of their weights over the images. Right:
    the mean over images weighted by the share of a class in each, minus the plain mean.

    Args:
        channels: from `kit.explore.bands.channels`.
        classes: names, in the order of class ids.
    Raises: KitError if there is no level.
    """
    if not channels:
        raise KitError("no levels to draw")
    rows = max(len(found.classes) for found in channels)
    fig = new_figure(PAGE, len(channels) * max(1.3, 0.105 * rows + 0.45) + 0.35)
    grid = fig.subplots(len(channels), 2, squeeze=False, width_ratios=(1, 1.35))
    for axes, found in zip(grid, channels, strict=True):
        order = np.argsort(found.images.mean(0), kind="stable")
        draw_ranges(axes[0], found.images[:, order])
        axes[0].set_ylabel(f"Level {found.level}, from {found.band}")
        difference = (found.by_class - found.images.mean(0))[:, order]
        most = max(float(np.percentile(np.abs(difference), 98)), 1e-6)
        shown = axes[1].imshow(difference, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
        bar = fig.colorbar(shown, ax=axes[1], aspect=14, pad=0.01, format="%+.2g")
        bar.set_ticks([-most, 0, most])
        bar.outline.set_visible(False)
        axes[1].set_yticks(range(len(found.classes)), [classes[i] for i in found.classes])
        axes[1].tick_params(axis="y", length=0, labelsize=5.5)
        axes[1].spines[:].set_visible(False)
        axes[1].locator_params(axis="x", nbins=6, integer=True)
    grid[0][0].set_title(f"Weight over {len(channels[0].images)} images: range, middle half, mean")
    grid[0][1].set_title("Difference in images with much of a class")
    for ax in grid[-1]:
        ax.set_xlabel("Channel, sorted by its mean weight")
    return fig


def draw_ranges(ax: Axes, weights: np.ndarray) -> None:
    """Mean of each channel over images, with the middle half and the whole range; weights (n, C)."""
    at = np.arange(weights.shape[1])
    low, quarter, rest, high = np.percentile(weights, (0, 25, 75, 100), axis=0)
    ax.fill_between(at, low, high, color="#56B4E9", alpha=0.35, linewidth=0, step="mid")
    ax.fill_between(at, quarter, rest, color="#56B4E9", linewidth=0, step="mid")
    ax.plot(at, weights.mean(0), color="black", linewidth=0.9)
    ax.set(xlim=(0, max(len(at) - 1, 1)), ylim=(0, 1), yticks=[0, 0.5, 1])
    ax.locator_params(axis="x", nbins=6, integer=True)
    ax.grid(axis="y")


@looks()
def cutoff_figure(cutoffs: Sequence, levels: Sequence[int]) -> Figure:
    """Effect of scaling D0, over the factor: energy in the low part, change of the channel attention, and mIoU and
    changed pixels of the prediction.

    Args:
        cutoffs: from `kit.explore.bands.cutoffs`.
        levels: numbers of the decoder's levels.
    Raises: KitError if there is no cut-off.
    """
    if not cutoffs:
        raise KitError("no cut-offs to draw")
    ordered = sorted(cutoffs, key=lambda found: found.factor)
    factors = [found.factor for found in ordered]
    fig = new_figure(PAGE, 2.0)
    energy, change, scores = fig.subplots(1, 3)
    for i, level in enumerate(levels):
        style = {"color": LINES[1 + i % (len(LINES) - 1)], "marker": "o", "label": f"level {level}"}
        energy.plot(factors, [100 * found.low_energy[i] for found in ordered], **style)
        change.plot(factors, [found.attention_change[i] for found in ordered], **style)
    scores.plot(factors, [100 * found.miou for found in ordered], color="black", marker="o", label="mIoU")
    scores.plot(factors, [100 * found.changed_pixels for found in ordered], color="0.5", marker="s", linestyle="--",
                label="pixels changed")  # fmt: skip
    energy.set(title="Energy that passes as low [%]", ylim=(0, 103))
    change.set(title="Mean change of channel attention", ylim=(0, None))
    scores.set(title="Prediction without retraining [%]", ylim=(0, None))
    for ax in (energy, change, scores):
        ax.set_xscale("log", base=2)
        ax.axvline(1, color="0.6", linewidth=0.7, linestyle=":", zorder=0)
        ax.set_xlabel("Factor on $D_0$", parse_math=True)
        ax.set_xticks(factors, [f"{factor:g}" for factor in factors])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.grid(axis="y")
    energy.legend(loc="lower right")
    scores.legend(loc="best")
    return fig


@looks()
def cutoff_maps(image: np.ndarray, levels: Mapping[float, object]) -> Figure:
    """Low and high part of one level over an image, a column per factor on D0.

    Args:
        image: uint8 (H, W, 3).
        levels: factor -> a `kit.explore.frequency_levels.Level` of a network with that factor.
    Raises: KitError if there is no level.
    """
    if not levels:
        raise KitError("no levels to draw")
    height, width = image.shape[:2]
    cell = PAGE / len(levels)
    fig = new_figure(PAGE, 2 * cell * height / width + 0.35)
    grid = fig.subplots(2, len(levels), squeeze=False)
    for axes, (factor, level) in zip(grid.T, levels.items(), strict=True):
        draw_map(axes[0], image, level.low, level.covers)
        draw_map(axes[1], image, level.high, level.covers)
        axes[0].set_title(f"{factor:g} $D_0$ = {level.radius[0]:.3g} bins", parse_math=True)
    for ax, name in zip(grid[:, 0], ("Low part", "High part"), strict=True):
        ax.set_ylabel(name)
    return fig
