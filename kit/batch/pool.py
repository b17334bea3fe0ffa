"""Many cells on this machine, several at a time, each on its share of cores and accelerators.

Each worker is a process that runs one cell after the other. It is replaced when it dies or is killed, and it ends with
this process, with all processes of its runs.
"""

import contextlib
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing import connection

from kit.batch import marked_processes
from kit.batch.cell import Cell, settle
from kit.batch.outcome import Outcome, Outcomes, make_page, run_cell
from kit.errors import KitError
from kit.system.parent import end_with

BEGUN = "begun"
"""Message of a worker at the start of a cell, from which its time limit counts."""


def run_cells(
    cells: Sequence[Cell],
    workers: int,
    watch: Callable[[], None] | None = None,
    time_limit: float | None = None,
    retries: int = 0,
    ended: Callable[[int, Outcome], None] | None = None,
) -> list[Outcome]:
    """Run cells, `workers` at a time; a failure does not stop the others.

    Args:
        cells: started in this order; finished ones are skipped.
        workers: number of processes.
        watch: called about twice a second in this process while notebooks run (progress).
        time_limit: seconds after which an attempt is killed; None is no limit.
        retries: further attempts at a failed cell, unless its notebook reports an error of its parameters or data.
        ended: called with the place of a cell and its outcome as soon as there is one.
    Returns: an outcome for each cell, in their order.
    Raises: KitError for less than one worker.
    """
    if workers < 1:
        raise KitError(f"workers must be 1 or more, got {workers}")
    queue = deque(enumerate(cells))
    outcomes = Outcomes(len(cells), retries, ended)
    crew = [Worker(place, min(workers, max(1, len(cells)))) for place in range(min(workers, len(cells)))]
    try:
        while None in outcomes.final:
            for worker in crew:
                if worker.task is None and queue:
                    worker.give(*queue.popleft(), time_limit)
            connection.wait([source for worker in crew for source in worker.sources()], timeout=0.5)
            for worker in crew:
                task, outcome = worker.poll()
                if outcome is not None and outcomes.add(task, outcome):
                    queue.append((task, cells[task]))
            if watch is not None:
                watch()
    finally:
        for worker in crew:
            worker.end()
    return outcomes.final


def complete(cells: Sequence[Cell], workers: int, watch: Callable[[], None] | None = None) -> None:
    """Run cells that are all required. Raises KitError naming all that failed, after the others are done."""
    outcomes = run_cells(cells, workers, watch)
    failed = [f"{cell.executed} failed: {o.error}" for cell, o in zip(cells, outcomes, strict=True) if not o.finished]
    if failed:
        raise KitError("; ".join(failed))


class Worker:
    """A worker process and its present cell, seen from this process."""

    def __init__(self, place: int, of: int):
        self.threads, self.devices = share(place, of)
        self.mark = marked_processes.new_mark()
        self.process = self.pipe = self.task = self.cell = self.deadline = self.time_limit = None

    def give(self, task: int, cell: Cell, time_limit: float | None) -> None:
        """Start a cell; the process is started if there is none."""
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, theirs = context.Pipe()
            arguments = (theirs, os.getpid(), self.mark, self.threads, self.devices)
            self.process = context.Process(target=serve, args=arguments, daemon=True)
            self.process.start()
            theirs.close()
        self.task, self.cell, self.time_limit, self.deadline = task, cell, time_limit, None
        with contextlib.suppress(OSError):  # it died while idle, which `poll` reports
            self.pipe.send(cell)

    def sources(self) -> list:
        """Objects for `connection.wait`."""
        return [] if self.task is None else [self.pipe, self.process.sentinel]

    def poll(self) -> tuple[int | None, Outcome | None]:
        """(task, its outcome), or (task, None) while it runs."""
        task, outcome = self.task, None
        if task is None:
            return None, None
        try:
            while outcome is None and self.pipe.poll():
                message = self.pipe.recv()
                if message == BEGUN:
                    self.deadline = None if self.time_limit is None else time.monotonic() + self.time_limit
                else:
                    outcome = message
        except (EOFError, OSError):
            self.process.join(5)
            outcome = self.lost(f"its process {marked_processes.death(self.process.exitcode or 0)}")
        if outcome is None and self.deadline is not None and time.monotonic() > self.deadline:
            outcome = self.lost(f"the time limit of {self.time_limit:g} s was exceeded")
        if outcome is not None:
            self.task = None
        return task, outcome

    def lost(self, why: str) -> Outcome:
        """End the process with those it started; return the outcome of its cell."""
        self.end()
        settle(self.cell)
        if self.cell.executed.is_file():
            make_page(self.cell)
        return Outcome(finished=False, error=why, again=True, attempts=1)

    def end(self) -> None:
        """Kill the worker and every process of its run."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            marked_processes.end_all(self.mark)
            self.pipe.close()
            self.process.close()
            self.process = self.task = None


def serve(pipe: connection.Connection, parent: int, mark: str, threads: int, devices: str | None) -> None:
    """The loop of a worker: run each cell from the pipe, send its outcome, end all its processes."""
    os.setsid()  # a signal to the group of this process must not end the one that cleans up
    end_with(parent, before=lambda: marked_processes.end_all(mark))
    marked_processes.put_on(mark)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read by the kernel that papermill starts
    if devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices
    while True:
        try:
            cell = pipe.recv()
        except EOFError:
            return
        pipe.send(BEGUN)
        try:
            outcome = run_cell(cell)
        finally:
            marked_processes.end_all(mark)
        pipe.send(outcome)


def share(place: int, of: int) -> tuple[int, str | None]:
    """Threads and visible accelerators of worker `place` of `of`; None does not restrict the accelerators."""
    import torch

    given = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(given) if given.isdigit() else max(1, (os.cpu_count() or 1) // of)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = visible.split(",") if visible else [str(i) for i in range(torch.cuda.device_count())]
    if of == 1 or not devices:
        return threads, None
    return threads, ",".join(devices[place::of] or [devices[place % len(devices)]])
