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

from kit.batch import Cell, run_grid
from kit.data.synthetic import draw_dataset
from kit.demo import StepBar, summarise, train_cell
from kit.paths import PROJECT
from kit.recipes import RECIPES
from kit.results import load_run
from kit.storage import write_json

ROWS = ("supervised", "supervised_equal_time", "supervised_all_labels", "cps", "trikd")


def study(out: Path, seeds: int = 3, steps: int | None = None, workers: int = 2) -> dict:
    """Run everything below `out` and return the content of `out/summary.json`. What is finished is not run again."""
    out = Path(out)
    base = RECIPES["study"]("supervised")
    data = str(draw_dataset(PROJECT / base.data.root, progress=True))
    steps = steps or base.train.steps

    def cell(row: str, seed: int, **parameters: object) -> Cell:
        method = row.split("_")[0]
        return train_cell(out / f"{row}_{seed}", method=method, recipe="study", seed=seed, data_root=data,
                          **{"steps": steps, **parameters})  # fmt: skip

    first = [cell(row, seed, **({"split": "all"} if row == "supervised_all_labels" else {}))
             for row in ("trikd", "cps", "supervised_all_labels", "supervised") for seed in range(seeds)]  # fmt: skip
    run_all(first, steps * len(first), workers)
    longer = equal_time_steps(out, seeds)
    second = [cell("supervised_equal_time", seed, steps=longer) for seed in range(seeds)]
    run_all(second, longer * len(second), workers)
    runs = {row: [load_run(out / f"{row}_{seed}") for seed in range(seeds)] for row in ROWS}
    summary = {row: {"seeds": [summarise(run) for run in of_row], **spread(of_row)} for row, of_row in runs.items()}
    write_json(out / "summary.json", summary)
    table = as_markdown(summary)
    sys.stdout.write(f"\n{table}\n\n  {out / 'summary.json'}\n")
    return summary


def run_all(cells: list[Cell], steps: int, workers: int) -> None:
    """Run notebooks under one progress bar."""
    with StepBar([Path(cell.parameters["run_dir"]) for cell in cells], steps) as bar:
        run_grid(cells, workers, bar.look)


def equal_time_steps(out: Path, seeds: int) -> int:
    """Supervised steps that take as long as TriKD's runs did, by the means over seeds of their seconds per step."""
    runs = {row: [load_run(out / f"{row}_{seed}") for seed in range(seeds)] for row in ("supervised", "trikd")}
    cost = {row: statistics.mean(run["seconds"]["train"] / run["steps"] for run in rows) for row, rows in runs.items()}
    return round(runs["trikd"][0]["steps"] * cost["trikd"] / cost["supervised"])


def spread(runs: list[dict]) -> dict:
    """Mean and sample standard deviation over seeds, in percent."""

    def both(values: list[float]) -> dict:
        return {"mean": round(statistics.mean(values), 2),
                "sd": round(statistics.stdev(values), 2) if len(values) > 1 else None}  # fmt: skip

    return {
        "n": len(runs),
        "steps": runs[0]["steps"],
        "labelled": runs[0]["split"]["labelled"],
        "miou": both([100 * run["last"]["miou"] for run in runs]),
        "miou_average_weights": both([100 * run["average"]["miou"] for run in runs]),
        "seconds": both([run["seconds"]["train"] for run in runs]),
    }


def as_markdown(summary: dict) -> str:
    """The table of the README."""

    def cell(value: dict) -> str:
        return f"{value['mean']:.1f}" + (f" ± {value['sd']:.1f}" if value["sd"] is not None else "")

    lines = ["| | labels | steps | mIoU, last weights | mIoU, average weights | seconds |", "|---|---|---|---|---|---|"]
    for row, s in summary.items():
        name = row.replace("_", ", ", 1).replace("_", " ")
        lines.append(f"| {name} | {s['labelled']} | {s['steps']} | {cell(s['miou'])} | "
                     f"{cell(s['miou_average_weights'])} | {cell(s['seconds'])} |")  # fmt: skip
    return "\n".join(lines)
