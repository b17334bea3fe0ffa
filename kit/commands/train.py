"""Commands that train one run, estimate its memory and test its learning rate."""

import argparse
import json
import os
from pathlib import Path

from kit.commands import command
from kit.errors import KitError, unknown
from kit.system.console import show_line
from kit.system.paths import PROJECT

TEXTS = ("dataset", "data_root", "split", "student", "run_dir")
"""Options whose value is always text."""

HELP = {
    "dataset": "synthetic, camvid, cityscapes, voc, or folder (your own images)",
    "data_root": "folder of the data set",
    "split": "labelled images: 1_16, count_20, 1_16_by_sequence, all, masks, or a folder of lists",
    "split_seed": "another seed draws another split",
    "student": "network, a key of kit.models.build.MODELS or of timm, such as hybrid/NAME",
    "pretrained": "true starts encoders from ImageNet weights, false from random ones",
    "steps": "updates of the student",
    "eval_every": "steps between evaluations during training",
    "lr": "base learning rate",
    "workers": "loader processes; 0 reads in the training process",
    "seed": "of weights, order of images and augmentation",
}
"""Options that set a field -> their help."""


def add(commands) -> None:
    """Declare train, presets and lr."""
    from kit.settings.recipes import SHORT_NAMES

    option = command(commands, "train", _train, "train one run, or resume it, from options or from a config.json")
    option("config", "a RunConfig as JSON, or the folder of a run with its config.json; without it, a recipe and the "
           "options below", type=Path, nargs="?")  # fmt: skip
    option("--method", "method, a key of kit.settings.run.METHOD_CONFIGS (default: trikd)")
    option("--recipe", "recipe, a key of kit.settings.recipes.RECIPES (default: the data set's)")
    for name, purpose in HELP.items():
        option("--" + name.replace("_", "-"), f"{purpose} ({SHORT_NAMES[name]})", metavar="VALUE")
    option("--set", "any field by its dotted name, such as method.cps_weight=0.5 or 'data.crop=[192, 192]'; may be "
           "repeated", default=[], action="append", metavar="FIELD=VALUE")  # fmt: skip
    option("--run-dir", "folder of the run (default: that of the recipe or the file)")
    option("--processes", "train.processes: GPUs that share each step", type=int)
    option("--memory", "fit the run into a GPU of this size, by estimate: recompute activations, then split steps into "
           "micro-steps", type=float, metavar="GB")  # fmt: skip
    option("--dry-run", "print the configuration as JSON, and stop", action="store_true")

    option = command(commands, "presets", _presets, "estimated settings of a recipe for GPUs of 8, 16, 24 and 80 GB")
    option("recipe", "a name of kit.settings.recipes.RECIPES")
    option("--method", "method (default: trikd)", "trikd")
    option("--processes", "GPUs that share each step", 1)

    option = command(commands, "lr", _lr, "a learning-rate test: loss over rate, and a suggested optim.lr; writes "
                     "nothing into the run's folder")  # fmt: skip
    option("config", "a RunConfig as JSON, or the folder of a run with its config.json", type=Path)
    option("--low", "first rate (default: 1e-6)", 1e-6)
    option("--high", "last rate (default: 1)", 1.0)
    option("--steps", "number of rates", 100)
    option("--out", "path of the figure, without suffix (default: runs/lr/NAME OF THE RUN)", type=Path)


def _train(options: argparse.Namespace) -> None:
    from kit.settings.fields import to_dict
    from kit.train.launch import end_with_parent, launch
    from kit.train.teachers import with_teachers

    cfg = _configured(options)
    if options.dry_run:
        show_line(json.dumps(to_dict(cfg), indent=2))
        return
    if "TORCHELASTIC_RUN_ID" in os.environ:
        end_with_parent()
    if options.memory and "WORLD_SIZE" not in os.environ:
        cfg, line = _fitted(cfg, options.memory)
        show_line(line)
    launch(with_teachers(cfg))


def _configured(options: argparse.Namespace):
    """The RunConfig of the options, from a file or a recipe."""
    from kit.settings.fields import replace_fields
    from kit.settings.recipes import SHORT_NAMES, configure

    own = {name: getattr(options, name, None) for name in SHORT_NAMES}
    own = {name: text if name in TEXTS else _value(text) for name, text in own.items() if text is not None}
    # 0 is a value here, as in a file; in the parameters of a notebook it keeps the recipe's
    changes = {SHORT_NAMES[name]: own.pop(name) for name in ("steps", "eval_every") if name in own}
    changes |= {"train.processes": options.processes} if options.processes is not None else {}
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
    return replace_fields(_config_of(options.config), {**named, **changes})


def _config_of(path: Path):
    """The RunConfig of a file, or of a run's folder. A run that was begun continues in the folder that is named, which
    may have been moved since."""
    from kit.runs.folder import RunFolder, read_config
    from kit.settings.fields import replace_fields

    cfg, folder = read_config(path), RunFolder(path)
    begun = folder.data_file.is_file() or folder.result_file.is_file()
    return replace_fields(cfg, {"run_dir": str(path if path.name else path.absolute())}) if begun else cfg


def _value(text: str) -> object:
    """The value of JSON, or of Python's True, False and None; other text stays text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)


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
    from kit.data.catalog import find_spec
    from kit.settings.fields import replace_fields
    from kit.settings.recipes import RECIPES
    from kit.system.paths import from_project
    from kit.train.memory import SIZES

    if options.recipe not in RECIPES:
        raise unknown("recipe", options.recipe, RECIPES)
    cfg = replace_fields(RECIPES[options.recipe](options.method), {"train.processes": options.processes})
    find_spec(cfg.data.dataset, from_project(cfg.data.root))  # without its classes there is nothing to estimate
    for gigabytes in SIZES:
        try:
            line = _fitted(cfg, gigabytes)[1]
        except KitError as error:
            line = f"{gigabytes:3g} GB: {error}"
        show_line(line)


def _lr(options: argparse.Namespace) -> None:
    from kit.figures.charts.rate_test import rate_figure
    from kit.figures.style import save
    from kit.system.console import bar
    from kit.train.rate_test import try_rates

    cfg = _config_of(options.config)
    out = (options.out or PROJECT / "runs/lr" / Path(cfg.run_dir).name).absolute()
    os.chdir(PROJECT)
    with bar(options.steps, "learning-rate test", "step") as progress:
        test = try_rates(cfg, options.low, options.high, options.steps, progress.update)
    files = save(rate_figure(test, cfg.optim.lr), out)
    reason = f"a tenth of {test.lowest:.1e}, where the loss is lowest; the run uses {cfg.optim.lr:g}"
    show_line("\n".join([f"suggested optim.lr: {test.suggested:.1e} ({reason})", *(f"  {path}" for path in files)]))
