"""Commands that train one run, estimate its memory and test its learning rate."""

import argparse
import json
import os
import sys
from pathlib import Path

from kit.commands import command
from kit.errors import KitError
from kit.system.paths import PROJECT

TEXTS = ("dataset", "data_root", "split", "student", "run_dir")
"""Options whose value is always text."""


def add(commands) -> None:
    """Declare train, presets and lr."""
    from kit.settings.recipes import SHORT_NAMES

    train = command(commands, "train", _train, "train one run, or resume it, from options or from a config.json")
    train.add_argument("config", type=Path, nargs="?", help="a RunConfig as JSON, such as the config.json of a run's "
                       "folder; without it, a recipe and the options below")  # fmt: skip
    train.add_argument("--method", help="a key of kit.settings.run.METHOD_CONFIGS (default: trikd)")
    train.add_argument("--recipe", help="a key of kit.settings.recipes.RECIPES (default: the data set's)")
    for name, field in SHORT_NAMES.items():
        if name not in ("num_processes", "run_dir"):
            train.add_argument("--" + name.replace("_", "-"), metavar="VALUE", help=field)
    train.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="any field by its dotted "
                       "name, such as method.cps_weight=0.5 or 'data.crop=[192, 192]'; may be repeated")  # fmt: skip
    train.add_argument("--run-dir", help="folder of the run, if not that of the recipe or the file")
    train.add_argument("--processes", type=int, help="train.processes: GPUs that share each step")
    train.add_argument("--memory", type=float, metavar="GB", help="fit into a GPU of that size, by estimate: recompute "
                       "activations, then divide steps into micro-steps")  # fmt: skip
    train.add_argument("--dry-run", action="store_true", help="print the configuration as JSON, and stop")

    presets = command(commands, "presets", _presets, "estimated settings of a recipe for GPUs of 8, 16, 24 and 80 GB")
    presets.add_argument("recipe", help="a name of kit.settings.recipes.RECIPES")
    presets.add_argument("--method", default="trikd", help="default: trikd")
    presets.add_argument("--processes", type=int, default=1, help="GPUs that share each step (default: 1)")

    lr = command(commands, "lr", _lr, "a learning-rate test: loss over rate, and a suggested optim.lr; writes nothing "
                 "into the run's folder")  # fmt: skip
    lr.add_argument("config", type=Path, help="a RunConfig as JSON, such as the config.json of a run's folder")
    lr.add_argument("--low", type=float, default=1e-6, help="first rate (default: 1e-6)")
    lr.add_argument("--high", type=float, default=1.0, help="last rate (default: 1)")
    lr.add_argument("--steps", type=int, default=100, help="number of rates (default: 100)")
    lr.add_argument("--out", type=Path, help="stem of the figure (default: runs/lr/NAME OF THE RUN)")


def _train(options: argparse.Namespace) -> None:
    from kit.settings.fields import to_dict
    from kit.train.launch import end_with_parent, launch
    from kit.train.teachers import with_teachers

    cfg = _configured(options)
    if options.dry_run:
        sys.stdout.write(json.dumps(to_dict(cfg), indent=2) + "\n")
        return
    if "TORCHELASTIC_RUN_ID" in os.environ:
        end_with_parent()
    if options.memory and "WORLD_SIZE" not in os.environ:
        cfg, line = _fitted(cfg, options.memory)
        sys.stdout.write(f"{line}\n")
    launch(with_teachers(cfg))


def _configured(options: argparse.Namespace):
    """The RunConfig of the options, from a file or a recipe."""
    from kit.settings.fields import from_dict, replace_fields
    from kit.settings.recipes import SHORT_NAMES, configure
    from kit.system.storage import read_json

    own = {name: getattr(options, name, None) for name in SHORT_NAMES}
    own = {name: text if name in TEXTS else _value(text) for name, text in own.items() if text is not None}
    changes = {"train.processes": options.processes} if options.processes is not None else {}
    for entry in options.set:
        field, equals, text = entry.partition("=")
        if not equals:
            raise KitError(f"--set {entry}: write FIELD=VALUE, such as --set method.cps_weight=0.5")
        changes[field.strip()] = _value(text)
    if options.config is None:
        return configure(options.method or "trikd", options.recipe or "", changes, **own)
    if options.recipe or options.method:
        raise KitError(f"{options.config} has a recipe and a method already; leave out --recipe and --method")
    named = {SHORT_NAMES[name]: value for name, value in own.items()}
    return replace_fields(from_dict(read_json(options.config)), {**named, **changes})


def _value(text: str) -> object:
    """The value of JSON; text that is not JSON stays text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _fitted(cfg, gigabytes: float) -> tuple:
    """`cfg` changed to fit a GPU of that size, and a line about the changes. Raises KitError if nothing fits."""
    from kit.data.catalog import find_spec
    from kit.system.paths import from_project
    from kit.train.memory import preset

    cfg, need = preset(cfg, gigabytes, find_spec(cfg.data.dataset, from_project(cfg.data.root)).num_classes)
    activations = "recomputed" if cfg.student.recompute else "kept"
    steps = f"train.accumulate {cfg.train.accumulate}, activations {activations}"
    return cfg, f"{gigabytes:3g} GB: {steps}; about {need.total / 1e9:.1f} GB (an estimate)"


def _presets(options: argparse.Namespace) -> None:
    from kit.errors import unknown
    from kit.settings.fields import replace_fields
    from kit.settings.recipes import RECIPES
    from kit.train.memory import SIZES

    if options.recipe not in RECIPES:
        raise unknown("recipe", options.recipe, RECIPES)
    cfg = replace_fields(RECIPES[options.recipe](options.method), {"train.processes": options.processes})
    for gigabytes in SIZES:
        try:
            line = _fitted(cfg, gigabytes)[1]
        except KitError as error:
            line = f"{gigabytes:3g} GB: {error}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _lr(options: argparse.Namespace) -> None:
    from kit.figures.charts.rate_test import rate_figure
    from kit.figures.style import save
    from kit.settings.fields import from_dict
    from kit.system.console import bar
    from kit.system.storage import read_json
    from kit.train.rate_test import try_rates

    cfg = from_dict(read_json(options.config))
    out = (options.out or PROJECT / "runs/lr" / Path(cfg.run_dir).name).absolute()
    os.chdir(PROJECT)
    with bar(options.steps, "learning-rate test", "step") as progress:
        test = try_rates(cfg, options.low, options.high, options.steps, progress.update)
    files = save(rate_figure(test, cfg.optim.lr), out)
    reason = f"a tenth of {test.lowest:.1e}, where the loss is lowest; the run has {cfg.optim.lr:g}"
    sys.stdout.write(f"suggested optim.lr: {test.suggested:.1e} ({reason})\n")
    sys.stdout.write("".join(f"  {path}\n" for path in files))
