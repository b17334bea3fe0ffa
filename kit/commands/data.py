"""Commands about data sets: drawing scenes, examining a data set."""

import argparse
import sys
from pathlib import Path

from kit.commands import DEVICE, command
from kit.errors import KitError


def add(commands) -> None:
    """Declare synthetic and doctor."""
    option = command(commands, "synthetic", _synthetic, "draw a data set of street scenes")
    option("root", "folder to write", type=Path)
    option("--train", "training scenes", 192)
    option("--val", "val scenes", 96)
    option("--size", "size of a scene (default: 128 256)", (128, 256), type=int, nargs=2, metavar=("H", "W"))
    option("--seed", "another seed draws other scenes", 0)

    option = command(commands, "doctor", _doctor, "read every file of a data set; exit code 1 if it has errors")
    option("--dataset", "data set, such as synthetic, cityscapes, voc, camvid, folder (default: that of --run)")
    option("--root", "folder of the data set; nothing is written to it (default: that of --run)", type=Path)
    option("--split", "also check this split: 1_16, count_20, all, or a folder of lists", "")
    option("--split-seed", "seed of a drawn split", 0)
    option("--workers", "files read at a time (default: one per core)", type=int)
    option("--out", "file for all findings (default: runs/doctor/DATASET.json; for own images the name holds the "
           "folder's path)", type=Path)  # fmt: skip
    option("--run", "finished runs whose networks look for suspicious labels, in masks that they were not trained "
           "on", dest="runs", type=Path, nargs="+", metavar="RUN")  # fmt: skip
    option("--folds", "train K runs like --run, each without part of its labels, and use these", type=int, metavar="K")
    option("--fold-steps", "steps of these runs (default: those of --run)", 0)
    option("--sure", "least probability at which a prediction counts", 0.7)
    option("--show", "suspicious labels to show", 50)
    option(*DEVICE)


def _synthetic(options: argparse.Namespace) -> None:
    from kit.data.scenes.dataset import draw_dataset

    draw_dataset(options.root, options.train, options.val, tuple(options.size), options.seed, progress=True)


def _doctor(options: argparse.Namespace) -> int:
    from kit.commands.suspicious import check_options, suspicions
    from kit.data.doctor.diagnose import examine
    from kit.figures.tables.diagnosis import summary
    from kit.runs.folder import provenance
    from kit.system.storage import write_json

    if options.runs:
        check_options(options)
        _take_from_run(options)
    elif options.folds is not None:
        raise KitError("--folds trains runs like one given run; name it with --run")
    for name in ("dataset", "root"):
        if getattr(options, name) is None:
            raise KitError(f"no data set is named; give --{name}, or --run")
    found = examine(options.dataset, options.root, options.split, options.split_seed, options.workers, progress=True)
    sys.stdout.write(summary(found))
    out = options.out or _record_file(options.dataset, options.root)
    record = {**found.record(), **provenance()}
    if options.runs:
        record["suspicious"] = suspicions(options, out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, record)
    except OSError as error:
        raise KitError(f"{out} cannot be written: {error.strerror}; name another file with --out") from error
    sys.stdout.write(f"the whole diagnosis is in {out}\n")
    return 1 if found.count("error") else 0


def _take_from_run(options: argparse.Namespace) -> None:
    """Take missing options of the data set from the first run."""
    from kit.runs.folder import RunFolder
    from kit.system.paths import from_project

    data = RunFolder(options.runs[0]).config().data
    options.dataset = options.dataset or data.dataset
    options.root = options.root or from_project(data.root)
    if not options.split and options.dataset == data.dataset:
        options.split, options.split_seed = data.split, data.split_seed


def _record_file(dataset: str, root: Path) -> Path:
    """File of a diagnosis. Its name holds the path for `folder`, because each such folder is another data set."""
    name = dataset
    if dataset == "folder":
        path, here = root.resolve(), Path.cwd()
        parts = path.relative_to(here).parts if path.is_relative_to(here) else path.parts[1:]
        name = "-".join([dataset, *parts])[-200:]
    return Path("runs/doctor", f"{name}.json")
