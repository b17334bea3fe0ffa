"""The style of every figure: sizes, fonts, colours, and how a figure is saved and shown.

Figures are plain `Figure` objects, without a window system or pyplot state. Importing this module changes no global
settings: functions that draw are decorated with `@looks()`, which applies SETTINGS only while they run.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import IPython.display
import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kit.runs.groups import group_key
from kit.system.storage import content_of, write_bytes
from kit.types import IGNORE

COLUMN, PAGE = 3.35, 7.0
"""Widths in inches of one column and of the whole page of a two-column paper."""

DPI = 300
"""Resolution of saved pictures, and of photographs inside a PDF."""

SMALL = 7
"""Text size in points; headings are one point larger."""

SETTINGS = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": SMALL,
    "axes.titlesize": SMALL + 1,
    "axes.labelsize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlepad": 4,
    "axes.labelpad": 2,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "grid.linewidth": 0.4,
    "grid.color": "0.87",
    "lines.linewidth": 1.2,
    "lines.markersize": 3,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3, and text stays selectable
    "svg.fonttype": "none",
    "text.parse_math": False,  # a $ in the name of a class or a row is a $
}

METHODS = {  # name: (as written in figures, colour); Okabe and Ito's colours, safe for colour-blind readers
    "supervised": ("Supervised only", "#7F7F7F"),
    "mean_teacher": ("Mean Teacher", "#CC79A7"),
    "cps": ("CPS", "#E69F00"),
    "fixmatch": ("FixMatch", "#56B4E9"),
    "unimatch": ("UniMatch", "#D55E00"),
    "distill": ("Distillation", "#F0E442"),
    "trikd": ("TriKD", "#0072B2"),
    "mgd": ("MGD", "#009E73"),
}

UNLABELLED = (0, 0, 0)
"""Colour of pixels without a label, as in the data sets' own tools."""

DASHES = ("-", "--", ":", "-.")
"""Line styles of the runs of one method, which share its colour."""


def looks():
    """The kit's settings for matplotlib while a `with` block or a decorated function runs."""
    return matplotlib.rc_context(SETTINGS)


@looks()
def new_figure(width: float = COLUMN, height: float = 2.2, layout: str | None = "constrained") -> Figure:
    """An empty figure without a window, sizes in inches."""
    return Figure(figsize=(width, height), layout=layout)


def method_name(method: str) -> str:
    """A method as written in figures and tables."""
    return METHODS.get(method, (method,))[0]


def method_colour(method: str) -> str:
    """The colour of a method, the same in every figure; black for a method that is not in METHODS."""
    return METHODS.get(method, ("", "#000000"))[1]


def turns(names: Sequence[str]) -> list[int]:
    """For each name, the number of equal names before it."""
    return [names[:i].count(name) for i, name in enumerate(names)]


def numbered(names: Sequence[str]) -> list[str]:
    """The names, those that are there several times with "#1", "#2" ... behind them."""
    pairs = zip(names, turns(names), strict=True)
    return [f"{name} #{turn + 1}" if names.count(name) > 1 else name for name, turn in pairs]


def start_of(run: dict) -> str:
    """Initial weights of a run's encoders: "pretrained" or "random"; "–" if the run did not record it."""
    return {True: "pretrained", False: "random"}.get(run["config"].get("pretrained"), "–")


def run_labels(runs: list[dict]) -> list[str]:
    """Short, unique names of runs: the method, and for several runs of one method what distinguishes them.

    This is the seed if they differ in nothing else, "pretrained" or "random" if there is one run of each, otherwise the
    name of the folder.
    """
    chosen = []
    for run in runs:
        label, same = method_name(run["method"]), [other for other in runs if other["method"] == run["method"]]
        if len(same) == 1:
            chosen.append(label)
        elif len({group_key(other) for other in same}) == 1:
            chosen.append(f"{label}, seed {run['seed']}")
        elif len({start_of(other) for other in same}) == len(same):
            chosen.append(f"{label}, {start_of(run)}")
        else:
            chosen.append(f"{label} ({Path(run['path']).name})")
    return numbered(chosen)  # the same run may be there twice, or equal folder names in several places


