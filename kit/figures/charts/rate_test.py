"""A learning-rate test: loss over rate."""

from matplotlib.figure import Figure

from kit.figures.style import COLUMN, looks, new_figure

HIGHEST = 1.5
"""Top of the figure as a multiple of the first loss; above it the loss diverges."""


@looks()
def rate_figure(test, used: float | None = None, width: float = 1.4 * COLUMN) -> Figure:
    """Loss over learning rate, raw in grey and smoothed in blue, with the suggested rate.

    Args:
        test: a `kit.train.rate_test.RateTest`.
        used: the rate of the run; None leaves it out.
        width: in inches.
    """
    fig = new_figure(width, 0.62 * width)
    ax = fig.add_subplot()
    ax.plot(test.rates, test.losses, color="0.75", linewidth=0.7)
    ax.plot(test.rates, test.smoothed, color="#0072B2", label="loss, smoothed")
    ax.axvline(test.suggested, color="#D55E00", linestyle="--", label=f"suggested: {test.suggested:.1e}")
    ax.axvline(test.lowest, color="0.5", linestyle=":", label=f"lowest loss: {test.lowest:.1e}")
    if used is not None:
        ax.axvline(used, color="black", linewidth=0.8, label=f"optim.lr of the run: {used:.1e}")
    low, high = min(test.smoothed), HIGHEST * test.smoothed[0]
    ax.set(xscale="log", xlabel="optim.lr", ylabel="Loss", ylim=(max(0.0, low - 0.15 * (high - low)), high))
    ax.grid(axis="y")
    ax.legend(loc="upper left", fontsize="small")
    return fig
