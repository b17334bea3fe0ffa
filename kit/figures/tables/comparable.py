"""Which runs can be compared: those of one data set, split and protocol, with the same val images and masks."""

import json
from collections.abc import Callable, Sequence

from kit.errors import KitError

SUBJECT = ("data set", "split", "protocol")
"""Parts of the `subject` of a run."""


def check_comparable(runs: list[dict], mixed: bool = False) -> None:
    """Raise KitError if there is no run or, unless `mixed`, if runs differ in `subject` or in val images and masks."""
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
                    "so their numbers cannot be compared; mixed=True puts them in one table anyway"
                )
    if len(groups := comparable_groups(runs)) > 1:
        raise KitError(
            f"{groups[0][0]['path']} and {groups[1][0]['path']} differ in val images or masks that have the same "
            "names, so their numbers cannot be compared; mixed=True puts them in one table anyway"
        )


def comparable_groups(runs: list[dict], parts: Sequence[str] = SUBJECT,
                      also: Callable[[dict], object] = lambda run: None) -> list[list[dict]]:  # fmt: skip
    """Groups of runs that share these parts of their `subject`, the largest group first.

    Runs of a group have the same val images and masks, judged by names and sizes of files. A run that did not record
    them joins the others of its subject, if these agree.

    Args:
        also: run -> a further value that must be equal; JSON must be able to hold it.
    """
    about: dict[str, list[dict]] = {}
    for run in runs:
        what = subject(run)
        about.setdefault(json.dumps([*(what[part][1] for part in parts), also(run)]), []).append(run)
    groups: dict[tuple[str, str | None], list[dict]] = {}
    for key, members in about.items():
        known = {_val_files(run) for run in members} - {None}
        only = known.pop() if len(known) == 1 else None
        for run in members:
            groups.setdefault((key, _val_files(run) or only), []).append(run)
    return sorted(groups.values(), key=len, reverse=True)


def _val_files(run: dict) -> str | None:
    """Digests of the val images and masks; None if the run did not record them."""
    files = run.get("data", {}).get("files")
    return files["val images"]["sha256"] + files["val masks"]["sha256"] if files else None


def subject(run: dict) -> dict[str, tuple[str, object]]:
    """What the numbers of a run are about: "data set", "split" and "protocol" -> (text, value that has to be equal for
    numbers to be compared)."""
    split, protocol = run["split"], f"{run['protocol']}, {run['last']['images']} images"
    # Content distinguishes lists: two of the same name may differ, and a drawn list may equal one from files.
    digests = (split["labelled_sha256"], split["unlabelled_sha256"], split.get("extra_sha256"))
    shown = " ".join(sha256[:8] for sha256 in digests if sha256)
    return {
        "data set": (run["dataset"]["name"], (run["dataset"]["name"], run["dataset"]["classes"])),
        "split": (f"{split['name']}, digests {shown}", digests),
        "protocol": (protocol, protocol),
    }
