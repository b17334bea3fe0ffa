"""The command line: `python -m kit COMMAND`. Each command calls one function of the kit."""

import argparse
import os
import sys
from pathlib import Path

from kit.errors import KitError
from kit.paths import PROJECT


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit code. Mistakes that can be mended are one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except KitError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on from the last checkpoint\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kit", description="Semi-supervised semantic segmentation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run, help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(run=run)
        return added

    train = command("train", _train, "train one run, or go on with it, from a config.json")
    train.add_argument("config", type=Path, help="a RunConfig as JSON, such as the config.json of a run's folder")
    train.add_argument("--run-dir", help="folder of the run, if not the one in the file")

    for name, run, out, help in (
        ("demo", _demo, "runs/demo", "supervised-only, CPS and TriKD on drawn scenes; a table, figures, a report"),
        ("study", _study, "runs/study", "the same with more steps, seeds and rows; mean and spread"),
    ):
        added = command(name, run, help)
        added.add_argument(
            "--out", type=Path, default=Path(out), help=f"folder for everything, from the project's (default: {out})"
        )
        added.add_argument("--steps", type=int, help="updates of each student (default: the recipe's)")
        added.add_argument("--workers", type=int, default=2, help="runs at a time (default: 2)")
    added.add_argument("--seeds", type=int, default=3, help="runs of each row (default: 3)")

    scenes = command("synthetic", _synthetic, "draw a data set of street scenes")
    scenes.add_argument("root", type=Path, help="folder to write")
    scenes.add_argument("--train", type=int, default=192, help="training scenes (default: 192)")
    scenes.add_argument("--val", type=int, default=96, help="val scenes (default: 96)")
    scenes.add_argument("--size", type=int, nargs=2, default=(128, 256), metavar=("H", "W"), help="(default: 128 256)")
    scenes.add_argument("--seed", type=int, default=0, help="another seed draws other scenes")

    splits = commands.add_parser("splits", help="lists of labelled images")
    split = splits.add_subparsers(required=True, metavar="WHAT").add_parser("draw", help="draw by hash")
    split.set_defaults(run=_draw_split)
    split.add_argument("--dataset", required=True, help="such as synthetic, cityscapes, camvid, folder")
    split.add_argument("--root", type=Path, required=True, help="folder of the data set")
    split.add_argument("--split", required=True, help='"1_N" or "count_N"')
    split.add_argument("--seed", type=int, default=0, help="another seed draws another split")
    split.add_argument("--out", type=Path, required=True, help="folder for labelled.txt and unlabelled.txt")
    return parser


def _train(options: argparse.Namespace) -> None:
    from kit.fields import from_dict, replace_fields
    from kit.storage import read_json
    from kit.train.loop import fit

    cfg = from_dict(read_json(options.config))
    fit(replace_fields(cfg, {"run_dir": options.run_dir}) if options.run_dir else cfg)


def _demo(options: argparse.Namespace) -> None:
    from kit.demo import demo

    os.chdir(PROJECT)  # notebooks run there, and --out means the same to them
    demo(options.out, options.steps, options.workers)


def _study(options: argparse.Namespace) -> None:
    from kit.study import study

    os.chdir(PROJECT)
    study(options.out, options.seeds, options.steps, options.workers)


def _synthetic(options: argparse.Namespace) -> None:
    from kit.data.synthetic import draw_dataset

    draw_dataset(options.root, options.train, options.val, tuple(options.size), options.seed, progress=True)


def _draw_split(options: argparse.Namespace) -> None:
    from kit.config import DataConfig
    from kit.data.catalog import find_spec
    from kit.data.files import SegFiles
    from kit.data.splits import make_split, write_lists

    spec = find_spec(options.dataset, options.root)
    train, val = (SegFiles(spec, options.root, part) for part in ("train", "val"))
    split = make_split(DataConfig(split=options.split, split_seed=options.seed), train, val)
    write_lists(split, options.out)
    record = split.record()
    sys.stdout.write(
        f"{record['name']}: {record['labelled']} labelled ({record['labelled_sha256'][:12]}), "
        f"{record['unlabelled']} unlabelled, written to {options.out}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
