"""Teachers that the runs of a grid need, as runs of the grid that come first.

Otherwise `kit.train.teachers.with_teachers` would train a teacher inside the first run that needs it, and other runs
would fail because its folder is in use.
"""

from kit.batch.cell import Cell
from kit.batch.finished import run_config
from kit.batch.grid import Grid, Run
from kit.errors import KitError
from kit.methods.build import METHODS
from kit.settings.fields import differences, flat
from kit.settings.recipes import configure
from kit.settings.run import RunConfig
from kit.system.paths import PROJECT
from kit.train.teachers import teacher_config

ROW = "teacher"
"""Prefix of the teachers' rows in the grid's table."""


def teacher_runs(grid: Grid, runs: list[Run]) -> list[Run]:
    """One run for each teacher that runs of the grid need but do not name."""
    found: dict[str, Run] = {}
    for run in runs:
        try:
            cfg = run_config(run.cell)
            for name in METHODS[cfg.method.name].teachers if cfg is not None else ():
                if not getattr(cfg.method, name):
                    teacher = teacher_config(cfg, name)
                    found.setdefault(teacher.run_dir, _as_run(grid, name, teacher))
        except KitError:  # reported for the run itself
            continue
    return list(found.values())


def _as_run(grid: Grid, name: str, teacher: RunConfig) -> Run:
    """The grid's notebook with the parameters of a teacher."""
    base = configure(method=teacher.method.name, recipe=teacher.recipe)
    settings = flat(teacher)
    own = {"run_dir": teacher.run_dir, "seed": teacher.seed}
    changed = {field: settings[field] for field in differences(base, teacher) if field not in own}
    parameters = {"method": teacher.method.name, "recipe": teacher.recipe, **own, "overrides": changed}
    folder = teacher.run_dir.rsplit("/", 1)[-1]
    cell = Cell(grid.notebook, PROJECT / grid.out / "notebooks" / f"{folder}.ipynb", parameters)
    return Run(folder, f"{ROW}: {name}, {teacher.student.name}", teacher.seed, cell)
