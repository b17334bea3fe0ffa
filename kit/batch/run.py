"""A whole grid: what is to do, who does it, and the table of what became of each run."""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kit.batch.finished import asked, data_now, is_finished
from kit.batch.grid import Grid, Run, read_grid
from kit.batch.outcome import Outcome
from kit.batch.pool import run_cells
from kit.batch.teachers import teacher_runs
from kit.data.scenes.dataset import draw_dataset
from kit.errors import KitError
from kit.system.lock import locked
from kit.system.paths import PROJECT, from_project
from kit.system.storage import read_json, write_json

TABLE = "grid.json"
"""File of the table, in the grid's folder."""


@dataclass(frozen=True)
class Entry:
    """A run of a grid and what became of it."""

    name: str
    row: str
    seed: int
    run_dir: str
    executed: str
    """The executed notebook; the page of the same name with .html lies beside it."""
    status: str = "waiting"
    """ "waiting", "finished" or "failed"."""
    error: str = ""
    """One line."""
    attempts: int = 0
    """In this call; 0 if it was finished before, or refused before it started."""
    seconds: float = 0.0
    """Of the last attempt."""


@dataclass(frozen=True)
class Table:
    """What became of every run of a grid."""

    out: Path
    entries: list[Entry]

    def finished(self) -> list[Entry]:
        """Runs that have a result."""
        return [entry for entry in self.entries if entry.status == "finished"]

    def failed(self) -> list[Entry]:
        """Runs with an error."""
        return [entry for entry in self.entries if entry.status == "failed"]

    def rows(self) -> list[dict]:
        """For `kit.figures.charts.tables.as_text` and `as_markdown`."""
        return [
            {"row": e.row, "seed": e.seed, "status": e.status, "attempts": e.attempts, "seconds": round(e.seconds),
             "error": e.error}
            for e in self.entries
        ]  # fmt: skip


def run_grid(
    grid: Grid | dict | str | Path,
    workers: int = 2,
    say: Callable[[str], None] | None = None,
    cluster: bool = False,
) -> Table:
    """Run what is not finished of a grid, and return what became of each run; `OUT/grid.json` holds the same.

    A run is finished if its `result.json` says so, for these parameters and these data. One that was
    interrupted goes on from its last checkpoint. One that fails does not stop the others.

    Args:
        grid: a Grid, a dict, or a file; see `kit.batch.grid`.
        workers: runs at a time on this machine.
        say: called with a line whenever a run has ended.
        cluster: run them as jobs of a Slurm cluster, by submitit.
    Raises: KitError for a grid that is not understood, or that another process is running.
    """
    grid = grid if isinstance(grid, Grid) else read_grid(grid)
    if workers < 1:
        raise KitError(f"workers must be 1 or more, got {workers}")
    runs, folder = grid.runs(), PROJECT / grid.out
    with locked(folder / ".lock", str(folder)):
        data_now.cache_clear()
        first = teacher_runs(grid, runs)
        board = _Board(folder, [*first, *runs], say)
        for stage in (range(len(first)), range(len(first), len(board.runs))):
            places = [place for place in stage if not board.settled(place)]
            board.run(places, workers, grid, cluster)
    return Table(folder, board.entries)


def read_table(out: str | Path) -> Table:
    """The table of a grid that was run into the folder `out`. Raises KitError if there is none."""
    folder = PROJECT / out
    return Table(folder, [Entry(**entry) for entry in read_json(folder / TABLE)])


def show_line(line: str) -> None:
    """A line for a terminal or a notebook, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class _Board:
    """The table of a grid while it runs, on disk after every change."""

    def __init__(self, folder: Path, runs: list[Run], say: Callable[[str], None] | None):
        self.folder, self.runs, self.say = folder, runs, say
        self.entries = [Entry(r.name, r.row, r.seed, str(r.cell.run_dir), str(r.cell.executed)) for r in runs]
        self.started = time.monotonic()
        self.write()

    def write(self) -> None:
        write_json(self.folder / TABLE, [asdict(entry) for entry in self.entries])

    def run(self, places: list[int], workers: int, grid: Grid, cluster: bool) -> None:
        """Run some of the runs, here or on the cluster."""
        cells = [self.runs[place].cell for place in places]

        def ended(task: int, outcome: Outcome) -> None:
            self.note(places[task], outcome)

        if cluster:
            from kit.batch.cluster import run_on_cluster  # submitit is an optional extra

            run_on_cluster(cells, self.folder / "jobs", grid, ended)
        else:
            run_cells(cells, workers, time_limit=grid.time_limit, retries=grid.retries, ended=ended)

    def settled(self, place: int) -> bool:
        """Whether there is nothing to do: the run is finished, or its parameters are refused."""
        cell = self.runs[place].cell
        try:
            cfg = asked(cell)
            if cfg is not None and cfg.data.dataset == "synthetic" and not from_project(cfg.data.root).exists():
                draw_dataset(from_project(cfg.data.root))  # here, for runs that start together would all draw it
            done = is_finished(cell)
        except KitError as error:
            self.note(place, Outcome(finished=False, error=str(error)))
            return True
        if done:
            self.note(place, Outcome(finished=True))
        return done

    def note(self, place: int, outcome: Outcome) -> None:
        """Write down how a run has ended."""
        status = "finished" if outcome.finished else "failed"
        entry = replace(self.entries[place], status=status, error=outcome.error, attempts=outcome.attempts,
                        seconds=outcome.seconds)  # fmt: skip
        self.entries[place] = entry
        self.write()
        if self.say is not None:
            done = sum(each.status != "waiting" for each in self.entries)
            how = entry.error if not outcome.finished else f"{entry.seconds:.0f} s" if entry.attempts else "was there"
            self.say(
                f"[{done}/{len(self.entries)}, {time.monotonic() - self.started:.0f} s] "
                f"{entry.row}, seed {entry.seed}: {status}, {how}"
            )
