"""Headless notebooks, one or many at a time: from a grid of runs to results and a table of outcomes.
Imports `kit.train`, `kit.label`, `kit.figures`; what is built on grids is in `experiments/`.
"""

from typing import TYPE_CHECKING

from kit.system.first_use import on_first_use

if TYPE_CHECKING:  # for editors; see __getattr__
    from kit.batch.cell import Cell, run_notebook
    from kit.batch.grid import Grid, compose, read_grid
    from kit.batch.outcome import Outcome, run_cell
    from kit.batch.pool import complete, run_cells
    from kit.batch.run import Table, run_grid
    from kit.batch.summary import load_rows, summarise
    from kit.system.console import show_line

__all__ = ["Cell", "Grid", "Outcome", "Table", "complete", "compose", "load_rows", "read_grid", "run_cell",
           "run_cells", "run_grid", "run_notebook", "show_line", "summarise"]  # fmt: skip

_HOME = {
    "Cell": "batch.cell",
    "Grid": "batch.grid",
    "Outcome": "batch.outcome",
    "Table": "batch.run",
    "complete": "batch.pool",
    "compose": "batch.grid",
    "load_rows": "batch.summary",
    "read_grid": "batch.grid",
    "run_cell": "batch.outcome",
    "run_cells": "batch.pool",
    "run_grid": "batch.run",
    "run_notebook": "batch.cell",
    "show_line": "system.console",
    "summarise": "batch.summary",
}
"""Name -> module of the kit, imported on first use: a worker that runs one notebook after the other needs no networks,
and imports them in seconds for every run otherwise."""

__getattr__ = on_first_use(__name__, globals(), _HOME)
