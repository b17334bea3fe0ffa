"""Run one cell whatever happens, and say in one line how it ended."""

import time
import traceback
from dataclasses import dataclass

from kit.batch.cell import Cell, NotebookError, run_notebook
from kit.batch.finished import is_finished
from kit.batch.html_page import to_html
from kit.errors import KitError


@dataclass(frozen=True)
class Outcome:
    """How a cell ended."""

    finished: bool
    """The notebook ran to its end and, if it makes a run, its `result.json` is there."""
    error: str = ""
    """One line: what went wrong. On a finished cell: why there is no page of it."""
    again: bool = False
    """It failed in a way that another attempt may not."""
    attempts: int = 0
    """How often it was started; 0: it was finished before, or refused."""
    seconds: float = 0.0
    """Of the last attempt."""


def run_cell(cell: Cell) -> Outcome:
    """Run a cell unless it is finished already. A run that was interrupted goes on from its last checkpoint.

    Never raises for anything that is wrong with the cell, and may be called any number of times.
    """
    started = time.monotonic()
    try:
        if is_finished(cell):
            return Outcome(finished=True)
    except KitError as error:
        return Outcome(finished=False, error=str(error))
    error, again = "", False
    cell.page.unlink(missing_ok=True)
    try:
        run_notebook(cell)
        if cell.run_dir is not None and not is_finished(cell):
            error = f"the notebook ran to its end, but left no result.json in {cell.run_dir}"
    except NotebookError as failure:
        error, again = failure.why, not failure.mendable
    except Exception as failure:  # papermill, a full disk: the other cells go on in any case
        error, again = " ".join(traceback.format_exception_only(failure)[-1].split()), True
    seconds = round(time.monotonic() - started, 1)
    pageless = make_page(cell)
    return Outcome(finished=not error, error=error or pageless, again=again, attempts=1, seconds=seconds)


def make_page(cell: Cell) -> str:
    """Write the executed notebook as a page; return why there is none, or nothing."""
    try:
        to_html(cell.executed, cell.page)
    except KitError as error:
        return f"no page: {error}"
    return ""
