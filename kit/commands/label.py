"""Commands for labelling images: what to label next, and labels that come back."""

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
    suggest.add_argument("--preannotate", metavar="FORMAT", help="write the student's masks of them too, for cvat, "
                         "labelstudio, labelme, coco or png")  # fmt: skip
    suggest.add_argument(
        "--shapes", default="", help="polygons or bitmaps (default: what the format is mostly used with)"
    )
    suggest.add_argument(
        "--sure", type=float, default=0.6, help="pixels of a smaller probability are void (default: 0.6)"
    )
    suggest.add_argument("--smallest", type=int, default=32, help="regions of fewer pixels are void (default: 32)")
    suggest.add_argument(
        "--tolerance",
        type=float,
        default=0.34,
        help="of polygons, in pixels (default: 0.34, with which masks come back as they are)",
    )

    purpose = "labels from annotation tools: import them, compare strategies of labelling"
    labels = commands.add_parser("labels", help=purpose, description=purpose).add_subparsers(
        required=True, metavar="WHAT"
    )
    load = command(
        labels, "import", _import, "put labels from CVAT, Label Studio, labelme, COCO or PNG into a data set"
    )
    load.add_argument("export", type=Path, help="file, folder or zip archive that the tool exported")
    load.add_argument("--dataset", default="folder", help="folder (your own), or such as camvid (default: folder)")
    load.add_argument("--root", type=Path, required=True, help="folder of the data set; masks are written to it")
    load.add_argument(
        "--format", default="", help="cvat, labelstudio, labelme, coco or png (default: recognised from the files)"
    )
    load.add_argument("--replace", action="store_true", help="take masks that differ from those that are there")
    load.add_argument("--overlap", default="refuse", help="of regions of two classes: refuse, or later, which paints "
                      "the later one over the earlier (default: refuse)")  # fmt: skip
    load.add_argument("--split", type=Path, help="folder of lists to extend (default: every train image with a mask)")
    load.add_argument("--lists", type=Path, help="folder for the new lists (default: splits/labels_N in the data set)")
    load.add_argument("--dry-run", action="store_true", help="show what would change, and write nothing")

    planted = command(labels, "planted", _planted, "plant wrong regions into a copy of a data set, and measure how "
                      "many of the first suspicious labels are such")  # fmt: skip
    planted.add_argument("--dataset", required=True, help="such as synthetic or camvid")
    planted.add_argument("--root", type=Path, required=True, help="folder of the data set; nothing is written to it")
    planted.add_argument("--out", type=Path, required=True, help="folder for the copy, the runs and result.json")
    planted.add_argument("--images", type=int, default=60, help="labelled images (default: 60)")
    planted.add_argument("--wrong", type=int, default=30, help="of them with a wrong region (default: 30)")
    planted.add_argument("--folds", type=int, default=3, help="runs, each without a part of the images (default: 3)")
    planted.add_argument("--steps", type=int, default=0, help="of each run (default: the recipe's)")
    planted.add_argument("--seed", type=int, default=0, help="of images, regions and runs")

    curve = command(labels, "curve", _curve, "the curves of simulated labelling below a folder: figure, table, JSON")
    curve.add_argument("folder", type=Path, help="where notebooks/label_next.ipynb has put its results")
    curve.add_argument("--out", type=Path, required=True, help="JSON file to write; the figure goes beside it")


def _suggest(options: argparse.Namespace) -> None:
    from kit.evaluate.student import load
    from kit.figures.pictures.suggestions import contact_sheet
    from kit.figures.style import save
    from kit.label.preannotate import check_draft, preannotate
    from kit.label.suggest import seen, suggest, write_suggestions

    device, out = _device(options), options.out or options.folder / "suggest"
    if options.preannotate:
        check_draft(options.preannotate, options.shapes, out / options.preannotate)
    found = suggest(options.folder, options.count, options.strategy, options.images, options.seed, options.weights,
                    options.data_root, options.alike, device)  # fmt: skip
    sheet = contact_sheet(found.chosen, seen(found, options.weights, device), found.classes, found.palette,
                          found.members)  # fmt: skip
    written = [*write_suggestions(found, out), *save(sheet, out / "contact_sheet")]
    if options.preannotate:
        drafts = preannotate(load(options.folder, options.weights).to(device), [(s.name, s.path) for s in found.chosen],
                             out / options.preannotate, options.preannotate, options.shapes, options.sure,
                             options.smallest, options.tolerance)  # fmt: skip
        written += drafts if len(drafts) <= 4 else [out / options.preannotate]
    lines = [f"{place:3d}  {each.name}: {each.reason}" for place, each in enumerate(found.chosen, 1)]
    passed = f"; {found.duplicates} near-duplicate(s) passed over" if found.duplicates else ""
    lines.append(f"{len(found.chosen)} of {found.pool} images, strategy {found.strategy}{passed}")
    if len(found.chosen) < options.count:
        lines.append("the other images are near-duplicates of these or of labelled ones; a larger --alike lets more "
                     "through")  # fmt: skip
    sys.stdout.write("\n".join([*lines, *(f"  {path}" for path in written)]) + "\n")


def _device(options: argparse.Namespace) -> str:
    import torch

    return options.device or ("cuda" if torch.cuda.is_available() else "cpu")


def _import(options: argparse.Namespace) -> None:
    from kit.data.splits.split import summary
    from kit.errors import KitError
    from kit.figures.tables.formats import as_text
    from kit.label.importing import carry_out, extended_split, plan_import

    plan = plan_import(options.export, options.dataset, options.root, options.format, options.replace, options.overlap,
                       options.split)  # fmt: skip
    say = sys.stdout.write
    say(as_text(plan.rows()))
    kinds = ", ".join(f"{plan.count(kind)} {kind}" for kind in ("new", "replaced", "unchanged"))
    say(f"{len(plan.changes)} mask(s): {kinds}; {plan.unlabelled} image(s) stay without one\n")
    if options.dry_run:
        say("nothing is written (--dry-run)\n")
        return
    if frozen := carry_out(plan):
        say(f"val stays as it was: its {len(frozen)} image(s) are named in {options.root / 'val.txt'} now\n")
    try:
        out, split = extended_split(plan, options.split, options.lists)
    except KitError as error:
        say(f"no lists are written yet: {error}\n")
        return
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
        sys.stdout.write(f"{method}, seeds {', '.join(map(str, each['seeds']))}\n")
        sys.stdout.write(as_text(curve_rows(each["curves"], each["saved"])))
    fig = label_figure({method: each["curves"] for method, each in found.items()})
    sys.stdout.write("".join(f"  {path}\n" for path in (options.out, *save(fig, options.out.with_suffix("")))))


def _planted(options: argparse.Namespace) -> None:
    from kit.batch.experiments.planted_errors import measure

    found = measure(options.dataset, options.root, options.out, options.images, options.wrong, options.folds,
                    options.steps, seed=options.seed, say=lambda line: sys.stdout.write(f"{line}\n"))  # fmt: skip
    kinds = ", ".join(f"{kind} {share:.0%}" for kind, share in found["recall_of"].items() if share is not None)
    sys.stdout.write(f"of the first {found['first']} suspicious labels {found['precision']:.0%} are planted; of "
                     f"{found['planted']} planted regions {found['recall']:.0%} are among them ({kinds})\n"
                     f"  {options.out / 'result.json'}\n")  # fmt: skip
