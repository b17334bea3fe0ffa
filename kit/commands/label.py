"""Commands for who labels images: what to label next, and labels that come back."""

import argparse
import sys
from pathlib import Path

from kit.commands import command


def add(commands) -> None:
    """Declare suggest and labels."""
    suggest = command(commands, "suggest", _suggest, "rank unlabelled images: which ones to label next, and why")
    suggest.add_argument("folder", metavar="run", type=Path, help="folder of a finished run")
    suggest.add_argument("--count", type=int, default=10, help="images to suggest (default: 10)")
    suggest.add_argument("--strategy", default="balanced", help="balanced, cover, disagree, margin or random "
                         "(default: balanced)")  # fmt: skip
    suggest.add_argument("--images", default="", help="a folder of photographs to choose from (default: the unlabelled "
                         "images of the run's data set)")  # fmt: skip
    suggest.add_argument("--seed", type=int, default=0, help="of k-means and of random draws")
    suggest.add_argument("--alike", type=float, default=0.9, help="correlation of small pictures from which on two are "
                         "near-duplicates; above 1 none are (default: 0.9)")  # fmt: skip
    suggest.add_argument("--weights", default="last", help="last, average or best (default: last)")
    suggest.add_argument("--data-root", default="", help="folder of the data set, if not where it was in training")
    suggest.add_argument("--device", help="such as cuda or cpu (default: a GPU if there is one)")
    suggest.add_argument("--out", type=Path, help="folder for images.txt, reasons and sheet (default: suggest in the "
                         "run's folder)")  # fmt: skip


def _suggest(options: argparse.Namespace) -> None:
    from kit.figures.style import save
    from kit.figures.suggestions import contact_sheet
    from kit.label.suggest import seen, suggest, write_suggestions

    device, out = _device(options), options.out or options.folder / "suggest"
    found = suggest(options.folder, options.count, options.strategy, options.images, options.seed, options.weights,
                    options.data_root, options.alike, device)  # fmt: skip
    sheet = contact_sheet(found.chosen, seen(found, options.weights, device), found.classes, found.palette,
                          found.members)  # fmt: skip
    written = [*write_suggestions(found, out), *save(sheet, out / "contact_sheet")]
    lines = [f"{place:3d}  {each.name}: {each.reason}" for place, each in enumerate(found.chosen, 1)]
    passed = f"; {found.duplicates} near-duplicate(s) passed over" if found.duplicates else ""
    lines.append(f"{len(found.chosen)} of {found.pool} images, strategy {found.strategy}{passed}")
    if len(found.chosen) < options.count:
        lines.append(f"the other images are near-duplicates of these or of labelled ones; --alike above {options.alike:g}"
                     " lets more through")  # fmt: skip
    sys.stdout.write("\n".join([*lines, *(f"  {path}" for path in written)]) + "\n")


def _device(options: argparse.Namespace) -> str:
    import torch

    return options.device or ("cuda" if torch.cuda.is_available() else "cpu")
