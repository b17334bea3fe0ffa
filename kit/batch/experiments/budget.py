"""Difference of a method to the baseline, at equal steps and at equal time.

If a method's step takes three times as long, it must also be compared with a baseline of three times as many steps.
"""

import statistics

from kit.batch.summary import baseline_row, difference
from kit.figures.comparisons.cost import cost_groups
from kit.figures.style import setting_labels
from kit.runs.groups import by_setting, group_key

NEAR = 0.2
"""Largest relative difference of the costs of two rows that counts as equal time."""

SEEDS = 3
"""With fewer seeds no difference is called a gain or a loss, because its interval says little about other seeds."""


def verdict(gain: dict | None) -> str:
    """ "gain" or "loss" of a `kit.batch.summary.difference`; "none shown" if its interval contains 0, else "too few
    seeds" for fewer than SEEDS; "" without an interval."""
    if gain is None or gain["interval"] is None:
        return ""
    low, high = gain["interval"]
    if gain["n"] < SEEDS and not low <= 0 <= high:
        return "too few seeds"
    return "gain" if low > 0 else "loss" if high < 0 else "none shown"


def row_costs(rows: dict[str, list[dict]], costs: dict[str, dict] | None = None) -> dict[str, float]:
    """Seconds of training for each row: measured processor time per step times steps, if it was measured for every row;
    else the seconds that its runs took, mean over seeds.

    Args:
        costs: from `kit.batch.experiments.step_cost.step_costs`.
    """
    keys = {row: f"{runs[0].get('grid')}: {row}" for row, runs in rows.items()}
    if costs and all(key in costs for key in keys.values()):
        return {row: costs[keys[row]]["cpu_seconds_per_step"] * rows[row][0]["steps"] for row in rows}
    return {row: statistics.mean(run["seconds"]["train"] for run in runs) for row, runs in rows.items()}


def equal_budget(rows: dict[str, list[dict]], baseline: str = "", costs: dict[str, float] | None = None,
                 weights: str = "last", resamples: int = 2000) -> dict:  # fmt: skip
    """Differences of every row to the baseline of equal steps and to the baseline of equal time.

    Rows that differ from the baseline only in their steps are baselines too. The baseline of equal time is the one with
    the nearest cost, if the costs differ by at most NEAR. Rows with other labelled images are not compared.

    Args:
        rows: name -> runs that differ only in their seed, from `load_rows` or
            `kit.batch.experiments.collected.rows_of`.
        baseline: name of a row; "" is the first.
        costs: from `row_costs`.
    Returns: {"baseline", "weights", "rows": [{"row", "cost", "baseline" (is it one), "steps", "time"}]}; "steps" and
        "time" are None or {"against", "verdict", and the keys of `kit.batch.summary.difference`}.
    Raises: KitError for a baseline that is no row.
    """
    baseline, costs = baseline_row(rows, baseline), costs or row_costs(rows)
    setting, labels = group_key(rows[baseline][0], "steps"), rows[baseline][0]["split"]["labelled_sha256"]
    same = {row: runs for row, runs in rows.items() if runs[0]["split"]["labelled_sha256"] == labels}
    baselines = [row for row, runs in same.items() if group_key(runs[0], "steps") == setting]
    compared = []
    for row, runs in rows.items():
        against: dict[str, str | None] = {"steps": None, "time": None}
        if row in same and row not in baselines:
            steps = [other for other in baselines if rows[other][0]["steps"] == runs[0]["steps"]]
            near = min(baselines, key=lambda other: abs(costs[other] / costs[row] - 1))
            against = {"steps": steps[0] if steps else None,
                       "time": near if abs(costs[near] / costs[row] - 1) <= NEAR else None}  # fmt: skip
        compared.append({"row": row, "cost": costs[row], "baseline": row in baselines} | {
            view: _against(runs, rows, other, weights, resamples) for view, other in against.items()
        })  # fmt: skip
    return {"baseline": baseline, "weights": weights, "rows": compared}


def _against(runs: list[dict], rows: dict[str, list[dict]], other: str | None, weights: str, resamples: int):
    gain = difference(runs, rows[other], weights, resamples) if other else None
    return None if gain is None else {"against": other, **gain, "verdict": verdict(gain)}


def setting_rows(runs: list[dict]) -> tuple[dict[str, list[dict]], str]:
    """The largest group of runs that can be compared, as rows (name -> runs that differ only in their seed), and the
    row of supervised training with the fewest steps, "" if there is none.

    Args:
        runs: from `kit.load_runs`.
    """
    settings = by_setting(cost_groups(runs, "seconds")[0])
    rows = dict(zip(setting_labels(settings), settings, strict=True))
    supervised = [row for row, of_row in rows.items() if of_row[0]["method"] == "supervised"]
    return rows, min(supervised, key=lambda row: rows[row][0]["steps"], default="")
