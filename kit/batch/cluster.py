"""Cells as jobs of a Slurm cluster, through submitit (`pip install trikd-mgd-kit[cluster]`).

The runs are one job array. A job is like a worker on one machine and may be killed at any time. The run resumes from
its last checkpoint when the job is restarted: by Slurm after a preemption or the loss of a node, otherwise (a crash, a
killed kernel) by this process, up to `retries` times.
"""

import dataclasses
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kit.batch import marked_processes
from kit.batch.cell import Cell
from kit.batch.grid import Grid
from kit.batch.outcome import Outcome, Outcomes, run_cell
from kit.errors import KitError, one_line
from kit.system.first_use import optional
from kit.system.storage import write_bytes, write_json

POLL = 2.0
"""Seconds between two polls of the queue."""

GRACE = 3
"""Polls without a job in the queue after which it counts as lost; its last file may arrive late."""


class CellJob:
    """The callable of a job. It writes its outcome to a file, because Slurm's record may be wrong or lost."""

    leaving = False
    """True if Slurm will restart the job: a notebook that its signal interrupts has no outcome yet."""

    def __call__(self, cell: Cell, outcome_file: str) -> None:
        mark = marked_processes.new_mark()
        marked_processes.put_on(mark)
        try:
            outcome = run_cell(cell)
        finally:
            marked_processes.end_all(mark)
        if not self.leaving:
            write_json(Path(outcome_file), dataclasses.asdict(outcome))

    def checkpoint(self, cell: Cell, outcome_file: str):
        """The same job to submit again; submitit calls this before a preemption. The run has its own checkpoints."""
        import submitit

        self.leaving = True
        return submitit.helpers.DelayedSubmission(CellJob(), cell, outcome_file)


def run_on_cluster(
    cells: Sequence[Cell],
    folder: Path,
    grid: Grid,
    ended: Callable[[int, Outcome], None] | None = None,
) -> list[Outcome]:
    """Run cells as jobs of Slurm and wait for them; like `kit.batch.pool.run_cells`.

    Jobs that are waiting or running when this process ends stay in the queue; the same call later waits for them and
    reads their results.

    Args:
        folder: for submitit's files and the outcomes; on a file system that all nodes share, like the data and the kit.
        grid: its `cluster` holds parameters of submitit, such as {"slurm_partition": "gpu", "gpus_per_node": 1,
            "array_parallelism": 8}; "additional_parameters" holds others of sbatch. A job whose time is over (24 hours
            unless "time", in minutes, or the grid's `time_limit` is set) continues in another one up to
            "max_num_timeout" times.
    Raises: KitError if submitit or Slurm is missing, or rejects the parameters.
    """
    if not cells:
        return []
    outcomes = Outcomes(len(cells), grid.retries, ended)
    executor = _executor(folder, grid)
    files = [folder / "outcomes" / f"{cell.executed.stem}.json" for cell in cells]
    jobs = _going(files)
    jobs |= _submit(executor, cells, [place for place in range(len(cells)) if place not in jobs], files)
    absent: dict[int, int] = {}
    while None in outcomes.final:
        time.sleep(POLL)
        queued = _queued(set(jobs.values()))
        again = []
        for place, job_id in list(jobs.items()):
            outcome = Outcome(**json.loads(files[place].read_text())) if files[place].is_file() else None
            absent[place] = 0 if outcome is not None or job_id in queued else absent.get(place, 0) + 1
            if outcome is None and absent[place] < GRACE:
                continue
            del jobs[place]
            outcome = outcome or Outcome(finished=False, error=_lost(job_id, folder), again=True, attempts=1)
            if outcomes.add(place, outcome):
                again.append(place)
        if again:
            absent |= dict.fromkeys(again, 0)
            jobs |= _submit(executor, cells, again, files)
    return outcomes.final


def _executor(folder: Path, grid: Grid):
    submitit = optional("submitit", "runs on a cluster need submitit: pip install submitit")
    given = {name.removeprefix("slurm_"): value for name, value in grid.cluster.items()}
    # Without a limit of the grid, a run that is longer than the queue allows continues in its next job.
    timeouts = given.pop("max_num_timeout", grid.retries if grid.time_limit else 20)
    try:
        executor = submitit.SlurmExecutor(folder=str(folder / "%j"), max_num_timeout=timeouts)
    except RuntimeError as error:
        raise KitError("no Slurm here: srun was not found; start this on a machine that can submit jobs") from error
    minutes = max(1, -(-int(grid.time_limit) // 60)) if grid.time_limit else 24 * 60
    try:
        executor.update_parameters(**{"job_name": f"kit-{Path(grid.out).name}", "time": minutes, **given})
    except (ValueError, TypeError) as error:
        raise KitError(f"cluster: submitit rejects these parameters: {one_line(error)}") from error
    return executor


def _submit(executor, cells: Sequence[Cell], places: Sequence[int], files: Sequence[Path]) -> dict[int, str]:
    """Submit some of the cells as one array; return place -> job id. Each id is kept beside the file of the outcome."""
    if not places:
        return {}
    for place in places:
        files[place].parent.mkdir(parents=True, exist_ok=True)
        files[place].unlink(missing_ok=True)
    try:
        jobs = executor.map_array(CellJob(), [cells[p] for p in places], [str(files[p]) for p in places])
    except Exception as error:  # submitit raises several kinds, with the message of sbatch
        raise KitError(f"Slurm rejects the jobs: {one_line(error)[:300]}") from error
    for place, job in zip(places, jobs, strict=True):
        write_bytes(files[place].with_suffix(".job"), job.job_id.encode())
    return {place: job.job_id for place, job in zip(places, jobs, strict=True)}


def _going(files: Sequence[Path]) -> dict[int, str]:
    """Jobs of an earlier call that wait or run: place -> job id."""
    kept = [(place, file.with_suffix(".job")) for place, file in enumerate(files)]
    known = {place: file.read_text() for place, file in kept if file.is_file()}
    queued = _queued(set(known.values())) if known else set()
    return {place: job_id for place, job_id in known.items() if job_id in queued}


def _queued(job_ids: set[str]) -> set[str]:
    """Jobs that wait or run, by squeue: not every cluster has the accounting that submitit uses."""
    command = ["squeue", "--noheader", "--array", "--format=%i", "--me"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return job_ids  # the controller does not respond now
    return job_ids & {line.strip() for line in done.stdout.splitlines()}


def _lost(job_id: str, folder: Path) -> str:
    """Why a job ended without an outcome, from its log."""
    logs = sorted((folder / job_id.split("_")[0]).glob(f"{job_id}_*_log.err"))
    lines = [line for log in logs for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"job {job_id} ended without a result" + (f"; its log ends with: {lines[-1].strip()[:200]}" if lines else "")
