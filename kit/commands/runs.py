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
        ("study", _study, "runs/study", "the same with more steps, seeds and rows; mean and spread"),
    ):
        added = command(commands, name, run, help)
        added.add_argument(
            "--out", type=Path, default=Path(out), help=f"folder for everything, from the project's (default: {out})"
        )
        added.add_argument("--steps", type=int, help="updates of each student (default: the recipe's)")
        added.add_argument("--workers", type=int, default=2, help="runs at a time (default: 2)")
    added.add_argument("--seeds", type=int, default=3, help="runs of each row (default: 3)")


def _demo(options: argparse.Namespace) -> None:
    from kit.batch.demo import demo

    os.chdir(PROJECT)  # the working folder of notebooks, for a relative --out
    demo(options.out, options.steps, options.workers)


def _study(options: argparse.Namespace) -> None:
    from kit.batch.study import study

    os.chdir(PROJECT)
    study(options.out, options.seeds, options.steps, options.workers)
