"""Commands that run many notebooks (a grid, the demo, the study), and one that collects finished runs in a file."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from kit.commands import command
from kit.errors import KitError
from kit.system.console import show_line
from kit.system.paths import PROJECT


def add(commands) -> None:
    """Declare batch, collect, demo and study."""
    option = command(commands, "batch", _batch, "run a grid of methods, splits, settings and seeds, and print their "
                     "scores; exit code 1 if any run failed; the same command again runs what is left")  # fmt: skip
    option("grid", "a YAML file; see kit/batch/grid.py and notebooks/grids/", type=Path)
    option("--workers", "runs at a time on this machine", 2)
    option("--cluster", "run them as jobs of a Slurm cluster instead", action="store_true")
    option("--out", "output folder (default: the one in the file)")

    option = command(commands, "collect", _collect, "add the finished runs of grids to one small file, which keeps "
                     "those it has: scores, settings, and counts that give the intervals")  # fmt: skip
    option("grids", "YAML files whose runs were made here", type=Path, nargs="+")
    option("--into", "the file, such as notebooks/results/study.json", type=Path, required=True)
    option("--measure", "also measure the processor time of a step of every row", action="store_true")

    for name, run, help in (
        ("demo", _demo, "supervised-only, CPS and TriKD on drawn scenes; a table, figures, a report"),
        ("study", _study, "compare methods over several seeds, at equal steps and at equal time"),
    ):
        option = command(commands, name, run, help)
        option("--out", "output folder, relative to the project's", Path("runs", name), type=Path)
        option("--steps", "updates of each student (default: the recipe's)", type=int)
        option("--workers", "runs at a time", 2)
    option("--seeds", "runs of each row", 3)
    option("--data", "folder of CamVid (default: scenes drawn by the kit)", type=Path)


def _collect(options: argparse.Namespace) -> None:
    from kit.batch import read_grid
    from kit.batch.experiments.collected import collect
    from kit.batch.experiments.step_cost import step_costs

    grids, into = {}, options.into.absolute()
    for path in options.grids:
        if path.stem in grids:
            raise KitError(f"two grids are called {path.stem}; runs are kept by that name, so rename a file")
        grids[path.stem] = read_grid(path)
    os.chdir(PROJECT)
    costs = {}
    for name, grid in grids.items() if options.measure else []:
        costs |= step_costs(name, grid)
    content, missing = collect(grids, into, costs)
    for name, cost in costs.items():
        show_line(f"{cost['cpu_seconds_per_step']:8.3f} s of processor time per step, {name}")
    for line in missing:
        show_line(f"not finished: {line}")
    show_line(f"{len(content['runs'])} runs in {into}")


def _batch(options: argparse.Namespace) -> int:
    from kit.batch import read_grid, run_grid
    from kit.figures.tables.formats import as_text

    grid = read_grid(options.grid)
    if options.out:
        grid = replace(grid, out=Path(options.out).absolute())
    os.chdir(PROJECT)  # the working folder of notebooks, for relative paths
    table = run_grid(grid, options.workers, say=show_line, cluster=options.cluster)
    show_line(f"\n{as_text(table.rows())}\n  {table.out / 'grid.json'}")
    if table.finished():
        show_line(f"\n{_scores(grid, [run.name for run in table.failed()])}")
    return 1 if table.failed() else 0


def _scores(grid, failed: list[str]) -> str:
    """The table of mIoU over the seeds of every row, or the reason if there is none."""
    from kit.batch import load_rows, summarise
    from kit.figures.comparisons.ablation import score_rows
    from kit.figures.tables.formats import as_text

    try:
        scored = {row: [run for run in runs if "last" in run] for row, runs in load_rows(grid, failed).items()}
        rows = {row: runs for row, runs in scored.items() if runs}
        return as_text(score_rows(summarise(rows))) if rows else "these runs have no scores"
    except KitError as error:
        return f"no table of scores: {error}"


def _demo(options: argparse.Namespace) -> None:
    from kit.batch.experiments.demo import demo

    os.chdir(PROJECT)  # the working folder of notebooks, for a relative --out
    demo(options.out, options.steps, options.workers)


def _study(options: argparse.Namespace) -> None:
    from kit.batch.experiments.method_comparison import study

    data = options.data and options.data.absolute()
    os.chdir(PROJECT)
    study(options.out, options.seeds, options.steps, options.workers, data)
