"""The looks of every figure in one place: sizes, fonts, colours, and how a figure is saved and shown.

Figures are plain `Figure` objects, so no window system and no pyplot state is involved. Nothing global changes on
import: a function that draws carries `@looks()`, and the settings hold only while it runs.
"""

import io
import json
import os
from collections import Counter
from pathlib import Path

import IPython.display
import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from kit.system.storage import write_bytes
from kit.types import IGNORE

COLUMN, PAGE = 3.35, 7.0
"""Widths in inches of one column and of the whole page of a two-column paper."""

DPI = 300
"""Of saved pictures, and of photographs inside a PDF."""

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
}

METHODS = {  # name: (as written in figures, colour); Okabe and Ito's colours, which colour-blind readers tell apart
    "supervised": ("Supervised only", "#7F7F7F"),
    "mean_teacher": ("Mean Teacher", "#CC79A7"),
    "cps": ("CPS", "#E69F00"),
    "fixmatch": ("FixMatch", "#56B4E9"),
    "unimatch": ("UniMatch", "#D55E00"),
    "distill": ("Distillation", "#F0E442"),
    "trikd": ("TriKD", "#0072B2"),
    "mgd": ("MGD", "#009E73"),
}

DASHES = ("-", "--", ":", "-.")
"""Lines of runs of one method, which share its colour."""


def looks():
    """The kit's settings for matplotlib while a `with` block or a decorated function runs."""
    return matplotlib.rc_context(SETTINGS)


@looks()
def new_figure(width: float = COLUMN, height: float = 2.2, layout: str | None = "constrained") -> Figure:
    """An empty figure, sizes in inches, that belongs to no window."""
    return Figure(figsize=(width, height), layout=layout)


def method_name(method: str) -> str:
    """A method as it is written in figures and tables."""
    return METHODS[method][0] if method in METHODS else method


def method_colour(method: str) -> str:
    """The colour of a method, the same in every figure; black for one that has none yet."""
    return METHODS[method][1] if method in METHODS else "#000000"


def group_key(run: dict) -> str:
    """The same for runs that differ in nothing but their seed."""
    config = {**run["config"], "seed": None, "run_dir": None}
    # Teachers that were trained for a run have its seed in the names of their folders.
    taught = {name: [teacher["network"], teacher["trained_by"]] for name, teacher in run.get("teachers", {}).items()}
    config["method"] = {k: v for k, v in config.get("method", {}).items() if k not in taught}
    return json.dumps([run["method"], config, taught], sort_keys=True)


def start_of(run: dict) -> str:
    """The weights with which a run's encoders began, in a word; "–" where the run does not say."""
    return {True: "pretrained", False: "random"}.get(run["config"].get("pretrained"), "–")


def run_labels(runs: list[dict]) -> list[str]:
    """A short name per run, all different: the method, and of several runs of one method what tells them apart.

    Runs that differ in their seed alone have it in their label, those of which one started from pretrained and one from
    random weights have that, others the name of their folder.
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
    # The same run twice, or folders of one name in several places: number them.
    repeated = {label for label, count in Counter(chosen).items() if count > 1}
    return [
        f"{label} #{chosen[: i + 1].count(label)}" if label in repeated else label for i, label in enumerate(chosen)
    ]


def setting_labels(settings: list[list[dict]]) -> list[str]:
    """`run_labels` of settings, each given by its runs, with the number of their seeds.

    Runs of one setting are called by what the names of their folders begin with; a seed that was run twice is one seed.
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


def run_dashes(runs: list[dict]) -> list[str]:
    """A line style per run: solid for the first run of a method, then the others in turn."""
    seen: Counter = Counter()
    dashes = []
    for run in runs:
        dashes.append(DASHES[seen[run["method"]] % len(DASHES)])
        seen[run["method"]] += 1
    return dashes


def colour(mask: np.ndarray, palette, ignore_colour=(0, 0, 0)) -> np.ndarray:
    """Class ids (H, W) as an RGB picture, uint8 (H, W, 3).

    Args:
        mask: integers, class ids or IGNORE.
        palette: RGB 0..255 of each class, in the order of class ids.
        ignore_colour: RGB of pixels that are not counted.
    Raises: IndexError for an id that is neither in the palette nor IGNORE.
    """
    # Values that stand for nothing must not silently borrow a colour, so only the palette and IGNORE are looked up.
    table = np.asarray([*palette, ignore_colour], np.uint8)
    return table[np.where(mask == IGNORE, len(palette), mask.astype(np.int64))]


def grey(image: np.ndarray, brightest: float = 1.0, darkest: float = 0.0) -> np.ndarray:
    """A photograph uint8 (H, W, 3) without colour, float (H, W, 3) between `darkest` and `brightest`."""
    luma = image.astype(np.float64) @ (0.299, 0.587, 0.114) / 255
    return np.repeat((darkest + (brightest - darkest) * luma)[..., None], 3, axis=2)


def tint(picture: np.ndarray, where: np.ndarray, shade: str, strength: float = 0.8) -> None:
    """Lay `shade` over the pixels `where` (H, W) of a float picture (H, W, 3), in place."""
    picture[where] = (1 - strength) * picture[where] + strength * np.asarray(to_rgb(shade))


def save(fig: Figure, stem: str | Path) -> list[Path]:
    """Write `stem`.png and `stem`.pdf, whole or not at all; the folder is created. Returns both paths."""
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = []
    for suffix, metadata in ((".png", {"Software": None}), (".pdf", {"CreationDate": None})):  # the same bytes again
        path = stem.with_name(stem.name + suffix)  # not with_suffix: a stem may hold dots
        write_bytes(path, _rendered(fig, suffix[1:], DPI, metadata))
        paths.append(path)
    return paths


def show(fig: Figure, alt: str | None = None) -> IPython.display.Image:
    """The figure as a picture for a notebook, with and without a graphical front end.

    Args:
        alt: what it shows, in words, for readers who cannot see it.
    """
    # A bare Figure prints as text in a headless kernel. Twice the pixels shown, for fine screens.
    return IPython.display.Image(
        data=_rendered(fig, "png", 220, {"Software": None}), width=round(fig.get_figwidth() * 110), alt=alt
    )


@looks()
def _rendered(fig: Figure, suffix: str, dpi: int, metadata: dict) -> bytes:
    buffer = io.BytesIO()
    fig.savefig(buffer, format=suffix, dpi=dpi, metadata=metadata)
    return buffer.getvalue()
