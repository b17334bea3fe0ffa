"""Summary of a grid: each row over its seeds, and its difference to the baseline, paired by seed and by image."""

import statistics
from collections.abc import Callable, Collection, Sequence

import numpy as np

from kit.batch.grid import Grid
from kit.errors import KitError
from kit.evaluate.scores.bootstrap import draw, interval, overlap_iou, overlaps
from kit.evaluate.scores.counts import Counts, Overlaps, load_counts, unlike
from kit.runs.folder import RunFolder, load_run
from kit.runs.groups import by_seed
from kit.settings.checks import require_choice, require_positive

WEIGHTS = ("last", "average")
"""Which weights are evaluated: the last, and their running average."""


def load_rows(grid: Grid, failed: Collection[str] = ()) -> dict[str, list[dict]]:
    """Finished runs of every row of a grid, from `kit.load_run`; rows without any are left out.

    Args:
        failed: names of runs to leave out: `run_grid` refuses results of other settings or data.
    Raises: KitError if no run is finished.
    """
    rows: dict[str, list[dict]] = {}
    for run in grid.runs():
        if run.name not in failed and RunFolder(run.cell.run_dir).result_file.is_file():
            rows.setdefault(run.row, []).append(load_run(run.cell.run_dir))
    if not rows:
        raise KitError(f"no run of {grid.out} is finished; grid.json there says why")
    return {row: rows[row] for row in grid.rows if row in rows}


def summarise(rows: dict[str, list[dict]], baseline: str = "", weights: str = "last", resamples: int = 2000) -> dict:
    """Summarise every row over its seeds and compare it with the baseline.

    Args:
        rows: name -> runs that differ only in their seed, from `load_rows`.
        baseline: name of the row the others are compared with; "" is the first.
        weights: "last" or "average", for differences and classes.
        resamples: draws of the bootstrap.
    Returns: {"baseline", "weights", "classes", "rows": [...]}; scores in 0..1. A row has "row", "n", "seeds", "method",
        "labelled", "last", "average" and "best" (mean, sd and n; "best" is the highest score of all evaluations
        including the last, chosen on val), "seconds", "parameters" and "iou" per class. All but the baseline also have
        "difference" (see `difference`) and "change" per class.
    Raises: KitError for a baseline that is no row, for other weights, no draws, or runs with different classes.
    """
    require_choice(WEIGHTS, weights=weights)
    require_positive(resamples=resamples)
    baseline = baseline_row(rows, baseline)
    classes = rows[baseline][0]["dataset"]["classes"]
    if any(run["dataset"]["classes"] != classes for runs in rows.values() for run in runs):
        raise KitError("rows of data sets with different classes cannot be compared class by class")
    summaries = [_row(name, runs, weights, classes) for name, runs in rows.items()]
    reference = next(summary for summary in summaries if summary["row"] == baseline)
    for summary in summaries:
        if summary is not reference:
            summary["difference"] = difference(rows[summary["row"]], rows[baseline], weights, resamples)
            summary["change"] = {
                name: None if None in (here := summary["iou"][name], there := reference["iou"][name]) else here - there
                for name in classes
            }
    return {"baseline": baseline, "weights": weights, "classes": list(classes), "rows": summaries}


def baseline_row(rows: dict[str, list[dict]], name: str = "") -> str:
    """The name of the row that others are compared with; "" is the first. Raises KitError for an unknown name."""
    if name and name not in rows:
        raise KitError(f"no finished row is called {name!r}; finished rows: {', '.join(rows)}")
    return name or next(iter(rows))


def mean_sd(values: Sequence[float]) -> dict:
    """Mean, sample standard deviation (None for one value) and number of values."""
    sd = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.mean(values), "sd": sd, "n": len(values)}


def over_seeds(runs: list[dict], value: Callable[[dict], float]) -> dict:
    """`mean_sd` of a value of each run over the seeds; runs of one seed count as their mean."""
    return mean_sd([statistics.mean(map(value, of_seed)) for of_seed in by_seed(runs)])


