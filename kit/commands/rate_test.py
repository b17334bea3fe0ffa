"""The command for a learning-rate test."""

import argparse
import os
import sys
from pathlib import Path

from kit.commands import command
from kit.system.paths import PROJECT


def add(commands) -> None:
    """Declare lr."""
    lr = command(commands, "lr", _lr, "a learning-rate test: loss over rate, and a suggested optim.lr; writes nothing "
                 "into the run's folder")  # fmt: skip
    lr.add_argument("config", type=Path, help="a RunConfig as JSON, such as the config.json of a run's folder")
    lr.add_argument("--low", type=float, default=1e-6, help="first rate (default: 1e-6)")
    lr.add_argument("--high", type=float, default=1.0, help="last rate (default: 1)")
    lr.add_argument("--steps", type=int, default=100, help="number of rates (default: 100)")
    lr.add_argument("--out", type=Path, help="stem of the figure (default: runs/lr/NAME OF THE RUN)")


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
