"""`make study`: the gain from unlabelled images and from other networks on one split, over several seeds.

| row | labels | length |
| --- | --- | --- |
| supervised | the split's | the study's steps |
| fixmatch, trikd | the split's, and all other images without | the study's steps |
| supervised, time of fixmatch; of trikd | the split's | the steps that take as long as fixmatch; as trikd |
| supervised, all labels | all | the study's steps |

With a folder of CamVid, the split is drawn by video sequence and contains every class. Val is a part of a train video;
images from the half minute before and after it are not used. Without a folder, scenes are drawn. All students start
from ImageNet weights of an installed package. notebooks/study.md describes the full study.
"""

import sys
from pathlib import Path

from kit.batch.experiments.budget import equal_budget, row_costs
from kit.batch.experiments.collected import collect
from kit.batch.experiments.step_cost import step_costs
from kit.batch.grid import Grid, read_grid
from kit.batch.run import run_grid
from kit.batch.summary import load_rows, summarise
from kit.data.catalog import find_spec
from kit.data.reading.files import SegFiles
from kit.data.scenes.dataset import draw_dataset
from kit.data.splits.class_cover import write_draws
from kit.errors import KitError
from kit.figures import style
from kit.figures.comparisons.budget import budget_figure, budget_rows
from kit.figures.tables.formats import as_text
from kit.settings.checks import require_positive
from kit.settings.recipes import RECIPES
from kit.settings.recipes.light import tuned
from kit.system.console import show_line
from kit.system.storage import read_json, write_json

METHODS = ("fixmatch", "trikd")
"""Methods of the study, with the switches that they have in notebooks/grids/study_equal.yaml."""

CAMVID = {"split": "1_16_by_sequence", "cover": 6, "pixels": 0.5, "exclude": ["0016E5_07*", "0016E5_08*"]}
"""Draw of CamVid's labels: share, labelled images per class, how much of a class they must show, images left out."""

ALL = "split_all"
"""Folder of the split in which all images are labelled, except those left out."""

WEIGHTS = "average"
"""Weights that are compared: the running average."""


def study(out: Path, seeds: int = 3, steps: int | None = None, workers: int = 2, data: Path | None = None) -> dict:
    """Run everything below `out` and return the content of `out/summary.json`. What is finished is not run again.

    Called in the project's folder, where notebooks run.

    Args:
        out: folder to write.
        seeds: runs of each row.
        steps: of each student; None is the recipe's.
        workers: runs at a time.
        data: a folder of CamVid; None draws scenes.
    Raises: KitError if the folder holds no CamVid, or if a run fails.
    """
    require_positive(seeds=seeds)
    common = prepare_data(out, data)
    if steps:
        common["steps"] = steps
    first = plan(out, common, seeds)
    _complete(first, workers)
    longer = equal_time_steps(first, measured_costs(out, first))
    whole = plan(out, common, seeds, longer)
    _complete(whole, workers)
    costs = measured_costs(out, whole)
    collect({"study": whole}, out / "study.json", costs)
    rows = _finished_rows(whole)
    summary = summarise(rows, weights=WEIGHTS)
    compared = equal_budget(rows, costs=row_costs(rows, costs), weights=WEIGHTS)
    found = {"summary": summary, "compared": compared, "costs": costs}
    write_json(out / "summary.json", found)
    figures = style.save(budget_figure(summary, compared), out / "budget")
    files = "".join(f"  {path}\n" for path in (out / "summary.json", out / "study.json", *figures))
    sys.stdout.write(f"\n{as_text(budget_rows(summary, compared))}\n{files}")
    return found


def prepare_data(out: Path, data: Path | None) -> dict:
    """Parameters that all runs share; scenes or the lists of CamVid's labels are drawn if they are not there.

    Raises: KitError if `data` holds no CamVid.
    """
    if data is None:
        draw_dataset(RECIPES["demo"]("supervised").data.root, progress=True)
        return {"recipe": "demo"}
    spec = find_spec("camvid", data)
    train, val = (SegFiles(spec, data, part) for part in ("train", "val"))
    train.leave_out(CAMVID["exclude"])
    origin = {"excluded": CAMVID["exclude"]}
    lines = write_draws({0: out / "split"}, CAMVID["split"], CAMVID["cover"], train, val, CAMVID["pixels"], origin)
    for line in [*lines, *write_draws({0: out / ALL}, "all", None, train, val, origin=origin)]:
        show_line(line)
    return {"recipe": "camvid", "data_root": str(data), "split": str(out / "split")}


def plan(out: Path, common: dict, seeds: int, longer: dict[str, int] | None = None) -> Grid:
    """The grid of the study.

    Args:
        common: parameters of all runs.
        longer: method -> supervised steps that take as long, once they are known.
    """
    every = str(out / ALL) if "split" in common else "all"
    rows = {"supervised": {"method": "supervised"}, "supervised, all labels": {"method": "supervised", "split": every}}
    rows |= {name: {"method": name, "overrides": tuned(name)} for name in METHODS}
    rows |= {f"supervised, time of {name}": {"method": "supervised", "steps": steps}
             for name, steps in (longer or {}).items()}  # fmt: skip
    quick = {"train.eval_every": 0, "train.keep_views": False}
    parameters = {**common, "overrides": quick}
    return read_grid({"out": str(out), "parameters": parameters, "rows": rows, "seeds": list(range(seeds))})


def equal_time_steps(grid: Grid, costs: dict[str, dict]) -> dict[str, int]:
    """Method -> supervised steps that take as long as its runs, by the measured processor time per step or, if there
    is none, by the seconds that runs took, mean over seeds."""
    rows = _finished_rows(grid)
    rows = {row: rows[row] for row in ("supervised", *METHODS)}
    spent = row_costs(rows, costs)
    each = spent["supervised"] / rows["supervised"][0]["steps"]
    return {name: round(spent[name] / each) for name in METHODS}


def measured_costs(out: Path, grid: Grid) -> dict[str, dict]:
    """Processor time of a step of every row; {} on a machine that trains on an accelerator.

    It is measured once and kept in `out/costs.json`, so that a resumed study keeps its steps of equal time.
    """
    path = out / "costs.json"
    known = read_json(path) if path.is_file() else {}
    if any(f"study: {row}" not in known for row in grid.rows):
        try:
            known = {**step_costs("study", grid), **known}
        except KitError:
            return {}
        write_json(path, known)
    return known


def _finished_rows(grid: Grid) -> dict[str, list[dict]]:
    """`load_rows` with the name of the grid in every run, under which costs are found."""
    return {row: [{**run, "grid": "study"} for run in runs] for row, runs in load_rows(grid).items()}


def _complete(grid: Grid, workers: int) -> None:
    """Run what is left of a grid. Raises KitError naming all that failed, after the others are done."""
    if failed := run_grid(grid, workers, say=show_line).failed():
        raise KitError("; ".join(f"{entry.name}: {entry.error}" for entry in failed))
