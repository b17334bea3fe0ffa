"""Commands that train: one run, the demo, the study."""

import argparse
import os
import sys
from pathlib import Path

from kit.commands import command
from kit.system.paths import PROJECT


def add(commands) -> None:
    """Declare train, presets, demo and study."""
    train = command(commands, "train", _train, "train one run, or go on with it, from a config.json")
    train.add_argument("config", type=Path, help="a RunConfig as JSON, such as the config.json of a run's folder")
    train.add_argument("--run-dir", help="folder of the run, if not the one in the file")
    train.add_argument("--processes", type=int, help="train.processes: GPUs that share each step")

    train.add_argument("--memory", type=float, metavar="GB", help="fit into a GPU of that size, by estimate: recompute "
                       "activations, then divide steps into micro-steps")  # fmt: skip

    presets = command(commands, "presets", _presets, "what a recipe takes on GPUs of 8, 16, 24 and 80 GB, by estimate")
    presets.add_argument("recipe", help="a name of kit.settings.recipes.RECIPES")
    presets.add_argument("--method", default="trikd", help="default: trikd")
    presets.add_argument("--processes", type=int, default=1, help="GPUs that share each step (default: 1)")

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
    from kit.settings.fields import from_dict, replace_fields
    from kit.system.storage import read_json
    from kit.train.launch import end_with_parent, launch
    from kit.train.teachers import with_teachers

    given = {"run_dir": options.run_dir, "train.processes": options.processes}
    cfg = replace_fields(from_dict(read_json(options.config)), {k: v for k, v in given.items() if v is not None})
    if "TORCHELASTIC_RUN_ID" in os.environ:
        end_with_parent()
    if options.memory and "WORLD_SIZE" not in os.environ:
        cfg = _fitted(cfg, options.memory)
    launch(with_teachers(cfg))


def _fitted(cfg, gigabytes: float):
    """`cfg` for a GPU of that size; says what was changed."""
    from kit.data.catalog import find_spec
    from kit.system.paths import from_project
    from kit.train.memory import preset

    cfg, need = preset(cfg, gigabytes, find_spec(cfg.data.dataset, from_project(cfg.data.root)).num_classes)
    sys.stdout.write(_line(gigabytes, cfg, need) + "\n")
    return cfg


def _line(gigabytes: float, cfg, need) -> str:
    again = "recomputed" if cfg.student.recompute else "kept"
    steps = f"train.accumulate {cfg.train.accumulate}, activations {again}"
    return f"{gigabytes:3g} GB: {steps}; about {need.total / 1e9:.1f} GB (an estimate)"


def _presets(options: argparse.Namespace) -> None:
    from kit.data.catalog import find_spec
    from kit.errors import KitError, unknown
    from kit.settings.fields import replace_fields
    from kit.settings.recipes import RECIPES
    from kit.system.paths import from_project
    from kit.train.memory import SIZES, preset

    if options.recipe not in RECIPES:
        raise unknown("recipe", options.recipe, RECIPES)
    cfg = replace_fields(RECIPES[options.recipe](options.method), {"train.processes": options.processes})
    classes = find_spec(cfg.data.dataset, from_project(cfg.data.root)).num_classes
    for gigabytes in SIZES:
        try:
            line = _line(gigabytes, *preset(cfg, gigabytes, classes))
        except KitError as error:
            line = f"{gigabytes:3g} GB: {error}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _demo(options: argparse.Namespace) -> None:
    from kit.batch.demo import demo

    os.chdir(PROJECT)  # notebooks run there, and --out means the same to them
    demo(options.out, options.steps, options.workers)


def _study(options: argparse.Namespace) -> None:
    from kit.batch.study import study

    os.chdir(PROJECT)
    study(options.out, options.seeds, options.steps, options.workers)
