"""Numbers of finished runs: a table in text and Markdown, and bars of the IoU of every class."""

import json
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from kit.errors import KitError
from kit.figures.style import PAGE, group_key, looks, method_colour, method_name, new_figure, setting_labels, start_of
from kit.settings.checks import require_choice

ABSENT, UNKNOWN = "absent", "–"
"""In a cell: a class that neither truth nor predictions hold, and one that this run's data set does not have."""

SHARES = ("mIoU", "IoU", "share")
"""Columns that start so hold shares in 0..1, written in percent."""

SUBJECT = ("data set", "split", "protocol")
"""What a run's numbers are about: the parts of its `subject`."""

HATCHES = ("", "////", "....", "\\\\\\\\")
"""Bars of settings of one method, which share its colour."""


def rows(runs: list[dict], mixed: bool = False) -> list[dict]:
    """One row per run: name of each column -> value. Shares are in 0..1; a class without a score has None.

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


def check_comparable(runs: list[dict], mixed: bool = False) -> None:
    """Raise KitError if there is no run or, unless `mixed`, if runs differ in what their numbers are about."""
    if not runs:
        raise KitError("no runs to put in a table")
    if mixed:
        return
    for what, (name, identity) in subject(runs[0]).items():
        for run in runs[1:]:
            other, other_identity = subject(run)[what]
            if other_identity != identity:
                raise KitError(
                    f"{runs[0]['path']} and {run['path']} differ in {what} ({name}; {other}), "
                    "so their numbers cannot be compared; mixed=True puts them in one table all the same"
                )
    if len(groups := comparable_groups(runs)) > 1:
        raise KitError(
            f"{groups[0][0]['path']} and {groups[1][0]['path']} were evaluated on other val images or masks of one "
            "name, so their numbers cannot be compared; mixed=True puts them in one table all the same"
        )


def comparable_groups(runs: list[dict], parts: Sequence[str] = SUBJECT,
                      also: Callable[[dict], object] = lambda run: None) -> list[list[dict]]:  # fmt: skip
    """Runs parted into groups that share these parts of their `subject`, the largest group first.

    The val images and masks of a group are the same by their names and sizes on disk; a run that did not record them
    joins the others of its subject, if these agree.

    Args:
        also: what else has to be equal, as a value for JSON.
    """
    about: dict[str, list[dict]] = {}
    for run in runs:
        what = subject(run)
        about.setdefault(json.dumps([*(what[part][1] for part in parts), also(run)]), []).append(run)
    groups: dict[tuple[str, str | None], list[dict]] = {}
    for key, members in about.items():
        known = {_judged_on(run) for run in members} - {None}
        only = known.pop() if len(known) == 1 else None
        for run in members:
            groups.setdefault((key, _judged_on(run) or only), []).append(run)
    return sorted(groups.values(), key=len, reverse=True)


def _judged_on(run: dict) -> str | None:
    """Digests of the val images and masks; None if the run did not record them."""
    files = run.get("data", {}).get("files")
    return files["val images"]["sha256"] + files["val masks"]["sha256"] if files else None


def as_markdown(table: list[dict]) -> str:
    """Rows as a Markdown table, numbers to the right."""
    names, cells = _written(table)
    lines = [names, ["---:" if _is_number(row_name) else "---" for row_name in table[0].items()], *cells]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def as_text(table: list[dict]) -> str:
    """Rows in columns for a terminal."""
    names, cells = _written(table)
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    right = [_is_number(item) for item in table[0].items()]
    lines = [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in (names, ["-" * w for w in widths], *cells)
    ]
    return "\n".join(lines) + "\n"


@looks()
def class_bars(runs: list[dict], weights: str = "last", mixed: bool = False) -> Figure:
    """IoU of every class in percent, a bar per setting, with the mean over classes at the left.

    Runs that differ in their seed alone share a bar: it is their mean, and dots are the single runs.

    Args:
        runs: from `kit.load_runs`.
        weights: "last" or "average".
        mixed: as in `rows`; all runs must have the same classes in any case.
    Raises: KitError as `rows` does.
    """
    check_comparable(runs, mixed)
    classes = runs[0]["dataset"]["classes"]
    if any(run["dataset"]["classes"] != classes for run in runs):
        raise KitError("bars of classes need runs with the same classes")
    groups = _groups(runs)
    fig = new_figure(PAGE, 2.3)
    ax = fig.add_subplot()
    # The mean stands apart: half a place further left.
    places = np.array([-0.5, *range(1, len(classes) + 1)])
    thickness = 0.8 / len(groups)
    nowhere = np.isnan([_scores(run, weights) for run in runs]).all(0)
    for i, (label, members, hatch) in enumerate(groups):
        scores = np.array([_scores(run, weights) for run in members])  # (seeds, 1 + classes), nan where absent
        there = ~np.isnan(scores).all(0)
        x = places + (i - (len(groups) - 1) / 2) * thickness
        heights = np.nanmean(scores[:, there], axis=0)
        ax.bar(x[there], heights, thickness * 0.92, label=label, color=method_colour(members[0]["method"]),
               hatch=hatch, edgecolor="white", linewidth=0)  # fmt: skip
        if len(members) > 1:
            ax.plot(np.tile(x, len(members)), scores.ravel(), "o", color="black", markersize=2,
                    markeredgecolor="white", markeredgewidth=0.3, linestyle="none")  # fmt: skip
        for place in x[~there & ~nowhere]:
            ax.text(place, 1, ABSENT, rotation=90, ha="center", va="bottom", color="0.4", fontsize="small")
    for place in places[nowhere]:
        ax.text(place, 1, ABSENT, rotation=90, ha="center", va="bottom", color="0.4")
    ax.axvline(0.25, color="0.6", linewidth=0.6)
    ax.set_xlim(places[0] - 0.6, places[-1] + 0.6)
    ax.set_ylim(0, 100)
    ax.set_ylabel("IoU [%]")
    ax.grid(axis="y")
    ax.tick_params(axis="x", length=0)
    ax.set_xticks(places, ["mean", *classes], rotation=40, ha="right", rotation_mode="anchor")
    fig.legend(loc="outside upper center", ncol=min(len(groups), 4), handlelength=1.2, columnspacing=1.4)
    return fig


def subject(run: dict) -> dict[str, tuple[str, object]]:
    """What a run's numbers are about, by "data set", "split" and "protocol": as people call it, and what has to be
    equal for numbers to be compared."""
    split, protocol = run["split"], f"{run['protocol']}, {run['last']['images']} images"
    # Lists are distinguished by their content: two of one name may differ, and the same may be drawn or read.
    digests = (split["labelled_sha256"], split["unlabelled_sha256"], split.get("extra_sha256"))
    shown = " ".join(sha256[:8] for sha256 in digests if sha256)
    return {
        "data set": (run["dataset"]["name"], (run["dataset"]["name"], run["dataset"]["classes"])),
        "split": (f"{split['name']}, digests {shown}", digests),
        "protocol": (protocol, protocol),
    }


def _scores(run: dict, weights: str) -> list[float]:
    """Mean and single IoU in percent, nan where absent."""
    require_choice(("last", "average"), weights=weights)  # of the best on the way the mean alone is kept
    scores = run[weights]
    single = [scores["iou"][name] for name in run["dataset"]["classes"]]
    return [100 * scores["miou"], *(np.nan if value is None else 100 * value for value in single)]


def _groups(runs: list[dict]) -> list[tuple[str, list[dict], str]]:
    """(label, runs that differ in their seed alone, hatch) in the order in which they come."""
    members: dict[str, list[dict]] = {}
    for run in runs:
        members.setdefault(group_key(run), []).append(run)
    groups = list(members.values())
    methods = [group[0]["method"] for group in groups]
    return [
        (
            label,
            group,
            HATCHES[methods[:i].count(methods[i]) % len(HATCHES)],
        )
        for i, (label, group) in enumerate(zip(setting_labels(groups), groups, strict=True))
    ]


def _written(table: list[dict]) -> tuple[list[str], list[list[str]]]:
    """Heads, and cells as text."""
    if not table:
        raise KitError("a table needs at least one row")
    names = [f"{name} [%]" if name.startswith(SHARES) else name for name in table[0]]
    return names, [[_cell(name, value) for name, value in row.items()] for row in table]


def _cell(name: str, value: object) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, str):
        return value
    if name.startswith(SHARES):
        return f"{100 * value:.2f}"
    if name == "train seconds":
        return f"{value:.0f}"
    return f"{value:,}" if name == "student parameters" else str(value)


def _is_number(item: tuple[str, object]) -> bool:
    name, value = item
    return name.startswith(SHARES) or not isinstance(value, str)
