"""Run a cell and report how it ended, without raising; count the attempts of several cells."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

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
    """The problem, in one line. For a finished cell: why there is no page of it."""
    again: bool = False
    """Another attempt may succeed."""
    attempts: int = 0
    """Number of starts; 0: it was finished before, or its parameters are wrong."""
    seconds: float = 0.0
    """Duration of the last attempt."""


class Outcomes:
    """Outcomes of several cells.

    Args:
        count: number of cells.
        retries: further attempts at a cell whose outcome allows another one.
        ended: called with the place of a cell and its final outcome.
    """

    def __init__(self, count: int, retries: int, ended: Callable[[int, Outcome], None] | None = None):
        self.final: list[Outcome | None] = [None] * count
        self.retries, self.ended, self._attempts = retries, ended, [0] * count

    def add(self, place: int, outcome: Outcome) -> bool:
        """Record the outcome of an attempt; True if the cell should run again."""
        self._attempts[place] += outcome.attempts
        if outcome.again and self._attempts[place] <= self.retries:
            return True
        self.final[place] = replace(outcome, attempts=self._attempts[place])
        if self.ended is not None:
            self.ended(place, self.final[place])
        return False


def run_cell(cell: Cell) -> Outcome:
    """Run a cell unless it is finished. An interrupted run resumes from its last checkpoint.

    Never raises for a problem of the cell, and may be called any number of times.
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
        error, again = failure.why, not failure.permanent
    except Exception as failure:  # papermill, a full disk: other cells must still run
        error, again = " ".join(traceback.format_exception_only(failure)[-1].split()), True
    seconds = round(time.monotonic() - started, 1)
    pageless = make_page(cell)
    return Outcome(finished=not error, error=error or pageless, again=again, attempts=1, seconds=seconds)


def make_page(cell: Cell) -> str:
    """Write the executed notebook as a page; return the problem, or ""."""
    try:
        to_html(cell.executed, cell.page)
    except KitError as error:
        return f"no page: {error}"
    return ""
