"""What networks score against what they cost, from the cards of runs."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kit.errors import KitError
from kit.figures.style import PAGE, looks, method_colour, method_name, new_figure

MARKERS = {"student": "o", "cnn": "s", "vit": "D", "deep": "s", "wide": "D"}
"""Of what a network is to its run; anything but a student is drawn hollow."""

UNSCORED = "no score"
"""Where networks stand that cost something and were not kept to be judged."""


@looks()
def efficiency(cards: list[dict], batch: int = 1) -> Figure:
    """Mean IoU in percent over GFLOPs (left) and over milliseconds of a batch with its quartiles (right).

    Students are filled, in the colour of their method, their teachers hollow beside them. Networks without a score
    are ticks at the foot of the axes.

    Args:
        cards: from `kit.evaluate.card.make_card`.
        batch: images predicted together, one of those in the cards.
    Raises: KitError if there is no card, or if they were measured at different sizes, on different devices, or
        judged on different data, splits or protocols.
    """
    _check(cards)
    fig = new_figure(PAGE, 2.4)
    left, right = fig.subplots(1, 2, sharey=True)
    height, width = cards[0]["size"]
    _scatter(left, cards, lambda net: [net["flops"] / 1e9] * 3)
    left.set_xlabel(f"GFLOPs of an image of {height} x {width} (2 per multiply and add)")
    left.set_ylabel("mean IoU [%]")
    _scatter(right, cards, lambda net: [1e3 * net["timing"][str(batch)][key] for key in ("low", "median", "high")])
    device = cards[0]["device"]
    threads = f", {device['threads']} threads" if "threads" in device else ""
    right.set_xlabel(f"ms per batch of {batch} ({device['name']}{threads})")
    for ax in (left, right):
        ax.set_xscale("log")
        ax.grid(True)
        ax.margins(x=0.15, y=0.2)
    fig.legend(handles=_handles(cards), loc="outside upper center", ncol=4, handlelength=1.2)
    return fig


def _check(cards: list[dict]) -> None:
    if not cards:
        raise KitError("no cards to draw")
    for what in ("size", "device"):
        for card in cards[1:]:
            if card[what] != cards[0][what]:
                raise KitError(f"{cards[0]['run']} and {card['run']} were measured on different {what}s; "
                               f"make both cards again, of one {what}")  # fmt: skip
    scored = [card for card in cards if card["judged"]]
    for card in scored[1:]:
        if card["judged"] != scored[0]["judged"]:
            raise KitError(f"{scored[0]['run']} and {card['run']} were judged on other data, split or protocol and "
                           "cannot stand on one axis; draw them apart")  # fmt: skip


def _scatter(ax: Axes, cards: list[dict], cost_of) -> None:
    """A point per scored network, with a bar from its low to its high cost; a tick per network without a score."""
    for card in cards:
        shade = method_colour(card["method"])
        for net in card["networks"]:
            low, middle, high = cost_of(net)
            hollow = net["role"] != "student"
            if net["miou"] is None:
                ax.plot([middle], [0.02], "|", color=shade, markersize=9, transform=ax.get_xaxis_transform(),
                        clip_on=False)  # fmt: skip
                ax.annotate(net["name"], (middle, 0.02), xycoords=ax.get_xaxis_transform(), xytext=(2, 6),
                            textcoords="offset points", rotation=60, color="0.4")  # fmt: skip
                continue
            ax.errorbar([middle], [100 * net["miou"]], xerr=[[middle - low], [high - middle]], color=shade,
                        marker=MARKERS.get(net["role"], "^"), markersize=4.5, linewidth=0.8,
                        markerfacecolor="white" if hollow else shade)  # fmt: skip
            ax.annotate(net["name"], (middle, 100 * net["miou"]), xytext=(4, 3), textcoords="offset points")


def _handles(cards: list[dict]) -> list[Line2D]:
    """A line of the legend for each method, and for each kind of network beside a student."""
    methods = dict.fromkeys(card["method"] for card in cards)
    handles = [Line2D([], [], color=method_colour(m), marker="o", linestyle="", label=method_name(m)) for m in methods]
    scored = dict.fromkeys(net["role"] for card in cards for net in card["networks"] if net["miou"] is not None)
    handles += [
        Line2D([], [], color="0.3", marker=MARKERS.get(role, "^"), markerfacecolor="white", linestyle="", label=role)
        for role in scored if role != "student"
    ]  # fmt: skip
    if any(net["miou"] is None for card in cards for net in card["networks"]):
        handles.append(Line2D([], [], color="0.3", marker="|", linestyle="", label=UNSCORED))
    return handles
