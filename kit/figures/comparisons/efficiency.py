"""Scores of networks over their costs, from the cards of runs."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kit.errors import KitError
from kit.figures.comparisons.marks import label_offsets, log_axis, log_places, set_limits
from kit.figures.style import PAGE, legend_mark, looks, method_colour, method_name, new_figure

MARKERS = {"student": "o", "cnn": "s", "vit": "D", "deep": "s", "wide": "D"}
"""Marker for each role of a network in its run; all but students are hollow."""

WIDTH, HEIGHT = 225.0, 125.0
"""Approximate size of the axes in points."""

FOOT = 0.09
"""Share of the axes' height kept free at the bottom for each network without a score, for its name."""

WRAP = 36
"""A description of the device with at least this many characters gets its own line."""

UNSCORED = "no score"
"""Label of networks with a cost that were not kept for evaluation."""


@looks()
def efficiency(cards: list[dict], batch: int = 1) -> Figure:
    """Mean IoU in percent over GFLOPs (left) and over milliseconds of a batch with quartiles (right).

    Marks of students are filled, in the colour of their method; those of their teachers are hollow. Networks without a
    score are ticks at the bottom of the axes.

    Args:
        cards: from `kit.deploy.card.make_card`.
        batch: batch size of the timing, one of those in the cards.
    Raises: KitError if there is no card, or if sizes, devices, data, splits or protocols differ.
    """
    _check(cards)
    fig = new_figure(PAGE, 2.8)
    left, right = fig.subplots(1, 2, sharey=True)
    height, width = cards[0]["size"]
    _scatter(left, cards, lambda net: [net["flops"] / 1e9] * 3)
    left.set(xlabel=f"GFLOPs per image of {height} x {width} (2 per multiply and add)", ylabel="mean IoU [%]")
    _scatter(right, cards, lambda net: [1e3 * net["timing"][str(batch)][key] for key in ("low", "median", "high")])
    device = cards[0]["device"]
    threads = f", {device['threads']} threads" if "threads" in device else ""
    about = f"({device['name']}{threads})"
    right.set_xlabel(f"ms per batch of {batch}{' ' if len(about) < WRAP else chr(10)}{about}")
    handles = _handles(cards)
    fig.legend(handles=handles, loc="outside upper center", ncol=min(6, len(handles)), handlelength=1.2)
    return fig


def _check(cards: list[dict]) -> None:
    if not cards:
        raise KitError("no cards to draw")
    for what in ("size", "device"):
        for card in cards[1:]:
            if card[what] != cards[0][what]:
                raise KitError(f"{cards[0]['run']} and {card['run']} were measured on different {what}s; "
                               f"make both cards again with one {what}")  # fmt: skip
    scored = [card for card in cards if card["judged"]]
    for card in scored[1:]:
        if card["judged"] != scored[0]["judged"]:
            raise KitError(f"{scored[0]['run']} and {card['run']} were evaluated on different data, splits or "
                           "protocols and cannot share an axis; draw them separately")  # fmt: skip


def _scatter(ax: Axes, cards: list[dict], cost_of) -> None:
    """A point per scored network, with a bar from its low to its high cost; a tick per network without a score."""
    nets = [(net, method_colour(card["method"]), cost_of(net)) for card in cards for net in card["networks"]]
    for net, shade, (low, middle, high) in nets:
        hollow = net["role"] != "student"
        if net["miou"] is None:
            ax.plot([middle], [0.02], "|", color=shade, markersize=9, transform=ax.get_xaxis_transform(), clip_on=False)
        else:
            ax.errorbar([middle], [100 * net["miou"]], xerr=[[middle - low], [high - middle]], color=shade,
                        marker=MARKERS.get(net["role"], "^"), markersize=4.5, linewidth=0.8,
                        markerfacecolor="white" if hollow else shade)  # fmt: skip
    costs = [middle for *_, (_, middle, _) in nets]
    scores = [100 * net["miou"] for net, *_ in nets if net["miou"] is not None]
    set_limits(ax, costs, scores or [0.0], foot=FOOT * sum(net["miou"] is None for net, *_ in nets))
    log_axis(ax, min(costs), max(costs))
    ax.grid(True)
    _names(ax, [(net["name"], middle, net["miou"]) for net, _, (_, middle, _) in nets])


def _names(ax: Axes, nets: list[tuple[str, float, float | None]]) -> None:
    """Write the names of networks (name, cost, score) beside their marks without overlap.

    Networks with the same name and cost get one label, at the highest mark.
    """
    bottom = ax.get_ylim()[0]
    places = log_places(ax, [(x, bottom if y is None else 100 * y) for _, x, y in nets], WIDTH, HEIGHT)
    named: dict[tuple[str, str], int] = {}
    for i, (name, x, _) in enumerate(nets):
        key = name, f"{x:.1e}"
        if key not in named or places[i][1] > places[named[key]][1]:
            named[key] = i
    chosen = list(named.values())
    marks = [places[i] for i in chosen] + [place for i, place in enumerate(places) if i not in chosen]
    offsets = label_offsets(marks, [nets[i][0] for i in chosen], WIDTH, HEIGHT)
    for i, (right, up, align) in zip(chosen, offsets, strict=True):
        name, x, y = nets[i]
        where = ((x, 0), ax.get_xaxis_transform()) if y is None else ((x, 100 * y), "data")
        ax.annotate(name, where[0], (right, up), xycoords=where[1], textcoords="offset points", ha=align,
                    color="0.4" if y is None else "black")  # fmt: skip


def _handles(cards: list[dict]) -> list[Line2D]:
    """An entry of the legend for each method, and for each role other than student."""
    methods = dict.fromkeys(card["method"] for card in cards)
    handles = [legend_mark(method_name(method), method_colour(method)) for method in methods]
    scored = dict.fromkeys(net["role"] for card in cards for net in card["networks"] if net["miou"] is not None)
    handles += [legend_mark(role, "0.3", MARKERS.get(role, "^"), markerfacecolor="white")
                for role in scored if role != "student"]  # fmt: skip
    if any(net["miou"] is None for card in cards for net in card["networks"]):
        handles.append(legend_mark(UNSCORED, "0.3", "|"))
    return handles
