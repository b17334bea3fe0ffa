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
        code = options.run(options)
    except KitError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on from the last checkpoint\n")
        return 130
    return code or 0


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

    doctor = command("doctor", _doctor, "read every file of a data set; exit code 1 if it has errors")
    doctor.add_argument("--dataset", required=True, help="such as synthetic, cityscapes, voc, camvid, folder")
    doctor.add_argument("--root", type=Path, required=True, help="folder of the data set; nothing is written to it")
    doctor.add_argument("--split", default="", help="check this split too: 1_16, count_20, all, or a folder of lists")
    doctor.add_argument("--split-seed", type=int, default=0, help="of a drawn split")
    doctor.add_argument("--workers", type=int, help="files read at a time (default: one per core)")
    doctor.add_argument("--out", type=Path, help="file for everything found (default: runs/doctor/DATASET.json)")

    bench = command("bench", _bench, "time a part of the kit against a plain reference")
    bench.add_argument("name", help="what to time, data, trikd or mgd")
    bench.add_argument("options", nargs=argparse.REMAINDER, help="of this bench; see `bench NAME --help`")

    weights = command("import-weights", _import_weights, "convert a checkpoint of a method's authors")
    weights.add_argument("family", help="whose code wrote it: trikd or mgd")
    weights.add_argument("file", type=Path, help="such as tiny_best.pth")
    weights.add_argument("--out", type=Path, required=True, help="folder to write, for kit.load")
    weights.add_argument("--dataset", default="cityscapes", help="whose classes it knows (default: cityscapes)")

    _add_splits(commands.add_parser("splits", help="lists of labelled images").add_subparsers(
        required=True, metavar="WHAT"))  # fmt: skip
    return parser


def _add_splits(commands) -> None:
    draw = commands.add_parser("draw", help="draw by hash")
    draw.set_defaults(run=_draw_split)
    draw.add_argument("--split", required=True, help='"1_N" or "count_N"')
    draw.add_argument("--seed", type=int, default=0, help="another seed draws another split")
    draw.add_argument("--seeds", type=int, help="draw with this many seeds from --seed on, into OUT/seed_N")
    draw.add_argument(
        "--cover", type=int, metavar="K", help="exchange as few images as put every class into K labelled ones"
    )

    load = commands.add_parser("import", help="read published lists, and say which they are")
    load.set_defaults(run=_import_split)
    load.add_argument("labelled", type=Path, help="list of labelled images")
    load.add_argument("unlabelled", type=Path, help="list of unlabelled images")

    show = commands.add_parser("show", help="published splits that are known, or the lists in folders")
    show.set_defaults(run=_show_splits)
    show.add_argument("folders", type=Path, nargs="*", help="folders with labelled.txt and unlabelled.txt")

    for command, needed in ((draw, True), (load, False), (show, False)):
        optional = "" if needed else "; to check the lists against"
        command.add_argument("--dataset", required=needed, help="such as synthetic, cityscapes, voc, camvid, folder")
        command.add_argument("--root", type=Path, required=needed, help=f"folder of the data set{optional}")
    for command in (draw, load):
        command.add_argument("--out", type=Path, required=True, help="folder for labelled.txt and unlabelled.txt")


def _bench(options: argparse.Namespace) -> None:
    from kit.bench.build import BENCHES
    from kit.errors import unknown

    if options.name not in BENCHES:
        raise unknown("bench", options.name, BENCHES)
    BENCHES[options.name](options.options)


def _train(options: argparse.Namespace) -> None:
    from kit.fields import from_dict, replace_fields
    from kit.storage import read_json
    from kit.teachers import with_teachers
    from kit.train.loop import fit

    cfg = from_dict(read_json(options.config))
    fit(with_teachers(replace_fields(cfg, {"run_dir": options.run_dir}) if options.run_dir else cfg))


def _demo(options: argparse.Namespace) -> None:
    from kit.demo import demo

    os.chdir(PROJECT)  # notebooks run there, and --out means the same to them
    demo(options.out, options.steps, options.workers)


def _study(options: argparse.Namespace) -> None:
    from kit.study import study

    os.chdir(PROJECT)
    study(options.out, options.seeds, options.steps, options.workers)


def _doctor(options: argparse.Namespace) -> int:
    from kit.data.doctor import examine
    from kit.figures.diagnosis import summary
    from kit.results import provenance
    from kit.storage import write_json

    found = examine(options.dataset, options.root, options.split, options.split_seed, options.workers, progress=True)
    sys.stdout.write(summary(found))
    out = options.out or Path("runs/doctor", f"{options.dataset}.json")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, {**found.record(), **provenance()})
    except OSError as error:
        raise KitError(f"{out} cannot be written: {error.strerror}; name another file by --out") from error
    sys.stdout.write(f"all of it is in {out}\n")
    return 1 if found.count("error") else 0


def _synthetic(options: argparse.Namespace) -> None:
    from kit.data.synthetic import draw_dataset

    draw_dataset(options.root, options.train, options.val, tuple(options.size), options.seed, progress=True)


def _draw_split(options: argparse.Namespace) -> None:
    from kit.data.cover import write_draws

    seeds = range(options.seed, options.seed + (1 if options.seeds is None else options.seeds))
    folders = {seed: options.out if options.seeds is None else options.out / f"seed_{seed}" for seed in seeds}
    for line in write_draws(folders, options.split, options.cover, *_both_parts(options)):
        sys.stdout.write(f"{line}\n")


def _import_split(options: argparse.Namespace) -> None:
    from kit.data.catalog import find_spec
    from kit.data.lists import import_lists
    from kit.data.splits import summary

    files = _both_parts(options)
    spec = find_spec(options.dataset, options.root or Path()) if options.dataset else None
    split = import_lists(options.labelled, options.unlabelled, options.out, spec, files)
    warning = f"  {split.warning}\n" if split.warning else ""
    sys.stdout.write(f"{summary(split)}, written to {options.out}\n{warning}")


def _show_splits(options: argparse.Namespace) -> None:
    from kit.data.show import overview
    from kit.figures.tables import as_text

    tables, warnings = overview(options.folders, options.dataset, _both_parts(options))
    sys.stdout.write("\n".join([*(as_text(table) for table in tables), *(f"{line}\n" for line in warnings)]))


def _both_parts(options: argparse.Namespace):
    """Train and val images of the data set that is asked for; None if no folder of it is."""
    from kit.data.catalog import find_spec
    from kit.data.files import SegFiles

    if options.root is None:
        return None
    if options.dataset is None:
        raise KitError("--root needs --dataset, the name of the data set in it")
    spec = find_spec(options.dataset, options.root)
    return tuple(SegFiles(spec, options.root, part) for part in ("train", "val"))


def _import_weights(options: argparse.Namespace) -> None:
    from kit.evaluate.imported import import_weights

    imported = import_weights(options.family, options.file, options.out, options.dataset)
    for key in imported.keys:
        place = f"{key['network']}: {key['target']}" if key["target"] else "left out"
        shape = " x ".join(map(str, key["shape"]))
        sys.stdout.write(f"{key['source']} -> {place} [{shape}]{' ' + key['note'] if key['note'] else ''}\n")
    left_out = sum(key["target"] is None for key in imported.keys)
    sys.stdout.write(
        f"{len(imported.keys)} keys, {left_out} left out; {', '.join(imported.nets)} written to {options.out}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
