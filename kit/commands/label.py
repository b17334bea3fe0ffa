"""Commands for labelling images: suggest images, import labels, compare strategies, plant errors."""

import argparse
import sys
from pathlib import Path

from kit.commands import DEVICE, WEIGHTS, chosen_device, command, command_group
from kit.system.console import show_line


def add(commands) -> None:
    """Declare suggest and labels."""
    option = command(commands, "suggest", _suggest, "rank unlabelled images: which ones to label next, and why")
    option("folder", "folder of a finished run", metavar="run", type=Path)
    option("--count", "images to suggest", 10)
    option("--strategy", "balanced, cover, disagree, margin or random", "balanced")
    option(
        "--images", "a folder of photographs to choose from (default: the unlabelled images of the run's data set)", ""
    )
    option("--seed", "seed of k-means and of random draws", 0)
    option("--alike", "least correlation of two thumbnails that makes them near-duplicates; above 1: never", 0.9)
    option(*WEIGHTS)
    option("--data-root", "folder of the data set, if not where it was in training", "")
    option(*DEVICE)
    option("--out", "folder for images.txt, reasons and sheet (default: suggest in the run's folder)", type=Path)
    option("--preannotate", "also write the student's masks, for cvat, labelstudio, labelme, coco or png",
           metavar="FORMAT")  # fmt: skip
    option("--shapes", "polygons or bitmaps (default: the format's usual one)", "")
    option("--sure", "pixels with a smaller probability become void", 0.6)
    option("--smallest", "regions with fewer pixels become void", 32)
    option("--tolerance", "error of polygons, in pixels (default: 0.34, which reproduces masks exactly)", 0.34)

    labels = command_group(
        commands, "labels", "labels from annotation tools: import them, compare strategies of labelling"
    )
    option = command(
        labels, "import", _import, "put labels from CVAT, Label Studio, labelme, COCO or PNG into a data set"
    )
    option("export", "file, folder or zip archive that the tool exported", type=Path)
    option("--dataset", "folder (your own images), or a data set such as camvid", "folder")
    option("--root", "folder of the data set; masks are written to it", type=Path, required=True)
    option("--format", "cvat, labelstudio, labelme, coco or png (default: recognised from the files)", "")
    option("--replace", "replace existing masks that differ", action="store_true")
    option("--overlap", "what to do if two classes overlap: refuse, or later (the later region lies on top)",
           "refuse")  # fmt: skip
    option("--split", "folder of lists to extend (default: every train image with a mask)", type=Path)
    option("--lists", "folder for the new lists (default: splits/labels_N in the data set)", type=Path)
    option("--dry-run", "show what would change, and write nothing", action="store_true")

    option = command(labels, "planted", _planted, "plant wrong regions in a copy of a data set, and measure how "
                     "many of the first suspicious labels are planted")  # fmt: skip
    option("--dataset", "data set, such as synthetic or camvid", required=True)
    option("--root", "folder of the data set; nothing is written to it", type=Path, required=True)
    option("--out", "folder for the copy, the runs and result.json", type=Path, required=True)
    option("--images", "labelled images", 60)
    option("--wrong", "labelled images with a wrong region", 30)
    option("--folds", "runs, each trained without part of the images", 3)
    option("--steps", "steps of each run (default: the recipe's)", 0)
    option("--seed", "seed of images, regions and runs", 0)

    option = command(labels, "curve", _curve, "the curves of simulated labelling below a folder: figure, table, JSON")
    option("folder", "folder where notebooks/label_next.ipynb wrote its results", type=Path)
    option("--out", "JSON file to write; the figure goes beside it", type=Path, required=True)


def _suggest(options: argparse.Namespace) -> None:
    from kit.figures.pictures.suggestions import contact_sheet
    from kit.figures.style import save
    from kit.label.preannotate import Drafts, preannotate, require_empty
    from kit.label.suggest import seen, suggest, write_suggestions

    device, out, form = chosen_device(options), options.out or options.folder / "suggest", options.preannotate
    if form:
        drafts = Drafts(form, options.shapes, options.sure, options.smallest, options.tolerance)
        require_empty(out / form)
    found = suggest(options.folder, options.count, options.strategy, options.images, options.seed, options.weights,
                    options.data_root, options.alike, device)  # fmt: skip
    sheet = contact_sheet(found.chosen, seen(found, device), found.classes, found.palette, found.members)
    written = [*write_suggestions(found, out), *save(sheet, out / "contact_sheet")]
    if form:
        files = preannotate(found.student().to(device), [(s.name, s.path) for s in found.chosen], out / form, drafts)
        written += files if len(files) <= 4 else [out / form]
    lines = [f"{place:3d}  {each.name}: {each.reason}" for place, each in enumerate(found.chosen, 1)]
    passed = f"; {found.duplicates} near-duplicate(s) passed over" if found.duplicates else ""
    lines.append(f"{len(found.chosen)} of {found.pool} images, strategy {found.strategy}{passed}")
    if len(found.chosen) < options.count and found.duplicates:
        lines.append("the other images are near-duplicates of these or of labelled ones; a larger --alike lets more "
                     "through")  # fmt: skip
    lines += [f"left out: {error}" for error in found.broken]
    show_line("\n".join([*lines, *(f"  {path}" for path in written)]))


def _import(options: argparse.Namespace) -> None:
    from kit.data.splits.split import summary
    from kit.figures.tables.formats import as_text
    from kit.label.importing import import_and_list, plan_import

    plan = plan_import(options.export, options.dataset, options.root, options.format, options.replace, options.overlap,
                       options.split, options.lists)  # fmt: skip
    say = sys.stdout.write
    say(as_text(plan.rows()))
    kinds = ", ".join(f"{plan.count(kind)} {kind}" for kind in ("new", "replaced", "unchanged"))
    say(f"{len(plan.changes)} mask(s): {kinds}; {plan.unlabelled} image(s) stay without one\n")
    if options.dry_run:
        say("nothing is written (--dry-run)\n")
        return
    made = import_and_list(plan, show_line, options.split, options.lists)
    if made is None:
        return
    out, split = made
    say(f"{summary(split)}, written to {out}\n" + (f"  {split.warning}\n" if split.warning else ""))


def _curve(options: argparse.Namespace) -> None:
    from kit.batch.experiments.label_next import collect
    from kit.figures.charts.label_curve import curve_rows, label_figure
    from kit.figures.style import save
    from kit.figures.tables.formats import as_text
    from kit.system.storage import write_json

    found = collect(options.folder)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.out, found)
    for method, each in found.items():
        show_line(f"{method}, seeds {', '.join(map(str, each['seeds']))}")
        sys.stdout.write(as_text(curve_rows(each["curves"], each["saved"])))
    fig = label_figure({method: each["curves"] for method, each in found.items()})
    sys.stdout.write("".join(f"  {path}\n" for path in (options.out, *save(fig, options.out.with_suffix("")))))


def _planted(options: argparse.Namespace) -> None:
    from kit.batch.experiments.planted_errors import measure

    found = measure(options.dataset, options.root, options.out, options.images, options.wrong, options.folds,
                    options.steps, seed=options.seed, say=show_line)  # fmt: skip
    kinds = ", ".join(f"{kind} {share:.0%}" for kind, share in found["recall_of"].items() if share is not None)
    if not found["first"]:
        show_line(f"no label is suspicious; {found['planted']} regions are planted")
    else:
        show_line(f"of the first {found['first']} suspicious labels {found['precision']:.0%} are planted; of "
                  f"{found['planted']} planted regions {found['recall']:.0%} are among them ({kinds})")  # fmt: skip
    show_line(f"  {options.out / 'result.json'}")
