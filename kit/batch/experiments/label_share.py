"""Rows of a grid by their number of labelled images: what a setting gains when labels are fewer or more."""

from collections.abc import Sequence

from kit.batch.experiments.budget import verdict
from kit.batch.summary import baseline_row, difference, mean_sd, over_seeds
from kit.figures.style import method_name
from kit.runs.groups import group_key


def label_series(rows: dict[str, list[dict]], baselines: Sequence[str] = (), costs: dict[str, float] | None = None,
                 weights: str = "last", resamples: int = 2000) -> list[dict]:  # fmt: skip
    """Join the rows that differ only in their split, each by its number of labelled images.

    Args:
        rows: name -> runs that differ only in their seed, from `kit.batch.load_rows` or
            `kit.batch.experiments.collected.rows_of`.
        baselines: names of rows; every row is compared with the row of the same labels and of the baseline's setting.
        costs: seconds of training of each row, from `kit.batch.experiments.budget.row_costs`.
    Returns: for each setting {"name", "method", "points", "cost"}, in the order of `rows`; "cost" is the mean over its
        rows, None without `costs`. A point has "row", "labelled", "split" (its name), "list" (digest of its labelled
        images), "mean" and "sd" of mIoU in 0..1, "n", and "differences": name of the baseline's setting -> "verdict"
        and the keys of `kit.batch.summary.difference`, for baselines that have a row of these labels. Points are
        sorted by "labelled".
    Raises: KitError for a baseline that is no row.
    """
    settings: dict[str, list[str]] = {}
    for row, runs in rows.items():
        settings.setdefault(group_key(runs[0], "split"), []).append(row)
    names = dict(zip(settings, _names(rows, list(settings.values())), strict=True))
    against = {}  # name of a setting -> digest of its labelled list -> row
    for row in (baseline_row(rows, name) for name in baselines):
        setting = group_key(rows[row][0], "split")
        against[names[setting]] = {_labels(rows[other][0]): other for other in settings[setting]}
    series = []
    for setting, members in settings.items():
        points = []
        for row in sorted(members, key=lambda row: rows[row][0]["split"]["labelled"]):
            others = {name: of_labels.get(_labels(rows[row][0])) for name, of_labels in against.items()}
            others = {name: rows[other] for name, other in others.items() if other not in (None, row)}
            points.append(_point(row, rows[row], others, weights, resamples))
        cost = mean_sd([costs[row] for row in members])["mean"] if costs else None
        series.append({"name": names[setting], "method": rows[members[0]][0]["method"], "points": points, "cost": cost})
    return series


def _point(row: str, runs: list[dict], others: dict[str, list[dict]], weights: str, resamples: int) -> dict:
    gains = {name: difference(runs, theirs, weights, resamples) for name, theirs in others.items()}
    return {
        "row": row, "labelled": runs[0]["split"]["labelled"], "split": runs[0]["split"]["name"],
        "list": _labels(runs[0]), **over_seeds(runs, lambda run: run[weights]["miou"]),
        "differences": {name: {**gain, "verdict": verdict(gain)} for name, gain in gains.items() if gain},
    }  # fmt: skip


def _labels(run: dict) -> str:
    return run["split"]["labelled_sha256"]


def _names(rows: dict[str, list[dict]], settings: list[list[str]]) -> list[str]:
    """Short, unique names of settings: the words that all rows of a setting share, else the method."""
    found = []
    for members in settings:
        others = [row.replace(",", "").split(" ") for row in members]
        shared = [word for word in members[0].split(" ") if all(word.strip(",") in row for row in others)]
        found.append(" ".join(shared).rstrip(" ,") or method_name(rows[members[0]][0]["method"]))
    return [name if found.count(name) == 1 else members[0] for name, members in zip(found, settings, strict=True)]
