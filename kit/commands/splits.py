"""Commands about lists of labelled images."""

import argparse
import sys
from pathlib import Path

from kit.commands import command, command_group
from kit.errors import KitError
from kit.system.console import show_line


def add(commands) -> None:
    """Declare splits draw, import and show."""
    commands = command_group(
        commands, "splits", "lists of labelled images: draw them, import published ones, show what they hold"
    )
    draw = command(commands, "draw", _draw_split, "draw a split by hash or, for videos, by sequence")
    draw("--split", '"1_N", "count_N", or one of these with "_by_sequence" appended', required=True)
    draw("--seed", "another seed draws another split", 0)
    draw("--seeds", "draw with this many seeds from --seed on, into OUT/seed_N", type=int)
    draw("--cover", "exchange as few images as needed to get every class into K labelled ones", type=int, metavar="K")
    draw("--pixels", "how much of a class an image must hold to count for --cover: below 1 a share of its mean size "
         "where it appears, else a number of pixels (default: 1)", type=float, metavar="P")  # fmt: skip
    draw("--exclude", "leave images out of both lists, such as '0016E5_07*': frames next to val in its video; may be "
         "repeated", default=[], action="append", metavar="PATTERN")  # fmt: skip

    load = command(commands, "import", _import_split, "read published lists, and identify them")
    load("labelled", "list of labelled images", type=Path)
    load("unlabelled", "list of unlabelled images", type=Path)

    show = command(commands, "show", _show_splits, "show known published splits, or the lists in folders")
    show("folders", "folders with labelled.txt and unlabelled.txt", type=Path, nargs="*")

    for option, needed in ((draw, True), (load, False), (show, False)):
        option("--dataset", "data set, such as synthetic, cityscapes, voc, camvid, folder", required=needed)
        optional = "" if needed else ", to check the lists against its files"
        option("--root", f"folder of the data set{optional}", type=Path, required=needed)
    for option in (draw, load):
        option("--out", "folder for labelled.txt and unlabelled.txt", type=Path, required=True)


def _draw_split(options: argparse.Namespace) -> None:
    from kit.data.splits.class_cover import write_draws

    seeds = range(options.seed, options.seed + (1 if options.seeds is None else options.seeds))
    folders = {seed: options.out if options.seeds is None else options.out / f"seed_{seed}" for seed in seeds}
    train, val = _both_parts(options)
    train.leave_out(options.exclude)
    about = {"excluded": options.exclude} if options.exclude else {}
    for line in write_draws(folders, options.split, options.cover, train, val, options.pixels, about):
        show_line(line)


def _import_split(options: argparse.Namespace) -> None:
    from kit.data.catalog import find_spec
    from kit.data.splits.list_formats import import_lists
    from kit.data.splits.split import summary

    files = _both_parts(options)
    spec = find_spec(options.dataset, options.root or Path()) if options.dataset else None
    split = import_lists(options.labelled, options.unlabelled, options.out, spec, files)
    warning = f"  {split.warning}\n" if split.warning else ""
    sys.stdout.write(f"{summary(split)}, written to {options.out}\n{warning}")


def _show_splits(options: argparse.Namespace) -> None:
    from kit.data.splits.comparison import overview
    from kit.figures.tables.formats import as_text

    tables, warnings = overview(options.folders, options.dataset, _both_parts(options))
    sys.stdout.write("\n".join([*(as_text(table) for table in tables), *(f"{line}\n" for line in warnings)]))


def _both_parts(options: argparse.Namespace):
    """Train and val images of the data set in --root; None without --root."""
    from kit.data.catalog import find_spec
    from kit.data.reading.files import SegFiles

    if options.root is None:
        if options.dataset == "folder":
            raise KitError("--dataset folder needs --root, the folder that holds its classes.yaml")
        return None
    if options.dataset is None:
        raise KitError("--root needs --dataset, the name of the data set in it")
    spec = find_spec(options.dataset, options.root)
    return tuple(SegFiles(spec, options.root, part) for part in ("train", "val"))
