"""Commands that train: one run, the demo, the study."""

import argparse
import os
from pathlib import Path

from kit.commands import command
from kit.paths import PROJECT


def add(commands) -> None:
    """Declare train, demo and study."""
    train = command(commands, "train", _train, "train one run, or go on with it, from a config.json")
    train.add_argument("config", type=Path, help="a RunConfig as JSON, such as the config.json of a run's folder")
    train.add_argument("--run-dir", help="folder of the run, if not the one in the file")

    for name, run, out, help in (
        ("demo", _demo, "runs/demo", "supervised-only, CPS and TriKD on drawn scenes; a table, figures, a report"),
        ("study", _study, "runs/study", "the same with more steps, seeds and rows; mean and spread"),
    ):
        added = command(commands, name, run, help)
        added.add_argument(
            "--out", type=Path, default=Path(out), help=f"folder for everything, from the project's (default: {out})"
        )
        added.add_argument("--steps", type=int, help="updates of each student (default: the recipe's)")
        added.add_argument("--workers", type=int, default=2, help="runs at a time (default: 2)")
    added.add_argument("--seeds", type=int, default=3, help="runs of each row (default: 3)")


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
