"""Scores of finished runs as a table, a row per run."""

from kit.figures.style import method_name, start_of
from kit.figures.tables.comparable import check_comparable

UNKNOWN = "–"
"""Text of a cell for a class that the run's data set does not have."""


def rows(runs: list[dict], mixed: bool = False) -> list[dict]:
    """One row per run for `kit.figures.tables.formats`: column name -> value. IoU is in 0..1, None for a class that
    neither truth nor predictions contain.

    Args:
        runs: from `kit.load_runs`.
        mixed: allow runs that cannot be compared in one table.
    Raises: KitError if there is no run, or, unless `mixed`, if data set, split or protocol differ.
    """
    check_comparable(runs, mixed)
    rare = list(dict.fromkeys(name for run in runs for name in run["dataset"]["rare"]))
    return [
        {
            "method": method_name(run["method"]),
            "start": start_of(run),
            "mIoU last": run["last"]["miou"],
            "mIoU average": run["average"]["miou"],
            **{f"IoU {name}": run["last"]["iou"].get(name, UNKNOWN) for name in rare},
            "student parameters": run["student_parameters"],
            "train seconds": run["seconds"]["train"],
            "split": run["split"]["name"],
            "seed": run["seed"],
        }
        for run in runs
    ]
