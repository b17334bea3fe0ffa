"""Commands about data sets: drawing scenes, examining a data set."""

import argparse
import sys
from pathlib import Path

from kit.commands import command
from kit.errors import KitError


def add(commands) -> None:
    """Declare synthetic and doctor."""
    scenes = command(commands, "synthetic", _synthetic, "draw a data set of street scenes")
    scenes.add_argument("root", type=Path, help="folder to write")
    scenes.add_argument("--train", type=int, default=192, help="training scenes (default: 192)")
    scenes.add_argument("--val", type=int, default=96, help="val scenes (default: 96)")
    scenes.add_argument("--size", type=int, nargs=2, default=(128, 256), metavar=("H", "W"), help="(default: 128 256)")
    scenes.add_argument("--seed", type=int, default=0, help="another seed draws other scenes")

    doctor = command(commands, "doctor", _doctor, "read every file of a data set; exit code 1 if it has errors")
    doctor.add_argument("--dataset", help="such as synthetic, cityscapes, voc, camvid, folder (default: that of --run)")
    doctor.add_argument("--root", type=Path, help="folder of the data set; nothing is written to it (default: that of "
                        "--run)")  # fmt: skip
    doctor.add_argument("--split", default="", help="also check this split: 1_16, count_20, all, or a folder of lists")
    doctor.add_argument("--split-seed", type=int, default=0, help="of a drawn split")
    doctor.add_argument("--workers", type=int, help="files read at a time (default: one per core)")
    doctor.add_argument("--out", type=Path, help="file for all findings (default: runs/doctor/DATASET.json; for "
                        "own images the name holds the folder's path)")  # fmt: skip
    doctor.add_argument("--run", dest="runs", type=Path, nargs="+", metavar="RUN", help="finished runs whose "
                        "networks look for suspicious labels, among masks that they have not learnt from")  # fmt: skip
    doctor.add_argument("--folds", type=int, metavar="K", help="train K runs like --run, each without a part of its "
                        "labels, and use them")  # fmt: skip
    doctor.add_argument("--fold-steps", type=int, default=0, help="steps of these runs (default: those of --run)")
    doctor.add_argument("--sure", type=float, default=0.7, help="probability from which networks count (default: 0.7)")
    doctor.add_argument("--show", type=int, default=50, help="suspicious labels that are shown (default: 50)")
    doctor.add_argument("--device", help="such as cuda or cpu (default: a GPU if there is one)")


def _synthetic(options: argparse.Namespace) -> None:
    from kit.data.scenes.dataset import draw_dataset

    draw_dataset(options.root, options.train, options.val, tuple(options.size), options.seed, progress=True)


def _doctor(options: argparse.Namespace) -> int:
    from kit.commands.suspicious import suspicions
    from kit.data.doctor.diagnose import examine
    from kit.figures.tables.diagnosis import summary
    from kit.runs.folder import provenance
    from kit.system.storage import write_json

    if options.runs:
        _take_from_run(options)
    for name in ("dataset", "root"):
        if getattr(options, name) is None:
            raise KitError(f"say which data set: --{name}, or --run")
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
        raise KitError(f"{out} cannot be written: {error.strerror}; name another file by --out") from error
    sys.stdout.write(f"the whole diagnosis is in {out}\n")
    return 1 if found.count("error") else 0


def _take_from_run(options: argparse.Namespace) -> None:
    """What the options leave open about the data set is taken from the run."""
    from kit.runs.folder import RunFolder
    from kit.system.paths import from_project

    data = RunFolder(options.runs[0]).config().data
    options.dataset = options.dataset or data.dataset
    options.root = options.root or from_project(data.root)
    if not options.split and options.dataset == data.dataset:
        options.split, options.split_seed = data.split, data.split_seed


def _record_file(dataset: str, root: Path) -> Path:
    """File of a diagnosis. There is one `camvid`, but every folder of own images is another data set."""
    name = dataset
    if dataset == "folder":
        path, here = root.resolve(), Path.cwd()
        parts = path.relative_to(here).parts if path.is_relative_to(here) else path.parts[1:]
        name = "-".join([dataset, *parts])[-200:]
    return Path("runs/doctor", f"{name}.json")
