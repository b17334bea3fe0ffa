"""Commands that evaluate finished runs and use their students."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from kit.commands import command


def add(commands) -> None:
    """Declare evaluate, compare, predict and card."""
    scored = command(commands, "evaluate", _evaluate, "every score of a finished run, by its protocol or another")
    _student(scored)
    _protocol(scored)
    scored.add_argument("--limit", type=int, help="evaluate only the first images")

    paired = command(commands, "compare", _compare, "the difference of two runs' mean IoU, with its interval")
    paired.add_argument("first", type=Path, help="folder of a run, the reference")
    paired.add_argument("second", type=Path, help="folder of another")
    paired.add_argument("--scores", default="last", help="counts of both: last, average, or a name that evaluate wrote")
    paired.add_argument("--resamples", type=int, default=10000, help="draws of the bootstrap (default: 10000)")

    predict = command(commands, "predict", _predict, "write predictions as PNG files")
    _student(predict)
    _protocol(predict)
    predict.add_argument("--images", type=Path, help="a picture or a folder (default: the run's val images)")
    predict.add_argument("--out", type=Path, required=True, help="folder to write")
    predict.add_argument("--form", default="palette", help="palette, overlay (over the image), or ids: the data "
                         "set's own numbers (Cityscapes labelIds)")  # fmt: skip

    card = command(commands, "card", _card, "costs and scores of students and their teachers")
    card.add_argument("runs", type=Path, nargs="+", help="folders of finished runs or of imported weights")
    card.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="of an image (default: that of the run)")
    card.add_argument("--repeats", type=int, default=10, help="timed repeats of each (default: 10)")
    card.add_argument("--no-teachers", action="store_true", help="only the students")
    card.add_argument("--out", type=Path, help="stem of the figure (default: figures/card in the first run)")
    card.add_argument("--device", help="such as cuda or cpu (default: a GPU if there is one)")


def _student(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="run", type=Path, help="folder of a finished run or of imported weights")
    parser.add_argument("--weights", default="last", help="last, average or best (default: last)")
    parser.add_argument("--data-root", help="folder of the data set, if not where it was in training")
    parser.add_argument("--device", help="such as cuda or cpu (default: a GPU if there is one)")


def _protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", help="whole or slide (default: that of the run)")
    parser.add_argument("--window", type=int, nargs=2, metavar=("H", "W"), help="of sliding windows")
    parser.add_argument("--stride", type=int, nargs=2, metavar=("H", "W"), help="(default: two thirds of the window)")
    parser.add_argument("--flip", action="store_true", help="also predict mirrored images, and average")
    parser.add_argument("--scales", type=float, nargs="+", help="such as 0.5 1 1.5")
    parser.add_argument("--combine", help="average probabilities or logits (default: that of the run)")
    parser.add_argument("--precision", help="fp32 or bf16 (default: that of the run)")


def _changed(options: argparse.Namespace, own):
    """The run's protocol with the changes of the options."""
    changes = {}
    if options.mode or options.window:
        mode = options.mode or "slide"
        sliding = mode == "slide"
        changes |= {"mode": mode, "window": own.window if sliding else None, "stride": None}
        changes |= {} if sliding else {"pad": "end"}
    given = {name: getattr(options, name, None)
             for name in ("window", "stride", "scales", "combine", "flip", "precision", "limit")}  # fmt: skip
    changes |= {name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value}
    return replace(own, **changes)


def _device(options: argparse.Namespace) -> str:
    import torch

    return options.device or ("cuda" if torch.cuda.is_available() else "cpu")


def _evaluate(options: argparse.Namespace) -> None:
    from kit.evaluate.reevaluate import evaluate_run
    from kit.runs.folder import RunFolder

    cfg = _changed(options, RunFolder(options.folder).config().evaluate)
    record = evaluate_run(options.folder, options.weights, cfg, options.data_root, _device(options))
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
    from kit.deploy.prediction_files import pictures_in, save_predictions
    from kit.evaluate.student import load
    from kit.evaluate.val_images import val_files

    student = load(options.folder, options.weights).to(_device(options))
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
    cards = [make_card(run, size, options.repeats, not options.no_teachers, _device(options)) for run in options.runs]
    for card in cards:
        sys.stdout.write(as_text(card))
    stem = options.out or RunFolder(options.runs[0]).figures / "card"
    written = save(efficiency(cards), stem)
    sys.stdout.write("".join(f"  {path}\n" for path in (*(RunFolder(run).card_file for run in options.runs), *written)))
