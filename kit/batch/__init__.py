"""Headless notebooks, one or many at a time: from a grid of runs to results and a table of outcomes."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors; see __getattr__
    from kit.batch.cell import Cell, run_notebook
    from kit.batch.grid import Grid, compose, read_grid
    from kit.batch.outcome import Outcome, run_cell
    from kit.batch.pool import complete, run_cells
    from kit.batch.run import Table, read_table, run_grid
    from kit.batch.summary import load_rows, summarise
    from kit.system.console import show_line

__all__ = ["Cell", "Grid", "Outcome", "Table", "complete", "compose", "load_rows", "read_grid", "read_table",
           "run_cell", "run_cells", "run_grid", "run_notebook", "show_line", "summarise"]  # fmt: skip

_HOME = {
    "batch.cell": ("Cell", "run_notebook"),
    "batch.grid": ("Grid", "compose", "read_grid"),
    "batch.outcome": ("Outcome", "run_cell"),
    "batch.pool": ("complete", "run_cells"),
    "batch.run": ("Table", "read_table", "run_grid"),
    "batch.summary": ("load_rows", "summarise"),
    "system.console": ("show_line",),
}
"""Module of the kit -> names, imported on first use: a worker that runs one notebook after the other needs no networks,
and imports them in seconds for every run otherwise."""


def __getattr__(name: str):
    for module, names in _HOME.items():
        if name in names:
            found = globals()[name] = getattr(importlib.import_module(f"kit.{module}"), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
