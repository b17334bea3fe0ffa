"""`make study`: what unlabelled images and other networks are worth, over several seeds.

| row | labels | length |
| --- | --- | --- |
| supervised | the split's | the study's steps |
| supervised, equal time | the split's | as many steps as fit into TriKD's measured time |
| supervised, all labels | all | the study's steps |
| cps, trikd | the split's, and all other images without | the study's steps |
"""

import statistics
import sys
from pathlib import Path

from kit.batch import Cell, complete
from kit.batch.demo import StepBar, summarise, train_cell
from kit.batch.summary import mean_sd
from kit.data.scenes.dataset import draw_dataset
from kit.runs.folder import load_run
from kit.settings.recipes import RECIPES
from kit.system.storage import write_json

ROWS = ("supervised", "supervised_equal_time", "supervised_all_labels", "cps", "trikd")


def study(out: Path, seeds: int = 3, steps: int | None = None, workers: int = 2) -> dict:
    """Run everything below `out` and return the content of `out/summary.json`; see `kit.batch.demo.demo`."""
    base = RECIPES["study"]("supervised")
    steps = steps or base.train.steps
    draw_dataset(base.data.root, progress=True)

    def cell(row: str, seed: int, **parameters: object) -> Cell:
        method = row.split("_")[0]
        return train_cell(out / f"{row}_{seed}", method=method, recipe="study", seed=seed,
                          **{"steps": steps, **parameters})  # fmt: skip

    first = [cell(row, seed, **({"split": "all"} if row == "supervised_all_labels" else {}))
             for row in ("trikd", "cps", "supervised_all_labels", "supervised") for seed in range(seeds)]  # fmt: skip
    run_all(first, steps * len(first), workers)
    longer = equal_time_steps(out, seeds)
    second = [cell("supervised_equal_time", seed, steps=longer) for seed in range(seeds)]
    run_all(second, longer * len(second), workers)
    runs = {row: [load_run(out / f"{row}_{seed}") for seed in range(seeds)] for row in ROWS}
    summary = {
        "rows": {row: {**spread(of_row), "seeds": [summarise(run) for run in of_row]} for row, of_row in runs.items()},
        "trikd_minus": {row: paired(runs["trikd"], runs[row]) for row in ROWS if row != "trikd"},
    }
    write_json(out / "summary.json", summary)
    sys.stdout.write(f"\n{as_markdown(summary)}\n\n  {out / 'summary.json'}\n")
    return summary


def run_all(cells: list[Cell], steps: int, workers: int) -> None:
    """Run notebooks under one progress bar."""
    with StepBar([Path(cell.parameters["run_dir"]) for cell in cells], steps) as bar:
        complete(cells, workers, bar.look)


def equal_time_steps(out: Path, seeds: int) -> int:
    """Supervised steps that take as long as TriKD's runs did, by the means over seeds of their seconds per step."""
    runs = {row: [load_run(out / f"{row}_{seed}") for seed in range(seeds)] for row in ("supervised", "trikd")}
    cost = {row: statistics.mean(run["seconds"]["train"] / run["steps"] for run in rows) for row, rows in runs.items()}
    return round(runs["trikd"][0]["steps"] * cost["trikd"] / cost["supervised"])


def spread(runs: list[dict]) -> dict:
    """Mean and sample standard deviation over seeds; mIoU in percent."""
    return {
        "n": len(runs),
        "steps": runs[0]["steps"],
        "labelled": runs[0]["split"]["labelled"],
        "miou": rounded([100 * run["last"]["miou"] for run in runs]),
        "miou_average_weights": rounded([100 * run["average"]["miou"] for run in runs]),
        "seconds": rounded([run["seconds"]["train"] for run in runs]),
    }


def paired(mine: list[dict], theirs: list[dict]) -> dict:
    """Difference in mIoU, in points, between runs of the same seeds: mean and sample standard deviation."""
    pairs = list(zip(mine, theirs, strict=True))
    return {
        "miou": rounded([100 * (a["last"]["miou"] - b["last"]["miou"]) for a, b in pairs]),
        "miou_average_weights": rounded([100 * (a["average"]["miou"] - b["average"]["miou"]) for a, b in pairs]),
    }


def rounded(values: list[float]) -> dict:
    """Mean and sample standard deviation, to two places; one value has no deviation."""
    found = mean_sd(values)
    return {name: None if found[name] is None else round(found[name], 2) for name in ("mean", "sd")}


def as_markdown(summary: dict) -> str:
    """The table of the README; its last column is TriKD minus each other row, seed by seed."""

    def cell(value: dict, sign: str = "") -> str:
        return f"{value['mean']:{sign}.1f}" + (f" ± {value['sd']:.1f}" if value["sd"] is not None else "")

    heads = ("", "labels", "steps", "mIoU, last weights", "mIoU, average weights", "seconds", "TriKD minus this")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row, s in summary["rows"].items():
        name = row.replace("_", ", ", 1).replace("_", " ")
        gain = cell(summary["trikd_minus"][row]["miou"], "+") if row in summary["trikd_minus"] else ""
        scores = [cell(s[key]) for key in ("miou", "miou_average_weights", "seconds")]
        lines.append(f"| {' | '.join([name, str(s['labelled']), str(s['steps']), *scores, gain])} |")
    return "\n".join(lines)
