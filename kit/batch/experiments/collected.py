"""Runs of grids in one small file, which a study keeps after the machine and the run folders are gone.

```json
{"schema": 1, "dataset": "camvid", "classes": [...], "images": [...], "masks": "digest",
 "costs": {"GRID: ROW": {"cpu_seconds_per_step": 0.3, ...}},
 "runs": [{"grid": "study_methods", "row": "supervised", "seed": 0, ..., "average": {"miou": 0.5, "iou": {...},
           "hits": [[...], ...], "unions": [[...], ...]}}]}
```

`hits` and `unions` count pixels of each image and class. Scores and intervals of any part of the val images are
computed from them. To merge runs of several machines, collect them into the same file.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kit.batch.grid import Grid, Run
from kit.batch.summary import WEIGHTS
from kit.errors import KitError
from kit.evaluate.scores.bootstrap import overlaps
from kit.evaluate.scores.counts import Counts, Overlaps, load_counts
from kit.runs.folder import RunFolder, load_run
from kit.system.storage import read_json, text_sha256, write_bytes

SCHEMA = 1
"""Version of the file's format."""

KEPT = ("method", "teachers", "seed", "steps", "student_parameters", "seconds", "precision", "threads", "protocol",
        "date", "python", "versions", "machine", "commit")  # fmt: skip
"""Keys of a result that are copied unchanged."""

SPLIT = ("name", "labelled", "unlabelled", "labelled_sha256", "unlabelled_sha256")
"""Keys of a run's split that are copied."""

WATCHED = ("coverage", "accuracy", "sure_accuracy", "agreement")
"""Statistics of pseudo labels that are copied from a log."""


def collect(grids: dict[str, Grid], into: Path, costs: dict[str, dict] | None = None) -> tuple[dict, list[str]]:
    """Add the finished runs of grids to a file; if the file already holds a run, the newer one is kept.

    Args:
        grids: name -> grid; a run is identified by its grid's name and its own, which depends on its parameters.
        costs: from `kit.batch.experiments.step_cost.step_costs`, written to the file too.
    Returns: the file's content, and the names of the runs that are neither finished here nor in the file.
    Raises: KitError if there is no finished run here or in the file, or if runs were evaluated on other images, masks
        or classes than those in the file.
    """
    content = load_study(into) if into.is_file() else {"schema": SCHEMA, "costs": {}, "runs": []}
    known = {(run["grid"], run["name"]): run for run in content["runs"]}
    missing = []
    for grid, runs in {name: grid.runs() for name, grid in grids.items()}.items():
        for run in runs:
            key = (grid, run.name)
            if not RunFolder(run.cell.run_dir).result_file.is_file():
                missing += [] if key in known else [f"{grid}: {run.row}, seed {run.seed}"]
                continue
            found, record = _record(grid, run)
            for name, value in found.items():
                if content.setdefault(name, value) != value:
                    raise KitError(f"{run.cell.run_dir} and {into} differ in {name}; collect into another file")
            if key not in known or record["date"] > known[key]["date"]:
                known[key] = record
    if not known:
        raise KitError(f"no run of {', '.join(grids)} is finished; run them with: python -m kit batch GRID.yaml")
    content["runs"] = list(known.values())
    content["costs"] |= costs or {}
    into.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(into, _text(content).encode())
    return content, missing


def load_study(path: str | Path) -> dict:
    """What `collect` wrote. Raises KitError if it is missing or of another schema."""
    content = read_json(Path(path))
    if content.get("schema") != SCHEMA or "runs" not in content:
        raise KitError(f"{path} is not a file of collected runs with schema {SCHEMA}")
    return content


def rows_of(study: dict, grids: Sequence[str], images: slice = slice(None)) -> dict[str, list[dict]]:
    """Rows of grids for `kit.batch.summary.summarise`: name -> runs, with their scores on some of the images.

    Args:
        study: from `load_study`.
        grids: their names; rows of the same name in several grids are one row.
        images: by their place in the file, such as slice(0, 50) for the first 50.
    Raises: KitError if there is no run of these grids.
    """
    rows: dict[str, list[dict]] = {}
    for run in study["runs"]:
        if run["grid"] in grids:
            rows.setdefault(run["row"], []).append(_on(run, study, images))
    if not rows:
        there = sorted({run["grid"] for run in study["runs"]})
        raise KitError(f"no collected run is of {', '.join(grids)}; collected grids: {', '.join(there) or 'none'}")
    return {row: sorted(runs, key=lambda run: run["seed"]) for row, runs in rows.items()}


def _on(run: dict, study: dict, images: slice) -> dict:
    """A run with its scores on some images, in the form of `kit.load_run`."""
    found = {}
    for which in WEIGHTS:
        counted = (np.array(run[which][name], np.int64) for name in ("hits", "unions"))
        found[which] = Overlaps(tuple(study["images"]), *counted).part(images)
    scores = {which: each.scores(study["classes"]) for which, each in found.items()}
    dataset = {"name": study["dataset"], "classes": study["classes"], "rare": []}
    own = {name: value for name, value in run["parameters"].items() if name != "seed"}
    return {**run, **scores, "overlaps": found, "dataset": dataset, "path": run["row"], "config": {"parameters": own}}


def _text(content: dict) -> str:
    """JSON with a line for each run, so that a version control system shows which were added."""
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in content.items() if name != "runs"]
    runs = ",\n".join(json.dumps(run, allow_nan=False, separators=(",", ":")) for run in content["runs"])
    return "{\n" + "".join(f"{line},\n" for line in lines) + f'"runs": [\n{runs}\n]}}\n'


def _record(grid: str, run: Run) -> tuple[dict, dict]:
    """The values that must be the same for all runs, and the record of this run."""
    result, folder = load_run(run.cell.run_dir), RunFolder(run.cell.run_dir)
    counts = {which: load_counts(folder.scores(which)) for which in WEIGHTS}
    masks = text_sha256("\n".join(counts["average"].masks or ()))
    shared = {"dataset": result["dataset"]["name"], "classes": result["dataset"]["classes"],
              "images": list(counts["average"].names), "masks": masks}  # fmt: skip
    parameters = {name: value for name, value in run.cell.parameters.items() if name != "run_dir"}
    record = {
        "grid": grid, "name": run.name, "row": run.row, "parameters": parameters,
        **{name: result.get(name) for name in KEPT},
        "split": {name: result["split"][name] for name in SPLIT},
        "best": None,
        **{which: _scores(counts[which], shared["classes"]) for which in WEIGHTS},
        "log": [_line(line) for line in result["log"] if "loss" in line or "miou" in line],
    }  # fmt: skip
    return shared, record


def _scores(counts: Counts, classes: Sequence[str]) -> dict:
    hits, unions = overlaps(counts.matrices)
    scores = Overlaps(counts.names, hits, unions).scores(classes)
    return {**scores, "hits": hits.tolist(), "unions": unions.tolist()}


def _line(line: dict) -> dict:
    """A shorter log line: only the scores, or losses and statistics of pseudo labels in five digits."""
    if "miou" in line:
        return {name: line[name] for name in ("step", "miou", "average_miou")}
    kept = {"step": line["step"], "parts": {name: _short(value) for name, value in line.get("parts", {}).items()}}
    seen = {name: line["pseudo"][name] for name in WATCHED if name in line.get("pseudo", {})}
    return kept | ({"pseudo": {name: value and _short(value) for name, value in seen.items()}} if seen else {})


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
