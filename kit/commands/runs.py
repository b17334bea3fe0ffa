"""Commands that run the demo and the study."""

import argparse
import os
from pathlib import Path

from kit.commands import command
from kit.system.paths import PROJECT


def add(commands) -> None:
    """Declare demo and study."""
    for name, run, out, help in (
        ("demo", _demo, "runs/demo", "supervised-only, CPS and TriKD on drawn scenes; a table, figures, a report"),
        ("study", _study, "runs/study", "what methods are worth over seeds, at equal steps and equal time"),
    ):
        added = command(commands, name, run, help)
        added.add_argument(
            "--out", type=Path, default=Path(out), help=f"folder for everything, from the project's (default: {out})"
        )
        added.add_argument("--steps", type=int, help="updates of each student (default: the recipe's)")
        added.add_argument("--workers", type=int, default=2, help="runs at a time (default: 2)")
    added.add_argument("--seeds", type=int, default=3, help="runs of each row (default: 3)")
    added.add_argument("--data", type=Path, help="a folder of CamVid (default: scenes are drawn)")


def _demo(options: argparse.Namespace) -> None:
    from kit.batch.experiments.demo import demo

    os.chdir(PROJECT)  # the working folder of notebooks, for a relative --out
    demo(options.out, options.steps, options.workers)


def _study(options: argparse.Namespace) -> None:
    from kit.batch.experiments.study import study

    data = options.data and options.data.absolute()
    os.chdir(PROJECT)
    study(options.out, options.seeds, options.steps, options.workers, data)