def difference(mine: list[dict], theirs: list[dict], weights: str = "last", resamples: int = 2000) -> dict | None:
    """Mean IoU of `mine` minus that of `theirs`, over the seeds that both have; None if they share no seed.

    The interval is the middle 95 percent of a bootstrap that draws with replacement val images (the same for all runs;
    only if all kept counts of the same images) and seeds (only if there are several). With three seeds it is rough.

    Returns: {"mean", "sd" (over seeds), "n", "interval" ([low, high] or None), "over" ("images", "seeds", both or "")}.
    """
    pairs = _pairs(mine, theirs)
    if not pairs:
        return None
    scores = [[statistics.mean(run[weights]["miou"] for run in runs) for runs in pair] for pair in pairs]
    gains = [a - b for a, b in scores]
    counts = [[[_counts(run, weights) for run in runs] for runs in pair] for pair in pairs]
    images = _same_images([one for pair in counts for runs in pair for one in runs])
    over = (["images"] if images else []) + (["seeds"] if len(pairs) > 1 else [])
    drawn = np.tile(gains, (resamples, 1))  # (draws, seeds)
    if images:
        draws = draw(images, resamples)
        drawn = np.stack([_miou(a, draws) - _miou(b, draws) for a, b in counts], axis=1)
    if len(pairs) > 1:
        chosen = draw(len(pairs), resamples, seed=1) / len(pairs)  # how much each seed counts in a draw
        drawn = (drawn * chosen).sum(1)
    return {**mean_sd(gains), "interval": interval(drawn) if over else None, "over": " and ".join(over)}


def _row(name: str, runs: list[dict], weights: str, classes: list[str]) -> dict:
    return {
        "row": name,
        "n": len(by_seed(runs)),
        "seeds": [of_seed[0]["seed"] for of_seed in by_seed(runs)],
        "method": runs[0]["method"],
        "labelled": runs[0]["split"]["labelled"],
        **{which: over_seeds(runs, lambda run, which=which: run[which]["miou"]) for which in WEIGHTS},
        "best": over_seeds(runs, lambda run: run["best"]["miou"]) if all(run.get("best") for run in runs) else None,
        "seconds": over_seeds(runs, lambda run: run["seconds"]["train"]),
        "parameters": runs[0]["student_parameters"],
        "iou": {cls: _mean([_mean([run[weights]["iou"][cls] for run in of_seed]) for of_seed in by_seed(runs)])
                for cls in classes},
    }  # fmt: skip


def _mean(values: list[float | None]) -> float | None:
    """Mean over the runs in which the class occurs; None if there are none."""
    there = [value for value in values if value is not None]
    return statistics.mean(there) if there else None


def _pairs(mine: list[dict], theirs: list[dict]) -> list[tuple[list[dict], list[dict]]]:
    """The runs of each seed that both have."""
    others = {runs[0]["seed"]: runs for runs in by_seed(theirs)}
    return [(runs, others[runs[0]["seed"]]) for runs in by_seed(mine) if runs[0]["seed"] in others]


def _counts(run: dict, weights: str) -> Counts | Overlaps | None:
    """Counts on every val image; None if the run did not keep them."""
    if "overlaps" in run:  # from a file of collected runs
        return run["overlaps"][weights]
    path = RunFolder(run["path"]).scores(weights)
    return load_counts(path) if path.is_file() else None


def _same_images(counts: list[Counts | Overlaps | None]) -> int:
    """Number of images if all were evaluated on the same ones with the same truth, else 0."""
    first = counts[0]
    same = first is not None and all(_alike(one, first) for one in counts)
    return len(first.names) if same else 0


def _alike(one: Counts | Overlaps | None, first: Counts | Overlaps) -> bool:
    if isinstance(one, Overlaps) or isinstance(first, Overlaps):  # `collect` has compared masks
        return type(one) is type(first) and one.names == first.names
    return one is not None and not unlike(one, first)


def _miou(counts: list[Counts | Overlaps], draws: np.ndarray) -> np.ndarray:
    """Mean IoU in every draw, (draws,), mean over the runs of one seed."""
    both = [(one.hits, one.unions) if isinstance(one, Overlaps) else overlaps(one.matrices) for one in counts]
    return np.mean([np.nanmean(overlap_iou(*each, draws), axis=1) for each in both], axis=0)
