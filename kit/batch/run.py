"""Run the remaining runs of a grid, here or on a cluster, and record their outcomes in a table."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kit.batch.finished import data_now, is_finished, run_config
from kit.batch.grid import Grid, Run, read_grid
from kit.batch.outcome import Outcome
from kit.batch.pool import run_cells
from kit.batch.teacher_runs import teacher_runs
from kit.data.scenes.dataset import draw_dataset
from kit.errors import KitError
from kit.system.lock import locked
from kit.system.paths import PROJECT, from_project
from kit.system.storage import write_json

TABLE = "grid.json"
"""File of the table, in the grid's folder."""


@dataclass(frozen=True)
class Entry:
    """A run of a grid and its outcome."""

    name: str
    row: str
    seed: int
    run_dir: str
    executed: str
    """The executed notebook; the page of the same name with .html is beside it."""
    status: str = "waiting"
    """ "waiting", "finished" or "failed"."""
    error: str = ""
    """One line."""
    attempts: int = 0
    """Number of starts in this call; 0 if it was finished before, or its parameters are wrong."""
    seconds: float = 0.0
    """Duration of the last attempt."""


@dataclass(frozen=True)
class Table:
    """The outcome of every run of a grid."""

    out: Path
    entries: list[Entry]

    def finished(self) -> list[Entry]:
        """Runs that have a result."""
        return [entry for entry in self.entries if entry.status == "finished"]

    def failed(self) -> list[Entry]:
        """Runs with an error."""
        return [entry for entry in self.entries if entry.status == "failed"]

    def rows(self) -> list[dict]:
        """For `kit.figures.tables.formats.as_text` and `as_markdown`."""
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
    """Run the runs of a grid that are not finished, and return the outcomes of all; `OUT/grid.json` holds the same.

    A run is finished if it has a `result.json` for these parameters and data. An interrupted run resumes from its last
    checkpoint. A failure does not stop the others.

    Args:
        grid: a Grid, a dict, or a file; see `kit.batch.grid`.
        workers: runs at a time on this machine.
        say: called with a line at the end of each run.
        cluster: run them as jobs of a Slurm cluster, by submitit.
    Raises: KitError for an invalid grid, or one that another process is running.
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
        """Whether the run needs no start: it is finished, or its parameters are wrong."""
        cell = self.runs[place].cell
        try:
            cfg = run_config(cell)
            if cfg is not None and cfg.data.dataset == "synthetic" and not from_project(cfg.data.root).exists():
                draw_dataset(from_project(cfg.data.root))  # here, because runs that start together would all draw it
            done = is_finished(cell)
        except KitError as error:
            self.note(place, Outcome(finished=False, error=str(error)))
            return True
        if done:
            self.note(place, Outcome(finished=True))
        return done

    def note(self, place: int, outcome: Outcome) -> None:
        """Record the outcome of a run."""
        status = "finished" if outcome.finished else "failed"
        found = {"error": outcome.error, "attempts": outcome.attempts, "seconds": outcome.seconds}
        entry = self.entries[place] = replace(self.entries[place], status=status, **found)
        self.write()
        if self.say is not None:
            done = sum(each.status != "waiting" for each in self.entries)
            how = f"{entry.seconds:.0f} s" if entry.attempts else "was finished before"
            how = how if outcome.finished else entry.error
            self.say(
                f"[{done}/{len(self.entries)}, {time.monotonic() - self.started:.0f} s] "
                f"{entry.row}, seed {entry.seed}: {status}, {how}"
            )
