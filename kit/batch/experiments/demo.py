"""`make demo`: a light student on drawn street scenes, trained by three methods from ImageNet weights and once from
random ones; a table, figures and a report, all from notebooks."""

import sys
from pathlib import Path

from kit.batch import Cell, complete
from kit.batch.html_page import to_html
from kit.data.scenes.dataset import draw_dataset
from kit.figures.tables.formats import as_text
from kit.figures.tables.run_scores import rows
from kit.runs.folder import RunFolder, load_runs
from kit.settings.recipes import RECIPES
from kit.system.console import bar
from kit.system.paths import PROJECT
from kit.system.storage import write_json

RUNS = {
    "supervised_random": {"method": "supervised", "overrides": {"pretrained": False}},
    "supervised": {"method": "supervised"},
    "cps": {"method": "cps"},
    "trikd": {"method": "trikd"},
}
"""Rows of the table, in this order: folder of the run -> parameters of train.ipynb."""


def demo(out: Path, steps: int | None = None, workers: int = 2) -> dict:
    """Run everything below `out` and return the content of `out/summary.json`; finished runs are skipped.

    Called in the project's folder, the working folder of notebooks.

    Args:
        out: folder to write.
        steps: of each student; None is the recipe's.
        workers: number of runs at a time.
    """
    out = out if out.name else out.resolve()  # "." has no name for the folder beside it
    base = RECIPES["demo"]("supervised")
    steps = steps or base.train.steps
    draw_dataset(base.data.root, progress=True)
    folders = [out / name for name in RUNS]
    cells = [
        _cell("train", out, {"recipe": "demo", "steps": steps, **RUNS[folder.name], "run_dir": str(folder)},
              f"train_{folder.name}")
        for folder in reversed(folders)  # the longest first
    ]  # fmt: skip
    with StepBar(folders, steps * len(folders)) as progress:
        complete(cells, workers, progress.look)
    runs = load_runs(folders)
    sys.stdout.write("running the other notebooks on the trained students\n")
    looks = tour(out, folders, base.data.root)
    complete(looks, workers)
    title = "Supervised-only, CPS and TriKD on drawn street scenes"
    report = to_html(out / "notebooks/visualize.ipynb", out / "report.html", title=title)
    summary = {name: summarise(run) for name, run in zip(RUNS, runs, strict=True)}
    write_json(out / "summary.json", summary)
    files = [out / "summary.json", report, *(cell.page for cell in [*reversed(cells), *looks]),
             *sorted((out / "figures").glob("*.pdf"))]  # fmt: skip
    sys.stdout.write(
        f"\n{as_text(rows(runs))}\n"
        "One seed only: differences between methods need several seeds (make study).\n\n"
        + "".join(f"  {path}\n" for path in files)
    )
    return summary


def tour(out: Path, folders: list[Path], data_root: str) -> list[Cell]:
    """Cells of six other notebooks on the runs in `folders`; `ablate` makes two short runs of its own beside `out`."""
    runs = [str(folder) for folder in folders]
    parameters = {
        "ablate": {"grid": "", "methods": ["supervised", "cps"], "seeds": [0], "workers": 1,
                   "common": {"recipe": "tiny", "steps": 10}, "out": str(out.with_name(f"{out.name}_ablation"))},
        "frequency": {"run": runs[-1]},
        "visualize": {"runs": runs, "out": str(out / "figures")},
        "explore": {"runs": runs, "out": str(out / "explore")},
        "doctor": {"data_root": data_root, "out": str(out / "doctor")},
        "compare": {"folder": str(out), "cost_of": "seconds", "out": str(out / "compare")},
    }  # fmt: skip
    return [_cell(name, out, given) for name, given in parameters.items()]


def _cell(notebook: str, out: Path, parameters: dict, executed: str = "") -> Cell:
    return Cell(PROJECT / f"notebooks/{notebook}.ipynb", out / f"notebooks/{executed or notebook}.ipynb", parameters)


def summarise(run: dict) -> dict:
    """A run's numbers for summary.json; IoU in percent, null for absent classes."""
    percent = {name: None if value is None else round(100 * value, 2) for name, value in run["last"]["iou"].items()}
    return {
        "miou": round(100 * run["last"]["miou"], 2),
        "miou_average_weights": round(100 * run["average"]["miou"], 2),
        "iou": percent,
        "rare_classes": run["dataset"]["rare"],
        "student_parameters": run["student_parameters"],
        "seconds": run["seconds"]["train"],
        "steps": run["steps"],
        "seed": run["seed"],
        "split": run["split"]["name"],
        "split_sha256": run["split"]["labelled_sha256"],
        "protocol": run["protocol"],
    }


class StepBar:
    """One progress bar over the steps of several runs, read from their log files."""

    def __init__(self, folders: list[Path], total: int):
        self.folders = [RunFolder(folder) for folder in folders]
        self.bar = bar(total, "training", "step")

    def look(self) -> None:
        """Update the bar to the present steps of the runs."""
        done = {folder.path.name: max((r["step"] for r in folder.log()), default=0) for folder in self.folders}
        going = [f.path.name for f in self.folders if f.log_file.exists() and not f.result_file.exists()]
        self.bar.set_postfix({name: done[name] for name in going}, refresh=False)
        self.bar.update(sum(done.values()) - self.bar.n)

    def __enter__(self):
        return self

    def __exit__(self, *exception: object) -> None:
        self.look()
        self.bar.close()
