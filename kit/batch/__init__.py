"""Headless notebooks, one or many at a time: from a grid of runs to results and a table of outcomes."""

from kit.batch.cell import Cell, run_notebook
from kit.batch.grid import Grid, compose, read_grid
from kit.batch.outcome import Outcome, run_cell
from kit.batch.pool import complete, run_cells
from kit.batch.run import Table, read_table, run_grid
from kit.batch.summary import load_rows, summarise
from kit.system.console import show_line

__all__ = ["Cell", "Grid", "Outcome", "Table", "complete", "compose", "load_rows", "read_grid", "read_table",
           "run_cell", "run_cells", "run_grid", "run_notebook", "show_line", "summarise"]  # fmt: skip
