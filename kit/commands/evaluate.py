"""Commands that evaluate finished runs and use their students."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kit.commands import DEVICE, WEIGHTS, chosen_device, command


def add(commands) -> None:
    """Declare evaluate, compare, predict and card."""
    option = command(commands, "evaluate", _evaluate, "every score of a finished run, by its protocol or another")
    _student(option)
    _protocol(option)
    option("--limit", "evaluate only the first images; 0: all (default: that of the run)", type=int)

    option = command(commands, "compare", _compare, "the difference of two runs' mean IoU, with its interval")
    option("first", "folder of the reference run", type=Path)
    option("second", "folder of the run to compare with it", type=Path)
    option("--scores", "counts to compare: last, average, or a name that evaluate wrote", default="last")
    option("--resamples", "draws of the bootstrap", 10000)

    option = command(commands, "predict", _predict, "write predictions as PNG files")
    _student(option)
    _protocol(option)
    option("--images", "a picture or a folder (default: the run's val images)", type=Path)
    option("--out", "folder to write", type=Path, required=True)
    option("--form", "palette, overlay (over the image), or ids: the data set's own numbers (Cityscapes labelIds)",
           default="palette")  # fmt: skip

    option = command(commands, "card", _card, "costs and scores of students and their teachers")
    option("runs", "folders of finished runs or of imported weights", type=Path, nargs="+")
    option("--size", "size of an image (default: that of the run)", type=int, nargs=2, metavar=("H", "W"))
    option("--repeats", "timed repeats of each network", 10)
    option("--no-teachers", "measure only the students", action="store_true")
    option("--out", "path of the figure, without suffix (default: figures/card in the first run)", type=Path)
    option(*DEVICE)


def _student(option: Callable[..., None]) -> None:
    option("folder", "folder of a finished run or of imported weights", metavar="run", type=Path)
    option(*WEIGHTS)
    option("--data-root", "folder of the data set, if not where it was in training")
    option(*DEVICE)


def _protocol(option: Callable[..., None]) -> None:
    option("--mode", "whole images or sliding windows: whole or slide (default: that of the run)")
    option("--window", "size of the sliding windows", type=int, nargs=2, metavar=("H", "W"))
    option("--stride", "window steps (default: two thirds of the window)", type=int, nargs=2, metavar=("H", "W"))
    option("--flip", "also predict mirrored images, and average", action="store_true")
    option("--scales", "factors on the image size, such as 0.5 1 1.5", type=float, nargs="+")
    option("--combine", "average probabilities or logits (default: that of the run)")
    option("--precision", "fp32 or bf16 (default: that of the run)")


def _changed(options: argparse.Namespace, own):
    """The run's protocol `own`, changed by the options."""
    changes = {}
    if options.mode or options.window:
        mode = options.mode or "slide"
        sliding = mode == "slide"
        changes |= {"mode": mode, "window": own.window if sliding else None, "stride": None}
        changes |= {} if sliding else {"pad": "end"}
    given = {name: getattr(options, name, None)
             for name in ("window", "stride", "scales", "combine", "flip", "precision", "limit")}  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None and value is not False}
    changes |= {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return replace(own, **changes)


def _evaluate(options: argparse.Namespace) -> None:
    from kit.evaluate.reevaluate import evaluate_run
    from kit.runs.folder import RunFolder

    cfg = _changed(options, RunFolder(options.folder).config().evaluate)
    record = evaluate_run(options.folder, options.weights, cfg, options.data_root, chosen_device(options))
    say = sys.stdout.write
    low, high = record["intervals"]["miou"]
    say(f"{record['protocol']}, {record['images']} images, {options.weights} weights\n")
    say(f"mean IoU {record['miou']:.2%} (95 % over images: {low:.2%} to {high:.2%})\n")
    say(f"boundary mean IoU {record['boundary_miou']:.2%}, pixel accuracy {record['pixel_accuracy']:.2%}, "
        f"expected calibration error {record['calibration_error']:.2%}\n")  # fmt: skip
    for name, value in record["iou"].items():
        say(f"  {name:<16}{'absent' if value is None else f'{value:8.2%}'}\n")
    say(f"written beside {options.folder / record['counts']}\n")


def _compare(options: argparse.Namespace) -> None:
    from kit.evaluate.reevaluate import as_text, compare_runs

    sys.stdout.write(as_text(compare_runs(options.first, options.second, options.scores, options.resamples)))


def _predict(options: argparse.Namespace) -> None:
    from kit.data.pictures import pictures_in
    from kit.deploy.prediction_files import save_predictions
    from kit.evaluate.student import load
    from kit.evaluate.val_images import val_files

    student = load(options.folder, options.weights).to(chosen_device(options))
    if options.images:
        images = pictures_in(options.images)
    else:
        files = val_files(student, options.data_root)
        images = [(name, files.paths[name]) for name in files.ids]
    spec = val_files(student, options.data_root).spec if options.form == "ids" else None
    cfg = _changed(options, student.config.evaluate)
    written = list(save_predictions(student, images, options.out, options.form, cfg, spec))
    sys.stdout.write(f"{len(written)} predictions written to {options.out}\n")


def _card(options: argparse.Namespace) -> None:
    from kit.deploy.card import as_text, make_card
    from kit.figures.comparisons.efficiency import efficiency
    from kit.figures.style import save
    from kit.runs.folder import RunFolder

    size = tuple(options.size) if options.size else None
    cards = [
        make_card(run, size, options.repeats, not options.no_teachers, chosen_device(options)) for run in options.runs
    ]
    for card in cards:
        sys.stdout.write(as_text(card))
    stem = options.out or RunFolder(options.runs[0]).figures / "card"
    written = save(efficiency(cards), stem)
    sys.stdout.write("".join(f"  {path}\n" for path in (*(RunFolder(run).card_file for run in options.runs), *written)))