def setting_labels(settings: list[list[dict]]) -> list[str]:
    """Short, unique names of settings, each given by its runs: as in `run_labels`, with the number of seeds.

    The folder name of a setting is the common prefix of its runs' folder names; a seed that was run twice counts once.
    """
    firsts = []
    for runs in settings:
        names = [Path(run["path"]).name for run in runs]
        common = names[0] if len(runs) == 1 else os.path.commonprefix(names).rstrip("_- ") or names[0]
        firsts.append({**runs[0], "path": common})
    labels = []
    for label, runs in zip(run_labels(firsts), settings, strict=True):
        seeds, n = list(dict.fromkeys(run["seed"] for run in runs)), len(runs)
        if n > 1 and len(seeds) == 1:
            label += f", {n} runs of seed {seeds[0]}"
        elif n > 1:
            label += f", {len(seeds)} seeds" + (f", {n} runs" if n > len(seeds) else "")
        labels.append(label)
    return labels


def run_styles(runs: list[dict]) -> list[dict[str, str]]:
    """Matplotlib style of each run: the colour of its method, and DASHES in turn for the runs of one method."""
    methods = [run["method"] for run in runs]
    return [{"color": method_colour(method), "linestyle": DASHES[turn % len(DASHES)]}
            for method, turn in zip(methods, turns(methods), strict=True)]  # fmt: skip


def run_handles(runs: list[dict]) -> list[Line2D]:
    """A legend line for every run."""
    named = zip(run_labels(runs), run_styles(runs), strict=True)
    return [Line2D([], [], label=label, **style) for label, style in named]


def legend_mark(label: str, shade: str, marker: str = "o", **style) -> Line2D:
    """A legend entry with a mark and no line; `style` holds further arguments of `Line2D`."""
    return Line2D([], [], color=shade, marker=marker, linestyle="", label=label, **style)


def legend_columns(handles: Sequence[Artist], width: float, key: float = 0.3) -> int:
    """Number of legend columns that the longest label allows; `width`, and `key` for a swatch with gaps, in inches."""
    longest = max((len(handle.get_label()) for handle in handles), default=0)
    return max(1, min(len(handles), int(width / (0.062 * longest + key))))


def colour(mask: np.ndarray, palette) -> np.ndarray:
    """Class ids (H, W) as an RGB picture, uint8 (H, W, 3).

    Args:
        mask: integers, class ids or IGNORE, which is UNLABELLED.
        palette: RGB 0..255 of each class, in the order of class ids.
    Raises: IndexError for an id that is neither in the palette nor IGNORE.
    """
    # An id without a colour must not silently take another's, so only the palette and IGNORE are in the table.
    table = np.asarray([*palette, UNLABELLED], np.uint8)
    return table[np.where(mask == IGNORE, len(palette), mask.astype(np.int64))]


def grey(image: np.ndarray, darkest: float = 0.0) -> np.ndarray:
    """A photograph uint8 (H, W, 3) in grey, float (H, W, 3) between `darkest` and 1."""
    luma = image.astype(np.float64) @ (0.299, 0.587, 0.114) / 255
    return np.repeat((darkest + (1 - darkest) * luma)[..., None], 3, axis=2)


def overlay(image: np.ndarray, mask: np.ndarray, palette, strength: float) -> np.ndarray:
    """A mask in colour over its image in grey, float (H, W, 3) in 0..1; `strength` is the weight of the mask."""
    return strength * colour(mask, palette) / 255 + (1 - strength) * grey(image)


def tint(picture: np.ndarray, where: np.ndarray, shade: str, strength: float = 0.8) -> None:
    """Blend `shade` into the pixels `where` (H, W) of a float picture (H, W, 3), in place."""
    picture[where] = (1 - strength) * picture[where] + strength * np.asarray(to_rgb(shade))


def save(fig: Figure, stem: str | Path) -> list[Path]:
    """Write `stem`.png and `stem`.pdf, each atomically, and return both paths; the folder is created."""
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = []
    for suffix, metadata in ((".png", {"Software": None}), (".pdf", {"CreationDate": None})):  # same bytes on each call
        path = stem.with_name(stem.name + suffix)  # not with_suffix: a stem may hold dots
        write_bytes(path, _rendered(fig, suffix[1:], DPI, metadata))
        paths.append(path)
    return paths


def show(fig: Figure, alt: str | None = None) -> IPython.display.Image:
    """The figure as a picture for a notebook, with and without a graphical front end.

    Args:
        alt: a description for screen readers.
    """
    # A bare Figure prints as text in a headless kernel. Twice the displayed resolution, for high-resolution screens.
    return IPython.display.Image(
        data=_rendered(fig, "png", 220, {"Software": None}), width=round(fig.get_figwidth() * 110), alt=alt
    )


@looks()
def _rendered(fig: Figure, suffix: str, dpi: int, metadata: dict) -> bytes:
    return content_of(lambda file: fig.savefig(file, format=suffix, dpi=dpi, metadata=metadata))
